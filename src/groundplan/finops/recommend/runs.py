"""Waste of experiments: configurations that ran again, and runs that could have been stopped early."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from groundplan.finops.recommend.rows import NotJudged, Recommendation

MOST = 10  # of a kind that are listed one by one
LEAST_PEERS = 4  # runs of an experiment, before a median says anything
GRACE = 0.25  # share of the longest run in which nothing is stopped
RUNGS = (0.125, 0.25, 0.5)  # of successive halving: at each, the better half goes on
FALLING = ("loss", "error", "perplexity", "ppl", "wer", "cer", "mse", "mae", "rmse", "nll", "regret")

Rows = Sequence[Mapping[str, Any]]
Course = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Run:
    """A run's course of one metric, made so that lower is better, and what it cost. [USD]"""

    run_id: str
    cost: float
    course: Course

    @property
    def last_step(self) -> float:
        """The step of the last point."""
        return self.course[-1][0]

    def best_by(self, step: float) -> float:
        """Return the best value up to a step; infinity before the first."""
        return min((value for at, value in self.course if at <= step), default=math.inf)


def repeated(runs: Rows, per_month: float) -> list[Recommendation]:
    """Return experiments that ran again with the very same parameters."""
    return [
        Recommendation(
            "duplicate",
            f"experiment {run['experiment']}: {run['repeats']} more runs of a configuration that had finished",
            0.0,
            run["cost"] * per_month,
            f"configuration {run['configuration'][:12]} finished before; repeats cost ${run['cost']:,.0f}",
            "repeats may be meant: seeds that are no parameter, checks",
            f"mlflow runs list --experiment-name {run['experiment']}",
        )
        for run in runs[:MOST]
    ]


def early_stop(rows: Rows, per_month: float) -> tuple[list[Recommendation], list[NotJudged]]:
    """Return experiments whose hopeless runs a rule would have stopped without stopping the best.

    The median rule stops a run whose best so far is worse than the median of its peers at the same step; successive
    halving lets the better half go on at each of three rungs. Low and high are the lesser and the greater of the two.
    """
    experiments = _experiments(rows)
    if not experiments:
        needs = f"courses of metrics of experiments with {LEAST_PEERS} runs or more, with the jobs they ran in"
        return [], [NotJudged("early-stop", needs)]
    found = []
    for (experiment, metric), runs in experiments.items():
        best = min(runs, key=lambda run: run.best_by(math.inf))
        stops = [rule for rule in (median_stops(runs), halving_stops(runs)) if best.run_id not in rule]
        saved = sorted(saving(runs, rule) for rule in stops)
        if not saved or saved[-1] <= 0.0:
            continue
        number = max(len(rule) for rule in stops)
        found.append(
            Recommendation(
                "early-stop",
                f"experiment {experiment}: stop up to {number} of {len(runs)} runs early, by {metric}",
                saved[0] * per_month,
                saved[-1] * per_month,
                f"the median rule or successive halving would have stopped them and kept the best, {best.run_id[:12]}",
                "a run that starts slowly may be the better in the end; nothing is stopped in its first eighth",
                "optuna: study with MedianPruner(n_warmup_steps=...) or SuccessiveHalvingPruner()",
            )
        )
    return sorted(found, key=lambda one: -one.high_usd)[:MOST], []


def median_stops(runs: Sequence[Run]) -> dict[str, float]:
    """Return run -> the step at which the median rule stops it."""
    grace = GRACE * max(run.last_step for run in runs)
    stopped = {}
    for run in runs:
        for step, _ in run.course:
            peers = [peer.best_by(step) for peer in runs if peer is not run and peer.last_step >= step]
            if step >= grace and len(peers) >= LEAST_PEERS - 1 and run.best_by(step) > median(peers):
                stopped[run.run_id] = step
                break
    return stopped


def halving_stops(runs: Sequence[Run]) -> dict[str, float]:
    """Return run -> the step at which successive halving stops it."""
    longest = max(run.last_step for run in runs)
    going, stopped = list(runs), {}
    for rung in RUNGS:
        step = rung * longest
        there = sorted((run for run in going if run.last_step > step), key=lambda run: run.best_by(step))
        kept = there[: max(1, math.ceil(len(there) / 2))]
        for run in there[len(kept) :]:
            stopped[run.run_id] = step
        going = kept
    return stopped


def saving(runs: Sequence[Run], stops: Mapping[str, float]) -> float:
    """Return what the runs cost after the steps at which they are stopped, at an even cost a step. [USD]"""
    return sum(
        run.cost * (1.0 - stops[run.run_id] / run.last_step)
        for run in runs
        if run.run_id in stops and run.last_step > stops[run.run_id]
    )


def _experiments(rows: Rows) -> dict[tuple[str, str], list[Run]]:
    """Return (experiment, metric) -> runs, by the metric that most runs of it logged."""
    grouped: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        grouped[row["experiment"]].append(row)
    found = {}
    for experiment, members in grouped.items():
        courses = [json.loads(row["metrics"] or "{}") for row in members]
        logged = Counter(name for course in courses for name, points in course.items() if len(points) > 1)
        if not logged:
            continue
        metric = max(logged, key=lambda name: (logged[name], name.lower().startswith(("val", "eval")), name))
        sign = 1.0 if any(word in metric.lower() for word in FALLING) else -1.0
        runs = [
            Run(str(row["run_id"]), float(row["cost"] or 0.0), points)
            for row, course in zip(members, courses, strict=True)
            if len(points := _points(course.get(metric, []), sign)) > 1
        ]
        if len(runs) >= LEAST_PEERS:
            found[experiment, metric] = runs
    return found


def _points(points: Sequence[Sequence[Any]], sign: float) -> Course:
    """Return the points of a course by step, those that are numbers, so that lower is better."""
    finite = [
        (float(step), sign * float(value))
        for step, value in points
        if value is not None and step is not None and math.isfinite(float(value)) and float(step) >= 0
    ]
    return sorted(finite)
