"""Runs that had lost long before they ended: what stopping rules would have saved, by the metrics that runs logged.

Two rules are played over the runs of an experiment. The median rule stops a run that is worse than the median of all at
that step; successive halving keeps the best third at each rung, rungs three times as far apart each. Neither begins
before a grace, the shortest with which it stops none of the runs that ended among the best.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundplan.finops.recommend.rows import MOST, Judged, NotJudged, Recommendation

LEAST_RUNS = 5  # of an experiment
LEAST_POINTS = 5  # of a metric
BEST_SHARE = 0.25  # of the runs, that are never to be stopped
CHECKS = 10  # of the median rule, over the longest run
FACTOR = 3  # of successive halving
LOWER = {"loss", "error", "err", "perplexity", "ppl", "wer", "cer", "mae", "mse", "rmse", "nll", "fid", "bpb"}
HIGHER = {"acc", "accuracy", "auc", "f1", "bleu", "rouge", "map", "reward", "score", "precision", "recall", "iou",
          "dice", "r2"}  # fmt: skip
HELD_OUT = {"val", "valid", "validation", "eval", "dev", "test"}
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Course:
    """What a run had reached at each step it logged: the best so far, where less is better."""

    run: str
    job: str
    cost: float
    steps: Floats
    best: Floats

    def at(self, step: float) -> float | None:
        """Return the best that was logged up to a step; None before the first and where the run ended earlier."""
        if self.steps[-1] < step or self.steps[0] > step:
            return None
        return float(self.best[np.searchsorted(self.steps, step, side="right") - 1])

    def after(self, step: float) -> float:
        """Return the cost of what came after a step; steps are taken to last equally long, from step 0 on."""
        last = float(self.steps[-1])
        return self.cost * max(last - step, 0.0) / last if last > 0.0 else 0.0


Stops = dict[str, float]  # run -> step
Rule = Callable[[Sequence[Course], float, float], Stops]


def course_of(run: str, job: str, cost: float, points: Sequence[Sequence[float | None]], lower: bool) -> Course:
    """Return the course of a run; a value that is no number is worse than any."""
    kept = sorted((float(step or 0), value) for step, value in points)
    values = np.array([math.inf if value is None else value if lower else -value for _, value in kept])
    return Course(run, job, cost, np.array([step for step, _ in kept]), np.minimum.accumulate(values))


def median_rule(courses: Sequence[Course], grace: float, longest: float) -> Stops:
    """Return where runs are stopped that are worse than the median of all that got so far."""
    stops: Stops = {}
    for check in range(1, CHECKS + 1):
        step = longest * check / CHECKS
        if step < grace:
            continue
        reached = {one.run: value for one in courses if (value := one.at(step)) is not None}
        middle = float(np.median(list(reached.values()))) if reached else math.inf
        for run, value in reached.items():
            if value > middle:
                stops.setdefault(run, step)
    return stops


def halving_rule(courses: Sequence[Course], grace: float, longest: float) -> Stops:
    """Return where runs are stopped that are not among the best third of those that got so far, rung by rung."""
    stops: Stops = {}
    step = grace
    while 0.0 < step <= longest:
        reached = {one.run: value for one in courses if one.run not in stops and (value := one.at(step)) is not None}
        if reached:
            last_kept = sorted(reached.values())[math.ceil(len(reached) / FACTOR) - 1]
            stops |= {run: step for run, value in reached.items() if value > last_kept}
        step *= FACTOR
    return stops


def best_runs(courses: Sequence[Course]) -> set[str]:
    """Return the runs that ended among the best; of equal ones all."""
    ends = sorted(float(one.best[-1]) for one in courses)
    last = ends[math.ceil(len(ends) * BEST_SHARE) - 1]
    return {one.run for one in courses if one.best[-1] <= last}


def calibrated(courses: Sequence[Course], rule: Rule) -> tuple[float, Stops]:
    """Return the shortest grace with which a rule stops none of the best runs, and where it stops the others."""
    longest = max(float(one.steps[-1]) for one in courses)
    best = best_runs(courses)
    for check in range(1, CHECKS + 1):
        grace = longest * check / CHECKS
        stops = rule(courses, grace, longest)
        if not best & stops.keys():
            return grace, stops
    return longest, {}


def hopeless(runs: Sequence[Mapping[str, Any]], per_month: float) -> Judged:
    """Return experiments whose runs could have been stopped early; low and high are the two rules."""
    experiments: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        if run["status"] != "RUNNING":
            experiments.setdefault(run["experiment"] or "", []).append(run)
    judged = [(name, found) for name, same in experiments.items() if (found := followed(same)) is not None]
    if not judged:
        needs = (
            f"metric histories of {LEAST_RUNS} or more runs of an experiment, and the jobs they ran in: import the "
            "store (mlruns), listings hold last values only"
        )
        return [], [NotJudged("early-stop", needs)]
    made = [row for name, (metric, lower, courses) in judged if (row := _row(name, metric, lower, courses, per_month))]
    return sorted(made, key=lambda row: -row.high_usd)[:MOST], []


def followed(runs: Sequence[Mapping[str, Any]]) -> tuple[str, bool, list[Course]] | None:
    """Return the metric that most runs followed, whether less of it is better, and their courses."""
    logged = [json.loads(run["metrics"] or "{}") for run in runs]
    names: dict[str, int] = {}
    for metrics in logged:
        for name, points in metrics.items():
            names[name] = names.get(name, 0) + (len(points) >= LEAST_POINTS)
    able = [(name, count) for name, count in names.items() if count >= LEAST_RUNS and _goal(name) is not None]
    if not able:
        return None
    metric = min(able, key=lambda one: (not _words(one[0]) & HELD_OUT, -one[1], one[0]))[0]
    lower = bool(_goal(metric))
    return metric, lower, [
        course_of(run["run_id"], run["job_id"], run["cost"], metrics[metric], lower)
        for run, metrics in zip(runs, logged, strict=True)
        if metrics.get(metric)
    ]  # fmt: skip


def _row(
    experiment: str, metric: str, lower: bool, courses: Sequence[Course], per_month: float
) -> Recommendation | None:
    (grace, stopped), (rung, halved) = (calibrated(courses, rule) for rule in (median_rule, halving_rule))
    saved = [
        sum(one.after(stops[one.run]) for one in courses if one.run in stops) * per_month for stops in (stopped, halved)
    ]
    if max(saved) <= 0.0:
        return None
    cost, best = sum(one.cost for one in courses), len(best_runs(courses))
    return Recommendation(
        "early-stop",
        f"experiment {experiment}: stop runs that have lost, by {metric}",
        min(saved),
        max(saved),
        f"of {len(courses)} runs for ${cost:,.0f} the median rule would have stopped {len(stopped)}, successive "
        f"halving {len(halved)}, and neither one of the best {best}",
        "grace is fitted to these runs; a run that starts slowly and ends well is lost",
        f"optuna: MedianPruner(n_startup_trials={LEAST_RUNS}, n_warmup_steps={math.ceil(grace)}); ray: "
        f"ASHAScheduler(metric={metric!r}, mode='{'min' if lower else 'max'}', grace_period={math.ceil(rung)}, "
        f"reduction_factor={FACTOR})",
        frozenset(f"job:{one.job}" for one in courses if one.run in stopped or one.run in halved),
    )


def _words(name: str) -> set[str]:
    return {word for word in re.split(r"[^a-z0-9]+", name.lower()) if word}


def _goal(name: str) -> bool | None:
    """Say whether less of a metric is better; None where its name does not tell."""
    words = _words(name)
    return True if words & LOWER else False if words & HIGHER else None
