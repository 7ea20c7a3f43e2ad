"""Task: did the plan hold, and what made the difference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundplan import __version__
from groundplan.evidence import Result
from groundplan.finops.lake.lake import Lake
from groundplan.finops.money import EFFECTIVE
from groundplan.finops.variance import actual_run, bridge, planned_run
from groundplan.tasks.saved import saved_design


@dataclass(frozen=True, slots=True)
class VarianceRequest:
    """A saved plan against a run of a lake; `work` is the tokens or samples really done, where no tracker says."""

    lake: str
    plan: Mapping[str, Any]
    run: str
    column: str = EFFECTIVE
    work: float | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class VarianceResult(Result):
    """The bridge: `planned_usd` plus all `usd` of `steps` is `billed_usd`."""

    schema: str
    tool_version: str
    run: str
    jobs: tuple[str, ...]
    planned_usd: float
    billed_usd: float
    steps: tuple[dict[str, Any], ...]
    planned: dict[str, float | None]
    actual: dict[str, float | None]
    notes: tuple[str, ...]


MEANING = {
    "work": "more or less was trained than planned",
    "failures": "attempts that failed lost work since their last checkpoint",
    "idle": "held without work: no process, or loaded and idle",
    "efficiency": "accelerators worked longer for the same: MFU below plan, input stalls, communication",
    "price": "an accelerator-hour cost something else",
    "other": "planned beside accelerators (storage), not billed to the run",
}


def variance(request: VarianceRequest) -> VarianceResult:
    """Return the steps from the planned to the billed cost of a run.

    Raises
    ------
    InputError
        No such run, nodes in no bill, or a plan without price.
    """
    planned = planned_run(saved_design(request.plan))
    actual = actual_run(Lake(request.lake), request.run, request.column, request.work, request.currency)
    found = bridge(planned, actual)
    notes = []
    if actual.work is None:
        notes.append("nothing says how much was trained: taken as planned; --work gives it")
    if planned.mfu is not None and found.actual_mfu is None:
        notes.append("so few accelerator-hours cannot have done this work: is it this plan's run?")
    if not actual.measured:
        notes.append("no telemetry of the run: idle hours are part of efficiency")
    if actual.failed and not planned.checkpoint_s:
        notes.append("the plan has no checkpoint interval: work lost to failures is part of efficiency")
    return VarianceResult(
        schema="groundplan/finops-variance/1",
        tool_version=__version__,
        run=request.run,
        jobs=actual.jobs,
        planned_usd=planned.cost,
        billed_usd=actual.cost,
        steps=tuple({"cause": name, "usd": usd, "meaning": MEANING[name]} for name, usd in found.steps.items()),
        planned={
            "gpu_hours": planned.hours,
            "usd_per_gpu_hour": planned.usd_per_hour,
            "work": planned.work,
            "mfu": planned.mfu,
        },
        actual={
            "gpu_hours": actual.hours,
            "usd_per_gpu_hour": actual.cost / actual.hours,
            "work": actual.work,
            "mfu": found.actual_mfu,
        },
        notes=tuple(notes),
    )
