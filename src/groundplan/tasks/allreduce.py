"""Task: what synchronising a buffer over many accelerators asks of the network."""

from __future__ import annotations

from dataclasses import dataclass

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Fabric
from groundplan.errors import InputError
from groundplan.estimate.rates import SCALEUP_EFFICIENCY, SCALEUP_LATENCY_S
from groundplan.evidence import Prediction, Result, Term
from groundplan.physics.collectives import (
    all_reduce_bytes,
    all_reduce_s,
    flat_ring_bits_per_s,
    hierarchical_bits_per_s,
    ranks_inside,
)

TIME_INTERVAL = (0.8, 1.5)
"""Factors of the 80 % interval of a collective's time; class assumed."""


@dataclass(frozen=True, slots=True)
class AllreduceRequest:
    """A buffer of `bytes` that `accelerators` all-reduce `per_second` times a second, over `accumulation` micro-batches."""

    bytes: float
    accelerators: int
    per_second: float = 1.0
    fabric: str = "infiniband-ndr"
    ranks_per_node: int = 8
    accelerator: str | None = None
    accumulation: int = 1


@dataclass(frozen=True, slots=True)
class AllreduceResult(Result):
    """Bytes, rates and time. `fabric_ok`: one flat ring fits the fabric's link; `hierarchical_ok`: reducing inside first does."""

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
    accelerators: int
    ranks_per_node: int
    terms: dict[str, float]
    explain: dict[str, Term]


def allreduce(request: AllreduceRequest, catalog: Catalog) -> AllreduceResult:
    """Return what the all-reduce needs and how long it takes.

    Raises
    ------
    InputError
        For sizes that cannot be, or a fabric whose rate is unknown.
    """
    _check(request)
    fabric = catalog.fabric(request.fabric)
    link = _link_bits_per_s(fabric)
    ranks, domain = request.accelerators, min(request.ranks_per_node, request.accelerators)
    inside = int(ranks_inside(ranks, 1, domain))
    if ranks % inside:
        raise InputError(
            f"{ranks} accelerators are no whole number of nodes of {inside}", f"choose a multiple of {inside}, or --ranks-per-node"
        )
    per_second = request.per_second / request.accumulation
    intra = _intra_bytes_per_s(request, catalog)
    inter = link / 8.0 * fabric.efficiency
    latency = fabric.latency_s or SCALEUP_LATENCY_S
    seconds = float(all_reduce_s(request.bytes, ranks, inside, intra, inter, SCALEUP_LATENCY_S, latency))
    sent = float(all_reduce_bytes(request.bytes, ranks))
    flat = float(flat_ring_bits_per_s(request.bytes, ranks, per_second))
    layered = float(hierarchical_bits_per_s(request.bytes, ranks, inside, per_second))
    within = 2.0 * request.bytes * (inside - 1) / inside / intra
    across = 2.0 * request.bytes / inside * (1.0 - inside / ranks) / inter
    flat_ok, layered_ok = flat <= link, layered <= link
    return AllreduceResult(
        "groundplan/allreduce/1", _headline(fabric, flat, layered, link), sent, flat, layered,
        Prediction.within(seconds, *TIME_INTERVAL), flat_ok, layered_ok, fabric.id, link, ranks, inside,
        {"inside_node": within, "between_nodes": across},
        {
            "bytes_per_device": Term(
                "bytes_per_device", sent, "bytes", "2 (n - 1) / n x bytes", {"n": float(ranks), "bytes": request.bytes},
                "ring all-reduce, Patarasuk and Yuan 2009",
            ),
            "flat_ring_bits_per_s": Term(
                "flat_ring_bits_per_s", flat, "bit/s", "8 x bytes per device x rate", {"rate [1/s]": per_second}
            ),
            "hierarchical_bits_per_s": Term(
                "hierarchical_bits_per_s", layered, "bit/s", "8 x 2 (o - 1) / o x bytes / i x rate",
                {"i inside": float(inside), "o outside": ranks / inside},
            ),
        },
    )


def _check(request: AllreduceRequest) -> None:
    for name, value in (("bytes", request.bytes), ("per-second", request.per_second)):
        if not 0.0 < value < float("inf"):
            raise InputError(f"{name} is {value}", "give a number above 0")
    for name, whole in (
        ("accelerators", request.accelerators), ("ranks-per-node", request.ranks_per_node), ("accumulation", request.accumulation),
    ):
        if whole < 1:
            raise InputError(f"{name} is {whole}", "give a whole number of at least 1")


def _link_bits_per_s(fabric: Fabric) -> float:
    if fabric.link_bits_per_s is None:
        raise InputError(f"the link rate of {fabric.name} is unknown", "choose a fabric whose rate the catalog states")
    return fabric.link_bits_per_s


def _intra_bytes_per_s(request: AllreduceRequest, catalog: Catalog) -> float:
    """Scale-up rate of the accelerator named, or of an A100-class NVLink."""
    accelerator = catalog.accelerator(request.accelerator or "a100-sxm-80")
    if accelerator.scaleup_bytes_per_s is None:
        raise InputError(f"the scale-up rate of {accelerator.name} is unknown", "name another accelerator")
    return accelerator.scaleup_bytes_per_s * SCALEUP_EFFICIENCY


def _headline(fabric: Fabric, flat: float, layered: float, link: float) -> str:
    rates = f"a flat ring needs {flat / 1e9:,.4g} Gb/s per accelerator, reducing inside the node first {layered / 1e9:,.4g} Gb/s"
    if flat <= link:
        return f"{fabric.name} carries it: {rates}, the link gives {link / 1e9:,.4g} Gb/s"
    if layered <= link:
        return f"{fabric.name} carries it only hierarchically: {rates}, the link gives {link / 1e9:,.4g} Gb/s"
    return f"{fabric.name} does not carry it: {rates}, the link gives {link / 1e9:,.4g} Gb/s"
