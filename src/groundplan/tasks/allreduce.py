"""Task: what synchronising gradients over many accelerators asks of the network."""

from __future__ import annotations

import math
from dataclasses import dataclass

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Accelerator, Fabric
from groundplan.errors import InputError, UnknownName
from groundplan.estimate.rates import PCIE_EFFICIENCY, SCALEUP_EFFICIENCY, SCALEUP_LATENCY_S
from groundplan.evidence import Assumption, Evidence, Prediction, Result, Term, total_of
from groundplan.physics.collectives import (
    all_gather_bytes,
    all_reduce_bytes,
    all_reduce_s,
    flat_ring_bits_per_s,
    hierarchical_bits_per_s,
    ranks_inside,
)
from groundplan.physics.overlap import exposed_s
from groundplan.quantities import format_bit_rate
from groundplan.workload.models import load_model

TIME_INTERVAL = (0.8, 1.5)
"""Factors of the 80 % interval of a collective's time; class assumed."""
DTYPE_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0}
USUAL_ACCELERATOR = "a100-sxm-80"
RING = "Patarasuk and Yuan 2009, Bandwidth optimal all-reduce algorithms for clusters of workstations"


@dataclass(frozen=True, slots=True)
class AllreduceRequest:
    """Gradients that `accelerators` all-reduce: `bytes` on the wire, or all of `model` at the width of `dtype`.

    `per_second` counts micro-batches: there is one all-reduce in `accumulation` of them. `compute_s` is the backward
    pass one all-reduce may run beside.
    """

    bytes: float | None = None
    accelerators: int = 8
    per_second: float = 1.0
    fabric: str = "infiniband-ndr"
    ranks_per_node: int = 8
    accelerator: str | None = None
    accumulation: int = 1
    model: str | None = None
    dtype: str = "bf16"
    compute_s: float | None = None


@dataclass(frozen=True, slots=True)
class AllreduceResult(Result):
    """Bytes, rates and time. The terms sum to `time_s`; time inside nodes counts where that between does not hide it.

    `fabric_ok` says whether the fabric carries one flat ring over all accelerators, `hierarchical_ok` whether it does
    when each node reduces inside first: at `sustained_bits_per_s`, the part of the link's rate large messages reach.
    """

    schema: str
    headline: str
    bytes_per_device: float
    flat_ring_bits_per_s: float
    hierarchical_bits_per_s: float
    time_s: Prediction
    fabric_ok: bool
    hierarchical_ok: bool
    fabric: str
    fabric_bits_per_s: float
    sustained_bits_per_s: float
    accelerators: int
    ranks_per_node: int
    exposed_s: float | None  # what shows beside the compute given; None = none given
    terms: dict[str, float]
    assumptions: tuple[Assumption, ...]
    explain: dict[str, Term]


@dataclass(frozen=True, slots=True)
class _Network:
    """Sustained one-way rates of one accelerator and latencies of one step."""

    inside: int
    intra_bytes_per_s: float
    inter_bytes_per_s: float
    inter_latency_s: float


def allreduce(request: AllreduceRequest, catalog: Catalog) -> AllreduceResult:
    """Return what the all-reduce needs, whether the fabric carries it, and how long it takes.

    Raises
    ------
    InputError, UnknownName
        For sizes that cannot be, names that are not in the catalog, or a fabric whose rate is unknown.
    """
    _check(request)
    payload, ranks = _payload(request, catalog), request.accelerators
    fabric, accelerator = catalog.fabric(request.fabric), catalog.accelerator(request.accelerator or USUAL_ACCELERATOR)
    link = _link_bits_per_s(fabric)
    network = _network(request, fabric, accelerator, link)
    rate = request.per_second / request.accumulation
    flat = float(flat_ring_bits_per_s(payload, ranks, rate))
    layered = float(hierarchical_bits_per_s(payload, ranks, network.inside, rate))
    sustained = network.inter_bytes_per_s * 8.0
    local = ranks == network.inside
    time = _time(payload, ranks, network)
    sent = Term(
        "bytes_per_device",
        float(all_reduce_bytes(payload, ranks)),
        "bytes",
        "2 (n - 1) / n x bytes",
        {"n accelerators": float(ranks), "bytes": payload},
        RING,
    )
    outside = ranks / network.inside
    return AllreduceResult(
        schema="groundplan/allreduce/1",
        headline=_headline(fabric, flat, layered, link, sustained, local),
        bytes_per_device=sent.value,
        flat_ring_bits_per_s=flat,
        hierarchical_bits_per_s=layered,
        time_s=Prediction.within(time.value, *TIME_INTERVAL),
        fabric_ok=local or flat <= sustained,
        hierarchical_ok=layered <= sustained,
        fabric=fabric.id,
        fabric_bits_per_s=link,
        sustained_bits_per_s=sustained,
        accelerators=ranks,
        ranks_per_node=network.inside,
        exposed_s=_exposed(request, time.value, accelerator, catalog),
        terms={child.name: child.value for child in time.children},
        assumptions=_assumptions(request, accelerator, fabric),
        explain={
            "bytes_per_device": sent,
            "flat_ring_bits_per_s": Term(
                "flat_ring_bits_per_s", flat, "bit/s", "8 x bytes per device x rate", {"rate [1/s]": rate}
            ),
            "hierarchical_bits_per_s": Term(
                "hierarchical_bits_per_s",
                layered,
                "bit/s",
                "8 x 2 (o - 1) / o x bytes / i x rate",
                {"i accelerators in a node": float(network.inside), "o nodes": outside, "rate [1/s]": rate},
            ),
            "time_s": time,
        },
    )


