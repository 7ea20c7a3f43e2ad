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
from groundplan.evidence import Assumption, Result, Term
from groundplan.physics.checkpoint import checkpoint_bytes, daly_s, goodput, stall_s, write_s, young_s
from groundplan.physics.reliability import mttf_s
from groundplan.physics.storage import TIB
from groundplan.workload.models import load_model

NODE_NETWORK_BYTES_PER_S = 2.5e10
"""Network of one node towards storage where nothing else is stated: 200 Gb/s; class assumed."""


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
    """The plan for checkpoints. `bytes` is None when no model was named."""

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
    InputError
        When neither a model nor a write time is given, or a number cannot be.
    """
    _check(request)
    nodes = math.ceil(request.accelerators / request.accelerators_per_node)
    size = _size(request, catalog)
    write = request.write_s if request.write_s is not None else _write(request, catalog, size, nodes)
    per_device = (size or 0.0) / request.accelerators
    copy_rate = float(given.DEVICE_TO_HOST.value or 0.0)
    stall = float(stall_s(write, per_device, copy_rate, request.asynchronous))
    failures = request.failures_per_1000_node_days
    rate = float(given.FAILURES.value or 0.0) if failures is None else failures
    mtbf = request.mtbf_s if request.mtbf_s is not None else float(mttf_s(nodes, rate))
    restart = float(given.RESTART.value or 0.0) if request.restart_s is None else request.restart_s
    daly, young = float(daly_s(stall, mtbf)), float(young_s(stall, mtbf))
    interval = max(daly, write) if request.asynchronous else daly
    useful = float(goodput(interval, stall, restart, mtbf))
    return CheckpointResult(
        "groundplan/checkpoint/1",
        f"save every {interval / 60:,.4g} min: {useful:.1%} of the time is useful, a failure every {mtbf / 3600:,.4g} h",
        size, write, stall, mtbf, interval, useful, young, daly, nodes, _assumptions(request),
        {
            "interval_s": Term(
                "interval_s", interval, "s", "sqrt(2 w M)(1 + sqrt(w/2M)/3 + (w/2M)/9) - w",
                {"stall w [s]": stall, "mtbf M [s]": mtbf}, "Daly 2006, FGCS 22(3)",
            ),
            "goodput": Term(
                "goodput", useful, "1", "T / (M exp(R/M) (exp((T + w)/M) - 1))",
                {"interval T [s]": interval, "restart R [s]": restart, "mtbf M [s]": mtbf, "stall w [s]": stall},
                "Daly 2006, FGCS 22(3)",
            ),
        },
    )


def _check(request: CheckpointRequest) -> None:
    for name, whole in (("accelerators", request.accelerators), ("accelerators-per-node", request.accelerators_per_node)):
        if whole < 1:
            raise InputError(f"{name} is {whole}", "give a whole number of at least 1")
    times = (("mtbf", request.mtbf_s), ("write", request.write_s))
    for name, seconds in times:
        if seconds is not None and not 0.0 < seconds < float("inf"):
            raise InputError(f"{name} is {seconds} s", "give a time above 0, e.g. 5 min")
    for name, value in (("restart", request.restart_s), ("failures", request.failures_per_1000_node_days)):
        if value is not None and not 0.0 <= value < float("inf"):
            raise InputError(f"{name} is {value}", "give a number of at least 0")
    if request.model is None and request.write_s is None:
        raise InputError("neither a model nor a write time is given", "give --model, or --write 5min")


def _size(request: CheckpointRequest, catalog: Catalog) -> float | None:
    if request.model is None:
        return None
    model = load_model(str(request.model), catalog)
    precision, optimizer = catalog.precision(request.precision), catalog.optimizer(request.optimizer)
    kept = precision.weight_bytes + precision.master_bytes + optimizer.state_bytes
    return float(checkpoint_bytes(model.parameters, kept))


def _write(request: CheckpointRequest, catalog: Catalog, size: float | None, nodes: int) -> float:
    """Seconds one write takes: on the product named, or at the assumed share of a parallel file system per node."""
    if request.storage is None:
        rate = nodes * float(given.STORAGE_WRITE.value or 0.0)
    else:
        rate = _product_rate(catalog.storage_product(request.storage), size or 0.0)
    return float(write_s(size or 0.0, rate, nodes, NODE_NETWORK_BYTES_PER_S))


def _product_rate(product: StorageProduct, size: float) -> float:
    """Write rate of the product, at the capacity three checkpoints need where throughput is sold with capacity."""
    if product.write_bytes_per_s is not None:
        return product.write_bytes_per_s
    if product.write_bytes_per_s_per_tib is not None:
        provisioned = max(3.0 * size / product.usable_fraction, product.min_bytes or 0.0)
        return product.write_bytes_per_s_per_tib * provisioned / TIB
    raise InputError(f"the write rate of {product.name} is unknown", "give --write, or another product")


def _assumptions(request: CheckpointRequest) -> tuple[Assumption, ...]:
    used = (
        (given.FAILURES, request.mtbf_s is None and request.failures_per_1000_node_days is None),
        (given.RESTART, request.restart_s is None),
        (given.DEVICE_TO_HOST, request.asynchronous),
        (given.STORAGE_WRITE, request.storage is None and request.write_s is None),
    )
    return tuple(assumption for assumption, counts in used if counts)
