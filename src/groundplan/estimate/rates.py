"""The sustained rates of one cluster at one precision: what the laws of a step are fed with."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from groundplan.catalog.rows import Accelerator, Architecture, Precision
from groundplan.design.cluster import Cluster, Setting
from groundplan.errors import InputError

SCALEUP_EFFICIENCY = 0.82
"""Share of the scale-up link's one-way rate large collectives reach: 8 x H200 NCCL ring all-reduce, 367 of 450 GB/s
(github.com/stas00/ml-engineering, 2026); class derived."""
PCIE_EFFICIENCY = 0.6
"""Share of PCIe x16 that peer traffic reaches when all cards of a host talk through its root complex; class assumed."""
SCALEUP_LATENCY_S = 3.0e-6
"""Latency of one collective step inside a host; class assumed (nccl-tests small-message times over the steps)."""
HOST_MEMORY_BYTES_PER_S = 1.35e11
"""Host memory bandwidth an offloaded optimizer reaches on a two-socket server: two published runs with ZeRO-3 and CPU
Adam spend about 1.7 s on 8 billion parameters (github.com/stas00/ml-engineering, 2026); class derived."""
UNKNOWN_FABRIC_LATENCY_S = 1.0e-5
"""Latency of one collective step over a fabric that states none; class assumed."""
UNKNOWN_PCIE_BYTES_PER_S = 1.6e10
"""PCIe rate taken for an accelerator that states none: generation 3 x16; class assumed."""
UNKNOWN_NIC_BITS_PER_S = 1.0e10
"""Scale-out rate taken for a host whose network is not stated: plain 10 GbE; class assumed, said in the answer."""


FLASH_ATTENTION_2 = 2.0
"""Generation of attention kernels written for Ampere (Dao 2023, arXiv 2307.08691)."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Sustained rates per device; base units. `compute_units` is NaN where unknown."""

    peak_flops_per_s: float
    gemm_flops_per_s: float
    head_flops_per_s: float  # of the output head, which stays as wide as attention
    attention_flops_per_s: float
    memory_bytes_per_s: float
    compute_units: float
    host_computes: bool  # a processor: launching and computing take turns
    tile: float  # side of the tiles its kernels work on [elements]
    intra_bytes_per_s: float
    inter_bytes_per_s: float
    intra_latency_s: float
    inter_latency_s: float
    domain: int
    per_host: float  # devices of one host
    pcie_bytes_per_s: float
    host_memory_bytes_per_s: float
    flash_forward_share: float
    flash_backward_share: float
    sustained_source: str


def sustained_share(accelerator: Accelerator, known: Iterable[Accelerator]) -> tuple[float, str]:
    """Share of the dense bf16 peak that the best matmul reaches: measured, else the median of the nearest kin.

    Kin are parts of the same architecture, then of the same vendor, then all parts that were measured.
    """
    own = _measured_share(accelerator)
    if own is not None:
        return own, f"measured best matmul rate of {accelerator.name}"
    measured = [(part, share) for part in known if (share := _measured_share(part)) is not None]
    kin = [share for part, share in measured if part.architecture == accelerator.architecture]
    if kin:
        return median(kin), f"median of measured {accelerator.architecture} parts"
    kin = [share for part, share in measured if part.vendor == accelerator.vendor]
    if kin:
        return median(kin), f"median of measured {accelerator.vendor} parts"
    return median(share for _, share in measured), "median of all measured parts"


def _measured_share(accelerator: Accelerator) -> float | None:
    for kind in ("bf16", "fp16"):
        peak, sustained = accelerator.flops.get(kind), accelerator.sustained_flops.get(kind)
        if peak and sustained:
            return sustained / peak
    return None


def check_rates(accelerator: Accelerator, precision: Precision) -> tuple[float, float]:
    """Return the peak of an accelerator at a precision [FLOP/s], and its memory bandwidth [bytes/s].

    Raises
    ------
    InputError
        One of them is unknown.
    """
    peak = _peak(accelerator, precision.gemm)
    if peak is None:
        has = ", ".join(sorted(accelerator.flops)) or "no known rate"
        raise InputError(f"{accelerator.name} has no known {precision.gemm} rate", f"choose a precision it has: {has}")
    if accelerator.memory_bytes_per_s is None or accelerator.memory_bytes is None:
        raise InputError(
            f"the memory of {accelerator.name} is unknown", "add a catalog row with its memory and memory bandwidth"
        )
    return peak, accelerator.memory_bytes_per_s


