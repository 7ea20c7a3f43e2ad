"""Task: the training calculator: how long, how much, what limits it, for a given number of one accelerator."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError
from groundplan.estimate.assumptions import listed
from groundplan.estimate.results import DesignResult
from groundplan.evidence import Assumption, Result, plain_json
from groundplan.plan.answer import ranked
from groundplan.plan.scoring import assess_shortfall
from groundplan.plan.search import Found, search
from groundplan.plan.warnings import warnings_of
from groundplan.tasks.plan import Workload, workload_of
from groundplan.workload.brief import read_brief
from groundplan.workload.job import Brief, Objective


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """One training job on one kind of accelerator; None = searched, or the brief's default.

    Quantities are numbers in base units or text with units, as in a brief.
    """

    model: str | Mapping[str, Any]
    accelerator: str
    accelerators: int
    tokens: float | str | None = None
    global_batch: int | str | None = None
    sequence: int | None = None
    optimizer: str | None = None
    precision: str | None = None
    method: str | None = None
    lora_rank: int | None = None
    stack: str | None = None
    tp: int | None = None
    pp: int | None = None
    vpp: int | None = None
    cp: int | None = None
    ep: int | None = None
    dp: int | None = None
    zero: int | None = None
    micro_batch: int | None = None
    recompute: str | None = None
    instance: str | None = None
    provider: str | None = None
    purchase: str | None = None
    price: float | str | None = None
    fabric: str | None = None
    as_of: str | None = None


@dataclass(frozen=True, slots=True)
class TrainResult(Result):
    """A design with what it rests on. `to_dict` is the design's keys with the others beside them."""

    schema: str
    tool_version: str
    catalog_version: str
    as_of: str
    workload: Workload
    design: DesignResult
    assumptions: tuple[Assumption, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the design's keys at the top level."""
        plain = dict(
            plain_json(
                {
                    name: getattr(self, name)
                    for name in ("schema", "tool_version", "catalog_version", "as_of", "workload")
                }
            )
        )
        plain.update(self.design.to_dict())
        plain.update(plain_json({"assumptions": self.assumptions, "warnings": self.warnings}))
        return plain


def train(request: TrainRequest, catalog: Catalog) -> TrainResult:
    """Return the cheapest host's fastest layout for the request; where none fits, the one that needs least memory.

    Raises
    ------
    InputError
        When no host offers that many of the accelerator, or a size is impossible.
    """
    brief = read_brief(
        _brief_of(request), catalog, as_of=datetime.date.fromisoformat(request.as_of) if request.as_of else None
    )
    found = search(brief, catalog, None)
    design = _best(found, brief, catalog, request)
    return TrainResult(
        "groundplan/train/1",
        __version__,
        catalog.version,
        brief.as_of,
        workload_of(brief),
        design,
        listed(brief, [design], catalog),
        warnings_of(brief, [design], catalog),
    )


def _best(found: Found, brief: Brief, catalog: Catalog, request: TrainRequest) -> DesignResult:
    if found.designs:
        objective = Objective.COST if any(d.cost_usd for d in found.designs) else Objective.TIME
        best = ranked(found.designs, objective)[0]
        return replace(best, reason=f"cheapest of {len(found.designs)} hosts and tariffs, fastest layout that fits")
    if found.shortfalls:
        least = min(found.shortfalls, key=lambda s: s.peak_bytes / s.capacity_bytes)
        return replace(
            assess_shortfall(least, brief, catalog), reason="does not fit: shown is the layout that needs least memory"
        )
    reasons = (
        "; ".join(f"{r.name}: {r.reason}" for r in found.rejected[:3]) or "no layout divides the batch and the devices"
    )
    raise InputError(
        f"{request.accelerators} x {request.accelerator} cannot train this: {reasons}",
        "change the number, the global batch, or the fixed sizes",
    )


def _brief_of(request: TrainRequest) -> dict[str, Any]:
    """Write the request as a brief, so that both are read and checked in one way."""
    if request.accelerators < 1:
        raise InputError(f"accelerators is {request.accelerators}", "give a whole number of at least 1")
    layout = {
        name: getattr(request, name)
        for name in ("tp", "pp", "vpp", "cp", "ep", "dp", "zero", "micro_batch", "recompute")
    }
    train: dict[str, Any] = {
        "model": request.model,
        "tokens": request.tokens,
        "global_batch": request.global_batch,
        "sequence_length": request.sequence,
        "optimizer": request.optimizer,
        "precision": request.precision,
        "method": request.method,
        "stack": request.stack,
        "lora": {"rank": request.lora_rank} if request.lora_rank is not None else None,
    }
    candidates: dict[str, Any] = {
        "accelerators": [request.accelerator],
        "counts": [request.accelerators],
        "instances": [request.instance] if request.instance else None,
        "providers": [request.provider] if request.provider else None,
        "purchase": [request.purchase] if request.purchase else None,
        "fabric": request.fabric,
    }
    return {
        "train": _stated(train),
        "candidates": _stated(candidates),
        "overrides": _stated({"layout": _stated(layout) or None, "price": request.price}),
    }


def _stated(section: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in section.items() if value is not None}
