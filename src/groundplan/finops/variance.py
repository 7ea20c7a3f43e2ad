"""From the planned cost of a run to the billed one, cause by cause, in steps that sum.

With accelerator-hours H and their price R, planned (0) and billed (1), F hours lost to failures, I hours held idle, and
work W done (tokens or samples):

    work        R0 (W1 / W0 - 1) (H0 - F0)
    failures    R0 (F1 - F0)
    idle        R0 I1
    efficiency  R0 (H1 - H0 - work - failures - idle, in hours)
    price       (R1 - R0) H1
    other       what was planned beside accelerators, and is not billed to the run

which sum to R1 H1 - C0. A failed attempt loses, on average, half a checkpoint interval of all its accelerators.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundplan.errors import InputError
from groundplan.finops.allocation import Period, prepare
from groundplan.finops.lake.engine import query_text, rows
from groundplan.finops.lake.lake import Lake
from groundplan.finops.states import State

FAILED = ("FAILED", "NODE_FAIL", "TIMEOUT", "PREEMPTED", "OUT_OF_MEMORY", "BOOT_FAIL", "CANCELLED")
LOST_TERMS = ("restarts", "lost_work", "startup")  # of a plan's run
WORK_METRICS = ("tokens", "num_tokens", "consumed_tokens", "train/tokens", "samples", "consumed_samples")
NO_WORK = (State.NO_PROCESS, State.LOADED)


@dataclass(frozen=True, slots=True)
class Planned:
    """What a saved design says of its run."""

    cost: float
    accelerators: int
    hours: float  # of all accelerators together
    lost_hours: float  # of them, to failures and start
    usd_per_hour: float
    work: float | None
    mfu: float | None
    checkpoint_s: float | None


@dataclass(frozen=True, slots=True)
class Actual:
    """What the lake says of the attempts of a run."""

    jobs: tuple[str, ...]
    cost: float
    hours: float
    idle_hours: float
    measured: bool  # telemetry says what the accelerators did
    failed: tuple[tuple[float, float], ...]  # accelerators and seconds of each attempt that failed
    work: float | None


@dataclass(frozen=True, slots=True)
class Bridge:
    """The steps from planned to billed, in USD. `actual_mfu` is None where it is unknown, or no run could reach it."""

    planned: Planned
    actual: Actual
    steps: dict[str, float]
    actual_mfu: float | None


def planned_run(design: Mapping[str, Any]) -> Planned:
    """Return what a design of a saved plan says of its run.

    Raises
    ------
    InputError
        The design has no price, no cost or no run time.
    """
    try:
        price = float(design["price"]["usd_per_accelerator_hour"])
        cost, run_s = float(design["cost_usd"]["value"]), float(design["run_s"]["value"])
        count = int(design["accelerators"])
    except (KeyError, TypeError, ValueError):
        raise InputError(
            "the plan's design has no price, cost or run time", "plan a training run with prices"
        ) from None
    terms = design.get("run_terms") or {}
    lost = sum(float(terms.get(name) or 0.0) for name in LOST_TERMS)
    mfu, checkpoint = design.get("mfu"), design.get("checkpoint")
    return Planned(
        cost,
        count,
        count * run_s / 3600,
        count * lost / 3600,
        price,
        float(design["tokens"]) if design.get("tokens") else None,
        float(mfu["value"]) if isinstance(mfu, Mapping) else None,
        float(checkpoint["interval_s"]) if isinstance(checkpoint, Mapping) and checkpoint.get("interval_s") else None,
    )


def actual_run(lake: Lake, run: str, column: str, work: float | None, currency: str | None = None) -> Actual:
    """Return what the attempts of a run held, cost and lost; a run is a job id, a job name or an experiment.

    Raises
    ------
    InputError
        The lake knows no such run, or its nodes are in no bill.
    """
    lake.need("jobs", "the scheduler's accounting")
    connection, _ = prepare(lake, column, Period(), currency)
    connection.execute("SET VARIABLE run = ?", [run])
    attempts = rows(connection, query_text("attempts"))
    if not attempts:
        raise InputError(f"the lake knows no run {run!r}", "name a job id, a job name or an experiment of the lake")
    connection.execute(query_text("states"))
    found = rows(connection, query_text("run_states"))
    hours = sum(row["gpu_s"] for row in found) / 3600
    if not hours:
        raise InputError(f"the nodes of run {run!r} are in no bill", "import the bill and telemetry of its days")
    return Actual(
        tuple(row["job_id"] for row in attempts),
        sum(float(row["cost"]) for row in found),
        hours,
        sum(row["gpu_s"] for row in found if row["state"] in NO_WORK) / 3600,
        any(row["state"] != State.UNMEASURED for row in found),
        tuple((row["gpus"], row["elapsed_s"]) for row in attempts if row["state"] in FAILED),
        work if work is not None else _work(connection),
    )


def bridge(planned: Planned, actual: Actual) -> Bridge:
    """Return the steps from the planned to the billed cost; they sum to the difference exactly as floats do."""
    price, paid = planned.usd_per_hour, actual.cost / actual.hours
    interval = planned.checkpoint_s or 0.0
    lost = sum(gpus * min(interval / 2, seconds) for gpus, seconds in actual.failed) / 3600
    done = 1.0 if actual.work is None or planned.work is None else actual.work / planned.work
    work = (done - 1.0) * (planned.hours - planned.lost_hours)
    failures = lost - planned.lost_hours
    rest = actual.hours - planned.hours - work - failures - actual.idle_hours
    steps = {
        "work": price * work,
        "failures": price * failures,
        "idle": price * actual.idle_hours,
        "efficiency": price * rest,
        "price": (paid - price) * actual.hours,
        "other": price * planned.hours - planned.cost,
    }
    mfu = None if planned.mfu is None else planned.mfu * done * planned.hours / actual.hours
    return Bridge(planned, actual, steps, mfu if mfu is not None and mfu <= 1.0 else None)


def _work(connection: Any) -> float | None:
    """Return the largest count of tokens or samples that the tracked runs of the attempts logged."""
    import json

    most: float | None = None
    for row in rows(connection, query_text("run_metrics")):
        metrics = json.loads(row["metrics"] or "{}")
        for name in WORK_METRICS:
            values = [value for _, value in metrics.get(name, ())]
            most = max([*values, *([most] if most is not None else [])], default=None)
    return most