def resolve_rates(setting: Setting, known: Iterable[Accelerator]) -> Rates:
    """Return the rates of a setting.

    Raises
    ------
    InputError
        When the accelerator has no rate for the precision, or its memory bandwidth is unknown.
    """
    accelerator, precision = setting.cluster.accelerator, setting.precision
    peak, memory_bytes_per_s = check_rates(accelerator, precision)
    best, source = sustained_share(accelerator, known)
    architecture = setting.architecture
    kernels = architecture.flash2_share if setting.stack.flash_generation <= FLASH_ATTENTION_2 else 1.0
    kernels *= setting.stack.attention_factor
    power = _power_factor(accelerator, architecture, best)
    reached = best * power * setting.stack.matmul_factor
    # What a part has no rate for runs in the next narrower width its matmuls have: fp16 for bf16.
    head_peak = _peak(accelerator, precision.attention) or _peak(accelerator, "fp16") or peak
    attention_peak = _peak(accelerator, architecture.attention_rate) or head_peak
    intra, inter, domain = network(setting.cluster)
    return Rates(
        peak_flops_per_s=peak,
        gemm_flops_per_s=peak * reached * matmul_share(architecture, precision.gemm),
        head_flops_per_s=head_peak * reached * architecture.matmul_share,
        attention_flops_per_s=attention_peak * best,
        memory_bytes_per_s=memory_bytes_per_s,
        compute_units=float(accelerator.compute_units) if accelerator.compute_units else math.nan,
        host_computes=architecture.host_computes,
        tile=architecture.tile,
        intra_bytes_per_s=intra,
        inter_bytes_per_s=inter,
        intra_latency_s=SCALEUP_LATENCY_S,
        inter_latency_s=setting.cluster.fabric.latency_s or UNKNOWN_FABRIC_LATENCY_S,
        domain=domain,
        per_host=float(setting.cluster.host.accelerators),
        pcie_bytes_per_s=accelerator.pcie_bytes_per_s or UNKNOWN_PCIE_BYTES_PER_S,
        host_memory_bytes_per_s=HOST_MEMORY_BYTES_PER_S / setting.cluster.host.accelerators,
        flash_forward_share=architecture.flash_forward_share * kernels,
        flash_backward_share=architecture.flash_backward_share * kernels,
        sustained_source=source,
    )


def matmul_share(architecture: Architecture, kind: str) -> float:
    """Share of the best measured matmul that training reaches, by the width of the operands."""
    if kind in ("fp8", "int8"):
        return architecture.matmul_share_8bit or architecture.matmul_share
    if kind == "fp4":
        return architecture.matmul_share_4bit or architecture.matmul_share_8bit or architecture.matmul_share
    return architecture.matmul_share


def _power_factor(accelerator: Accelerator, architecture: Architecture, best: float) -> float:
    """Share of the rate of a short benchmark that the power limit leaves in a long run of matmuls, at most 1.

    A bf16 operation takes the joules of the architecture; an operation of another width as many fewer as it is
    faster, so that one factor holds for all.
    """
    bf16 = _peak(accelerator, "bf16")
    if architecture.flops_per_joule is None or accelerator.tdp_w is None or bf16 is None:
        return 1.0
    return min(1.0, architecture.flops_per_joule * accelerator.tdp_w / (bf16 * best * architecture.matmul_share))


def _peak(accelerator: Accelerator, kind: str) -> float | None:
    """Return the dense peak for `kind`; tf32 falls back to fp32 where the part has no tf32 units."""
    if kind == "tf32":
        return accelerator.flops.get("tf32") or accelerator.flops.get("fp32")
    return accelerator.flops.get(kind)


def network(cluster: Cluster) -> tuple[float, float, int]:
    """Per-device rate inside and across scale-up domains, and the domain's size."""
    host, accelerator, fabric = cluster.host, cluster.accelerator, cluster.fabric
    if host.scaleup_domain > 1 and accelerator.scaleup_bytes_per_s:
        domain = host.scaleup_domain
        efficiency = PCIE_EFFICIENCY if accelerator.scaleup_kind == "pcie" else SCALEUP_EFFICIENCY
        intra = accelerator.scaleup_bytes_per_s * efficiency
    else:
        domain = host.accelerators
        intra = (accelerator.pcie_bytes_per_s or UNKNOWN_PCIE_BYTES_PER_S) * PCIE_EFFICIENCY
    nic = _nic_bits_per_s(cluster)
    inter = nic / 8.0 / host.accelerators * fabric.efficiency / max(1.0, fabric.oversubscription)
    return intra, inter, domain


def _nic_bits_per_s(cluster: Cluster) -> float:
    """Scale-out rate of a host: its own network, no more than one link of a fabric asked for in its place gives each.

    Where the host's network is unknown, its accelerators' reference, then the assumed rate.
    """
    host, fabric, reference = cluster.host, cluster.fabric, cluster.accelerator.nic_bits_per_s
    link = fabric.link_bits_per_s
    if fabric.id != host.fabric and link is not None:
        asked = link * host.accelerators
        return asked if host.nic_bits_per_s is None else min(asked, host.nic_bits_per_s)
    if host.nic_bits_per_s is not None:
        return host.nic_bits_per_s
    return reference * host.accelerators if reference else UNKNOWN_NIC_BITS_PER_S
