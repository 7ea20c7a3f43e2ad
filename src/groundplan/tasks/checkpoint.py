"""Task: how large a checkpoint is, how long it takes, how often to write one, and what is left of the time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import StorageProduct
from groundplan.errors import InputError
from groundplan.estimate import assumptions as given
from groundplan.estimate.assumptions import number
from groundplan.estimate.checkpoint import Saving, saving
from groundplan.estimate.data import CHECKPOINTS_KEPT
from groundplan.evidence import Assumption, Result, Term
from groundplan.physics.checkpoint import checkpoint_bytes, write_s
from groundplan.physics.reliability import mttf_s
from groundplan.physics.storage import TIB
from groundplan.quantities import format_seconds
from groundplan.workload.models import load_model

DALY = "Daly 2006, A higher order estimate of the optimum checkpoint interval, Future Generation Computer Systems 22(3)"


@dataclass(frozen=True, slots=True)
class CheckpointRequest:
    """A run of `model` on `accelerators`. Times in seconds; None = derived from the catalog and the assumptions."""

    model: str | Mapping[str, Any] | None = None
    accelerators: int = 8
    accelerators_per_node: int = 8
    storage: str | None = None
    precision: str = "bf16"
    optimizer: str = "adamw"
    mtbf_s: float | None = None
    failures_per_1000_node_days: float | None = None
    write_s: float | None = None
    restart_s: float | None = None
    asynchronous: bool = False


@dataclass(frozen=True, slots=True)
class CheckpointResult(Result):
    """The plan for checkpoints. `bytes` is None when no model was named, `mtbf_s` where nothing ever fails."""

    schema: str
    headline: str
    bytes: float | None
    write_s: float
    stall_s: float
    mtbf_s: float
    interval_s: float
    goodput: float
    young_s: float
    daly_s: float
    nodes: int
    assumptions: tuple[Assumption, ...]
    explain: dict[str, Term]


def checkpoint(request: CheckpointRequest, catalog: Catalog) -> CheckpointResult:
    """Return size, stall, interval and goodput.

    Raises
    ------
    InputError, UnknownName
        When neither a model nor a write time is given, a number cannot be, or nothing ever fails.
    """
    _check(request)
    nodes = math.ceil(request.accelerators / request.accelerators_per_node)
    size = _size(request, catalog)
    write = request.write_s if request.write_s is not None else _write(request, catalog, size or 0.0, nodes)
    restart = number(given.RESTART) if request.restart_s is None else request.restart_s
    mtbf = _mtbf(request, nodes)
    saved = saving(
        write,
        (size or 0.0) / request.accelerators,
        number(given.DEVICE_TO_HOST),
        request.asynchronous,
        mtbf,
        restart,
    )
    return CheckpointResult(
        schema="groundplan/checkpoint/1",
        headline=_headline(saved),
        bytes=size,
        write_s=write,
        stall_s=float(saved.stall_s),
        mtbf_s=mtbf,
        interval_s=float(saved.interval_s),
        goodput=float(saved.goodput),
        young_s=float(saved.young_s),
        daly_s=float(saved.daly_s),
        nodes=nodes,
        assumptions=_assumptions(request),
        explain=_explain(saved, restart, request.asynchronous),
    )


def _check(request: CheckpointRequest) -> None:
    wholes = (("accelerators", request.accelerators), ("accelerators-per-node", request.accelerators_per_node))
    for name, whole in wholes:
        if whole < 1:
            raise InputError(f"{name} is {whole}", "give a whole number of at least 1")
    for name, seconds in (("mtbf", request.mtbf_s), ("write", request.write_s)):
        if seconds is not None and not 0.0 < seconds < math.inf:
            raise InputError(f"{name} is {seconds} s", "give a time above 0, e.g. 5 min")
    if request.restart_s is not None and not 0.0 <= request.restart_s < math.inf:
        raise InputError(f"restart is {request.restart_s} s", "give a time of 0 or more, e.g. 10 min")
    failures = request.failures_per_1000_node_days
    if failures is not None and not 0.0 < failures < math.inf:
        raise InputError(f"failures-per-1000-node-days is {failures}", "give a number above 0, e.g. 6.5")
    if request.model is None and request.write_s is None:
        raise InputError("neither a model nor a write time is given", "give --model, or --write 5min")
    if request.model is None and request.asynchronous:
        raise InputError("an asynchronous save stalls for a copy whose size is not known", "give --model")


def _size(request: CheckpointRequest, catalog: Catalog) -> float | None:
    if request.model is None:
        return None
    model = load_model(str(request.model), catalog)
    precision, optimizer = catalog.precision(request.precision), catalog.optimizer(request.optimizer)
    kept = precision.weight_bytes + precision.master_bytes + optimizer.state_bytes
    return float(checkpoint_bytes(model.parameters, kept))


def _mtbf(request: CheckpointRequest, nodes: int) -> float:
    if request.mtbf_s is not None:
        return request.mtbf_s
    stated = request.failures_per_1000_node_days
    mtbf = float(mttf_s(nodes, number(given.FAILURES) if stated is None else stated))
    if mtbf == math.inf:
        raise InputError(f"at {stated} failures in 1,000 node-days nothing ever fails", "give a larger rate, e.g. 6.5")
    return mtbf


def _write(request: CheckpointRequest, catalog: Catalog, size: float, nodes: int) -> float:
    """Seconds one write takes: on the product named, or at the assumed share of a parallel file system per node."""
    if request.storage is None:
        rate = nodes * number(given.STORAGE_WRITE)
    else:
        rate = _product_rate(catalog.storage_product(request.storage), size)
    return float(write_s(size, rate, nodes, number(given.NODE_NETWORK)))


def _product_rate(product: StorageProduct, size: float) -> float:
    """Write rate of the product, at the capacity the checkpoints kept need where throughput is sold with capacity."""
    if product.write_bytes_per_s is not None:
        return product.write_bytes_per_s
    if product.write_bytes_per_s_per_tib is not None:
        provisioned = max(CHECKPOINTS_KEPT * size / product.usable_fraction, product.min_bytes or 0.0)
        return product.write_bytes_per_s_per_tib * provisioned / TIB
    raise InputError(f"the write rate of {product.name} is unknown", "give --write, or another product")


def _headline(saved: Saving) -> str:
    useful = float(saved.goodput)
    often = f"a failure every {format_seconds(float(saved.mtbf_s))}"
    if useful <= 0.0:
        return f"Such a run never ends: {often}, before an interval or a restart is over"
    return f"Save every {format_seconds(float(saved.interval_s))}: {useful:.1%} of the time is useful, {often}"


def _explain(saved: Saving, restart: float, asynchronous: bool) -> dict[str, Term]:
    """Trees of the interval, and of what one saved interval costs."""
    parts = {
        "interval": (saved.interval_s, "useful work T"),
        "stall": (saved.stall_s, "w: " + ("copy to host memory" if asynchronous else "the whole write")),
        "restarts": (saved.restarts_s, "M (exp((T + w)/M) - 1) (exp(R/M) - 1)"),
        "lost_work": (saved.rework_s, "M (exp((T + w)/M) - 1) - (T + w), and the write that was not over"),
    }
    children = tuple(Term(name, float(value), "s", formula, source=DALY) for name, (value, formula) in parts.items())
    symbols: dict[str, float | str | None] = {
        "T [s]": float(saved.interval_s),
        "w [s]": float(saved.stall_s),
        "M [s]": float(saved.mtbf_s),
        "R [s]": restart,
    }
    wall = math.fsum(child.value for child in children)
    return {
        "interval_s": Term(
            "interval_s",
            float(saved.interval_s),
            "s",
            "max(sqrt(2 w M)(1 + sqrt(w/2M)/3 + (w/2M)/9) - w, write)"
            if asynchronous
            else "sqrt(2 w M)(1 + sqrt(w/2M)/3 + (w/2M)/9) - w",
            {**symbols, "write [s]": float(saved.write_s)},
            DALY,
        ),
        "goodput": Term(
            "goodput",
            float(saved.goodput),
            "1",
            "T / wall time of an interval",
            symbols,
            DALY,
            op="ratio",
            children=(Term("interval_wall_s", wall, "s", "sum of the parts", op="sum", children=children),),
        ),
    }


def _assumptions(request: CheckpointRequest) -> tuple[Assumption, ...]:
    writing = request.write_s is None
    used = (
        (given.FAILURES, request.mtbf_s is None and request.failures_per_1000_node_days is None),
        (given.RESTART, request.restart_s is None),
        (given.DEVICE_TO_HOST, request.asynchronous),
        (given.STORAGE_WRITE, writing and request.storage is None),
        (given.NODE_NETWORK, writing),
    )
    return tuple(assumption for assumption, counts in used if counts)
