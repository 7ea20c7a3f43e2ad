"""Split-conformal intervals: factors on a prediction that hold four in five of the rows the fit has not seen.

A regime is a stack on an architecture, dense or with experts, on one node or many. One with too few rows takes those of
both scales, then those of its stack anywhere, then those of its architecture under any stack; what is left takes the
quantiles of all sets, each counted as one, for nine in ten.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groundplan.estimate.intervals import devices_of, scale_of
from groundplan.evidence import Result
from groundplan.validation.predict import Array
from groundplan.validation.reading import Case
from groundplan.workload.job import Method

COVERAGE = 0.8
FEWEST_ROWS = 9
"""Rows from which the quantiles of a regime stand on their own: from nine on, rank (n + 1) 0.9 is one of the rows."""
FEWEST_MEMORY_ROWS = 6
"""The same for peak memory of a method under any stack, which few sources publish."""
UNSEEN_COVERAGE = 0.9
"""Coverage among all rows that is asked of regimes without rows of their own."""
ROOM_PART = 0.25
"""Part of an interval's spread that lies on either side of the prediction: rows that all erred to one side are a bias
of this sample, no proof that the next cannot err to the other."""
LEAST_ROOM, MOST_ROOM = 0.005, 0.05
"""Bounds of that room, as a share of the prediction: runs repeated differ by the one, and beyond the other the
quantiles know better."""


@dataclass(frozen=True, slots=True)
class RegimeInterval(Result):
    """Factors on the predicted time of a regime; '' stands for any. `rows` were behind them, 0 = none of its own."""

    stack: str
    architecture: str
    experts: str  # yes | no
    nodes: str  # one | many
    low: float
    high: float
    rows: int


def conformal_factors(ratios: Array, coverage: float) -> tuple[float, float]:
    """Return the factors between which `coverage` of measured over predicted values lie, for a row not seen.

    Notes
    -----
    With n ratios in order, the factor above is the one of rank ``ceil((n + 1)(1 + coverage) / 2)``, the largest where
    that exceeds n; below likewise. An interval holds the prediction itself with room on both sides (`with_room`).

    >>> conformal_factors(np.array([0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6]), 0.8)
    (0.8, 1.6)
    """
    ordered, n = np.sort(ratios), len(ratios)
    rank = min(n, math.ceil((n + 1) * (1.0 + coverage) / 2.0))
    return with_room(float(ordered[n - rank]), float(ordered[rank - 1]))


def with_room(low: float, high: float) -> tuple[float, float]:
    """Return factors that hold the prediction with room on both sides; wider or as they are.

    Notes
    -----
    With ``s = ln(max(high, 1) / min(low, 1))``, either side is at least ``ROOM_PART s`` from the prediction, in
    logarithms, but no less than `LEAST_ROOM` and no more than `MOST_ROOM` of it.

    >>> [tuple(round(end, 3) for end in with_room(*ends)) for ends in ((0.8, 1.6), (0.87, 0.99), (1.0, 1.0))]
    [(0.8, 1.6), (0.87, 1.035), (0.995, 1.005)]
    """
    low, high = min(low, 1.0), max(high, 1.0)
    room = min(max(ROOM_PART * math.log(high / low), math.log1p(LEAST_ROOM)), math.log1p(MOST_ROOM))
    return min(low, math.exp(-room)), max(high, math.exp(room))


Regime = tuple[str, str, str, str]


def regime_intervals(cases: Sequence[Case], predicted: Array, kin: Mapping[str, str]) -> list[RegimeInterval]:
    """Return the interval of every regime of the stacks and architectures measured, and what others take.

    `kin` names for a stack the one whose constants it shares: without runs of its own it takes that one's intervals.
    """
    residuals = _Residuals.of(cases, predicted)
    stacks = sorted({key[0] for key in residuals.keys})
    spoken = {**{stack: stack for stack in stacks}, **{one: like for one, like in kin.items() if one not in stacks}}
    found: list[RegimeInterval] = []
    for stack, like in spoken.items():
        for architecture in sorted({key[1] for key in residuals.keys}):
            for experts in ("no", "yes"):
                for nodes in ("many", "one"):
                    factors = residuals.factors((like, architecture, experts, nodes))
                    own = residuals.count((stack, architecture, experts, nodes))
                    found.append(RegimeInterval(stack, architecture, experts, nodes, *factors, own))
    for experts in ("no", "yes"):
        found.append(RegimeInterval("", "", experts, "", *residuals.anything(experts), 0))
    return found


def unseen_factors(cases: Sequence[Case], predicted: Array, folds: Sequence[str]) -> tuple[Array, Array]:
    """Return the factors below and above each case that the cases outside its fold give [cases].

    What the intervals would have been for a source that nobody had measured yet: their coverage is not made by the
    rows they are scored on.
    """
    residuals, names = _Residuals.of(cases, predicted), np.asarray(folds)
    low, high = np.empty(len(cases)), np.empty(len(cases))
    for fold in dict.fromkeys(folds):
        inside = names == fold
        known = residuals.without(inside)
        for regime in {residuals.keys[place] for place in np.flatnonzero(inside)}:
            own = inside & np.asarray([key == regime for key in residuals.keys])
            low[own], high[own] = known.factors(regime)
    return low, high


@dataclass(frozen=True, slots=True)
class _Residuals:
    """Measured over predicted times, with the regime and the set of each."""

    ratios: Array
    keys: tuple[Regime, ...]
    sets: tuple[str, ...]  # source and regime: what counts as one where all regimes are taken together

    @classmethod
    def of(cls, cases: Sequence[Case], predicted: Array) -> _Residuals:
        """Take the residuals of cases."""
        ratios = np.asarray([case.measured for case in cases]) / predicted
        keys = tuple(_regime(case) for case in cases)
        sets = tuple("|".join((case.run.text("source"), *key)) for case, key in zip(cases, keys, strict=True))
        return cls(ratios, keys, sets)

    def without(self, left_out: NDArray[np.bool_]) -> _Residuals:
        """Return the residuals of the other cases."""
        kept = np.flatnonzero(~left_out)
        return _Residuals(
            self.ratios[kept], tuple(self.keys[place] for place in kept), tuple(self.sets[place] for place in kept)
        )

    def count(self, regime: Regime) -> int:
        """Return the runs of a regime."""
        return sum(key == regime for key in self.keys)

    def factors(self, regime: Regime) -> tuple[float, float]:
        """Return the factors of a regime: from its own runs, else from the nearest kin's with runs enough.

        Kin are the regime at the other scale, the stack anywhere, the architecture under any stack, then all. Runs of
        its own that are too few to stand alone widen what their kin give: an interval holds them.
        """
        stack, architecture, experts, _ = regime
        own = np.asarray([key == regime for key in self.keys], dtype=bool)
        kin = (
            own,
            np.asarray([key[:3] == regime[:3] for key in self.keys], dtype=bool),
            np.asarray([key[0] == stack and key[2] == experts for key in self.keys], dtype=bool),
            np.asarray([key[1] == architecture and key[2] == experts for key in self.keys], dtype=bool),
        )
        rows = next((some for some in kin if some.sum() >= FEWEST_ROWS), None)
        low, high = self.anything(experts) if rows is None else conformal_factors(self.ratios[rows], COVERAGE)
        if rows is own or not own.any():
            return low, high
        return min(low, float(self.ratios[own].min())), max(high, float(self.ratios[own].max()))

    def anything(self, experts: str) -> tuple[float, float]:
        """Return the factors for what nobody measured: quantiles in which every set of runs counts as one."""
        rows = np.flatnonzero([key[2] == experts for key in self.keys])
        if not rows.size:
            rows = np.arange(len(self.keys))
        sizes = Counter(self.sets[place] for place in rows)
        weights = np.asarray([1.0 / sizes[self.sets[place]] for place in rows])
        order = np.argsort(self.ratios[rows])
        levels = (np.cumsum(weights[order]) - 0.5 * weights[order]) / weights.sum()
        tail = 0.5 * (1.0 - UNSEEN_COVERAGE)
        low, high = np.interp((tail, 1.0 - tail), levels, self.ratios[rows][order])
        return with_room(float(low), float(high))


def _regime(case: Case) -> Regime:
    setting = case.setting
    experts = "yes" if case.sparse else "no"
    return setting.stack.id, setting.architecture.id, experts, scale_of(setting.cluster.nodes)


@dataclass(frozen=True, slots=True)
class MemoryInterval(Result):
    """Factors on the predicted peak memory of a stack and method on one device or many; '' stands for any."""

    stack: str
    method: str
    devices: str  # one | many
    low: float
    high: float
    rows: int


def memory_intervals(cases: Sequence[Case], predicted: Array) -> list[MemoryInterval]:
    """Return the interval of every regime with rows enough, and of every method under any stack.

    No constant of the memory laws is fitted, so that every row is one the laws have not seen. Full fine-tuning without
    runs of its own takes those of pre-training.
    """
    ratios = np.asarray([case.measured for case in cases]) / predicted
    keys = [(case.setting.stack.id, case.job.method.value, devices_of(case.setting)) for case in cases]
    found: list[MemoryInterval] = []
    for regime in sorted({*keys, *(("", *key[1:]) for key in keys)}):
        own = np.asarray([key[1:] == regime[1:] and regime[0] in ("", key[0]) for key in keys])
        if own.sum() >= FEWEST_ROWS or (regime[0] == "" and own.sum() >= FEWEST_MEMORY_ROWS):
            found.append(MemoryInterval(*regime, *conformal_factors(ratios[own], COVERAGE), int(own.sum())))
    methods = {key[1] for key in keys}
    for method in Method:
        like = method.value if method.value in methods else Method.PRETRAIN.value
        own = np.asarray([key[1] == like for key in keys])
        low, high = conformal_factors(ratios[own], UNSEEN_COVERAGE)
        found.append(MemoryInterval("", method.value, "", low, high, int(own.sum()) if like == method.value else 0))
    return found