def _check(request: AllreduceRequest) -> None:
    if (request.bytes is None) == (request.model is None):
        raise InputError("either bytes or a model says what is reduced", "give --bytes '20 GB', or a model")
    positive = {"bytes": request.bytes, "per-second": request.per_second, "compute": request.compute_s}
    for name, value in positive.items():
        if value is not None and not 0.0 < value < math.inf:
            raise InputError(f"{name} is {value}", "give a number above 0")
    wholes = {
        "accelerators": request.accelerators,
        "ranks-per-node": request.ranks_per_node,
        "accumulation": request.accumulation,
    }
    for name, whole in wholes.items():
        if whole < 1:
            raise InputError(f"{name} is {whole}", "give a whole number of at least 1")
    inside = min(request.ranks_per_node, request.accelerators)
    if request.accelerators % inside:
        raise InputError(
            f"{request.accelerators} accelerators are no whole number of nodes of {inside}",
            f"choose a multiple of {inside}, or another --ranks-per-node",
        )
    if request.dtype not in DTYPE_BYTES:
        raise UnknownName("dtype of gradients", request.dtype, DTYPE_BYTES)


def _payload(request: AllreduceRequest, catalog: Catalog) -> float:
    if request.bytes is not None:
        return request.bytes
    return load_model(str(request.model), catalog).parameters * DTYPE_BYTES[request.dtype]


def _link_bits_per_s(fabric: Fabric) -> float:
    if fabric.link_bits_per_s is None:
        raise InputError(f"the link rate of {fabric.name} is unknown", "choose a fabric whose rate the catalog states")
    return fabric.link_bits_per_s


def _network(request: AllreduceRequest, fabric: Fabric, accelerator: Accelerator, link: float) -> _Network:
    """Rates with one link of the fabric for each accelerator, and its own scale-up network or PCIe inside a node."""
    if accelerator.scaleup_domain > 1 and accelerator.scaleup_bytes_per_s:
        efficiency = PCIE_EFFICIENCY if accelerator.scaleup_kind == "pcie" else SCALEUP_EFFICIENCY
        intra = accelerator.scaleup_bytes_per_s * efficiency
    elif accelerator.pcie_bytes_per_s:
        intra = accelerator.pcie_bytes_per_s * PCIE_EFFICIENCY
    else:
        raise InputError(f"the links of {accelerator.name} inside a node are unknown", "name another accelerator")
    inside = int(ranks_inside(request.accelerators, 1, min(request.ranks_per_node, request.accelerators)))
    inter = link / 8.0 * fabric.efficiency / max(1.0, fabric.oversubscription)
    return _Network(inside, intra, inter, fabric.latency_s or SCALEUP_LATENCY_S)


def _time(payload: float, ranks: int, network: _Network) -> Term:
    """Seconds of one all-reduce, in parts: both levels run beside each other, so the faster one shows no time."""
    levels = (payload, ranks, network.inside, network.intra_bytes_per_s, network.inter_bytes_per_s)
    flowing = float(all_reduce_s(*levels, 0.0, 0.0))
    whole = float(all_reduce_s(*levels, SCALEUP_LATENCY_S, network.inter_latency_s))
    across = 2.0 * float(all_gather_bytes(payload / network.inside, ranks / network.inside)) / network.inter_bytes_per_s
    parts = {
        "between_nodes": (across, "2 (o - 1) / o x bytes / i / fabric rate"),
        "inside_nodes": (flowing - across, "2 (i - 1) / i x bytes / scale-up rate, beyond the time between nodes"),
        "latency": (whole - flowing, "2 x (i - 1 steps inside + log2(o) steps between)"),
    }
    return total_of("time_s", "s", tuple(Term(name, value, "s", formula) for name, (value, formula) in parts.items()))


def _exposed(request: AllreduceRequest, seconds: float, accelerator: Accelerator, catalog: Catalog) -> float | None:
    """Seconds that show when the all-reduce runs beside a backward pass, as the usual software of the part does it."""
    if request.compute_s is None:
        return None
    stack = catalog.default_stack(accelerator)
    return float(exposed_s(seconds, request.compute_s, stack.overlap_data_parallel, stack.compute_slowdown))


def _headline(fabric: Fabric, flat: float, layered: float, link: float, sustained: float, local: bool) -> str:
    ring = f"a flat ring needs {format_bit_rate(flat)} per accelerator"
    if local:
        return f"One node: nothing crosses {fabric.name}; inside, {ring}"
    need = f"{ring}, reducing inside the node first {format_bit_rate(layered)}"
    has = f"the link gives {format_bit_rate(link)}, {format_bit_rate(sustained)} of it to large messages"
    if flat <= sustained:
        verdict = "carries it"
    elif layered <= sustained:
        verdict = "carries it only when nodes reduce inside first"
    else:
        verdict = "does not carry it"
    return f"{fabric.name} {verdict}: {need}; {has}"


def _assumptions(request: AllreduceRequest, accelerator: Accelerator, fabric: Fabric) -> tuple[Assumption, ...]:
    derived, assumed = Evidence.DERIVED.value, Evidence.ASSUMED.value
    efficiency = fabric.figures.get("efficiency")
    found = [
        Assumption(
            "fabric_efficiency",
            fabric.efficiency,
            "1",
            efficiency.evidence.value if efficiency else assumed,
            efficiency.source if efficiency else "",
        ),
        Assumption("links_per_accelerator", 1.0, "1", assumed, f"each accelerator has its own link of {fabric.name}"),
        Assumption(
            "scaleup_efficiency", SCALEUP_EFFICIENCY, "1", derived, "8 x H200 NCCL ring all-reduce, 367 of 450 GB/s"
        ),
    ]
    if request.accelerator is None:
        found.append(Assumption("accelerator", accelerator.id, "", assumed, "sets the rate inside a node"))
    return tuple(found)
