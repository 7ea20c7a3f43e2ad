"""Waste of single jobs: accelerators held idle, too many or too large for the work, on demand where spot would do."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from shlex import quote
from typing import Any

from groundplan.finops.recommend.rows import MOST, NotJudged, Recommendation

GRACE_HOURS = 1.0  # idle accelerator-hours a job may have: start, loading, the end (assumed)
IDLE_SHARE = 0.3
LOW_SHARE = 0.5
LEAST_SHARE = 1e-3  # of all that jobs cost; less is not worth a line
TARGET = 0.7  # share of time with kernels that fewer accelerators should show (assumed)
SLICES = 7
SLICE_BYTES = 5e9  # of the smallest MIG slice of a 40 GB accelerator
RESTART_S = 600.0  # to get a machine again and load (assumed)
MONTH_HOURS = 730.0

Jobs = Sequence[dict[str, Any]]


def idle(jobs: Jobs, per_month: float) -> list[Recommendation]:
    """Return jobs that held accelerators for hours without work; low: what is left after an hour's grace each."""
    whole = sum(job["cost"] for job in jobs)
    found = []
    for job in jobs:
        wasted, hours = job["idle_cost"] or 0.0, job["idle_hours"] or 0.0
        if wasted < IDLE_SHARE * job["cost"] or wasted < LEAST_SHARE * whole or hours <= GRACE_HOURS * job["gpus"]:
            continue
        beyond = wasted * (1.0 - GRACE_HOURS * job["gpus"] / hours)
        running = job["outcome"] == "RUNNING"
        found.append(
            Recommendation(
                "idle",
                f"job {job['job_id']} ({_whose(job)}): {job['gpus']:g} accelerators idle, {hours:,.0f} hours of one",
                beyond * per_month,
                wasted * per_month,
                f"{wasted / job['cost']:.0%} of its ${job['cost']:,.0f}: no process, or loaded without kernels",
                "a person may be about to come back to it"
                if running
                else "none: it has ended; stop the next one in time",
                f"scancel {quote(job['job_id'])}"
                if running
                else f"sacctmgr modify user {quote(str(job['user']))} set GrpTRESRunMins=gres/gpu=MINUTES",
                frozenset([f"job:{job['job_id']}"]),
            )
        )
    return found[:MOST]


def idle_limit(jobs: Jobs, per_month: float) -> list[Recommendation]:
    """Return what an idle limit for all jobs would save: high, all idle hours; low, those beyond an hour of each."""
    many = [job for job in jobs if (job["idle_hours"] or 0.0) > GRACE_HOURS * job["gpus"]]
    wasted = sum(job["idle_cost"] for job in many)
    beyond = sum(job["idle_cost"] * (1.0 - GRACE_HOURS * job["gpus"] / job["idle_hours"]) for job in many)
    if wasted < LEAST_SHARE * sum(job["cost"] for job in jobs) or len(many) < 2:
        return []
    return [
        Recommendation(
            "idle",
            f"end jobs whose accelerators have idled for {GRACE_HOURS:g} hour: {len(many):,} jobs had such",
            beyond * per_month,
            wasted * per_month,
            f"{sum(job['idle_hours'] for job in many):,.0f} accelerator-hours without work, ${wasted:,.0f} in the bill",
            "a job that waits for data or a person loses what it had not saved: warn first",
            "every 10 minutes: import the newest samples, groundplan finops recommend --format csv, scancel",
            frozenset(f"job:{job['job_id']}" for job in many),
        )
    ]


def oversized(jobs: Jobs, per_month: float) -> list[Recommendation]:
    """Return jobs whose accelerators were mostly low: a slice would do, or fewer of them."""
    whole = sum(job["cost"] for job in jobs)
    found = []
    for job in jobs:
        low = job["low_cost"] or 0.0
        if job["engine"] is None or job["slice"] or low < LOW_SHARE * job["cost"] or job["cost"] < LEAST_SHARE * whole:
            continue
        fits = job["gpus"] == 1 and (job["memory_bytes"] or math.inf) <= SLICE_BYTES
        needed = 1 / SLICES if fits else max(1, math.ceil(job["gpus"] * job["engine"] / TARGET))
        saved = job["cost"] * (1.0 - needed / job["gpus"])
        if saved <= 0.0:
            continue
        to = "a 1g MIG slice" if fits else f"{needed:g} accelerators"
        asks = "gpu:1g.5gb:1" if fits else f"gpu:{needed:g}"
        found.append(
            Recommendation(
                "right-size",
                f"job {job['job_id']} ({_whose(job)}): {to} in place of {job['gpus']:g}",
                low * (1.0 - needed / job["gpus"]) * per_month,
                saved * per_month,
                f"kernels ran {job['engine']:.0%} of the time; {low / job['cost']:.0%} of its cost in the state low",
                "it may take longer where its work comes in bursts",
                f"sbatch --gres={asks} ...",
                frozenset([f"job:{job['job_id']}"]),
            )
        )
    return found[:MOST]


def spot(jobs: Jobs, prices: Jobs, per_month: float) -> tuple[list[Recommendation], list[NotJudged]]:
    """Return what jobs that save checkpoints would save on spot machines: interrupted, set back, begun again.

    A job says how often it saves by the label `checkpoint_s`. Without checkpoints spot is never recommended. Counted is
    what jobs cost on machines paid on demand.
    """
    known = [price for price in prices if price["interruptions"] is not None]
    if not known:
        needs = (
            "spot prices and interruption bands of machines paid on demand: import a price list and the spot advisor"
        )
        return [], [NotJudged("spot", needs)]
    able = [(job, saves) for job in jobs if job["on_demand_cost"] and (saves := _checkpoint_s(job)) is not None]
    if not able:
        return [], [NotJudged("spot", "jobs on demand that say how often they save: label checkpoint_s=SECONDS")]
    dearest = max(price["share"] for price in known)
    worst = max(price["interruptions"] for price in known)
    per_hour = -math.log(max(1.0 - worst, 1e-6)) / MONTH_HOURS  # of one machine
    cost = sum(job["on_demand_cost"] for job, _ in able)
    kept = sum(
        job["on_demand_cost"]
        * (1.0 - dearest * (1.0 + per_hour * max(job["gpus"] / 8, 1) * (saves / 2 + RESTART_S) / 3600))
        for job, saves in able
    )
    if kept <= 0.0:
        return [], []
    return [
        Recommendation(
            "spot",
            f"{len(able)} jobs that save checkpoints, on spot machines",
            0.5 * kept * per_month,
            kept * per_month,
            f"they cost ${cost:,.0f}; spot is {dearest:.0%} of on demand, {worst:.0%} are taken back in a month",
            "spot may not be there when it is wanted; half the saving is the low end",
            "sbatch --partition=spot --requeue ...",
            frozenset(f"job:{job['job_id']}" for job, _ in able),
        )
    ], []


def _checkpoint_s(job: dict[str, Any]) -> float | None:
    labels = json.loads(job["labels"] or "{}")
    try:
        seconds = float(labels["checkpoint_s"])
    except (KeyError, TypeError, ValueError):
        return None
    return seconds if 0.0 < seconds < math.inf else None


def _whose(job: dict[str, Any]) -> str:
    return " ".join(str(part) for part in (job["account"], job["user"], job["name"]) if part)
