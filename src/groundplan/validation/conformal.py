"""Split-conformal intervals: factors on a prediction that hold four in five of the rows the fit has not seen.

A regime is a stack on an architecture, dense or with experts, on one node or many. One with too few rows takes those of
both scales, then those of its stack anywhere, then those of its architecture under any stack; what is left takes all
rows, with wider quantiles, and says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
    that exceeds n; below likewise. An interval always holds the prediction itself.

    >>> conformal_factors(np.array([0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6]), 0.8)
    (0.8, 1.6)
    """
    ordered, n = np.sort(ratios), len(ratios)
    rank = min(n, math.ceil((n + 1) * (1.0 + coverage) / 2.0))
    return min(float(ordered[n - rank]), 1.0), max(float(ordered[rank - 1]), 1.0)


def regime_intervals(cases: Sequence[Case], predicted: Array, kin: Mapping[str, str]) -> list[RegimeInterval]:
    """Return the interval of every regime with rows, at both scales, and that of regimes without rows.

    `kin` names for a stack the one whose constants it shares: without runs of its own it takes those intervals too.
    """
    ratios = np.asarray([case.measured for case in cases]) / predicted
    keys = [_regime(case) for case in cases]
    found: list[RegimeInterval] = []
    for stack, architecture, experts in sorted({key[:3] for key in keys}):
        for nodes in ("many", "one"):
            regime = (stack, architecture, experts, nodes)
            rows = _rows_of(regime, keys)
            if rows is not None:
                own = sum(key == regime for key in keys)
                found.append(RegimeInterval(*regime, *conformal_factors(ratios[rows], COVERAGE), own))
    measured = {key[0] for key in keys}
    for stack, like in kin.items():
        if stack not in measured:
            found += [replace(one, stack=stack) for one in found if one.stack == like]
    for experts in ("no", "yes"):
        some = np.asarray([key[2] == experts for key in keys])
        if some.any():
            low, high = conformal_factors(ratios[some], UNSEEN_COVERAGE)
            found.append(RegimeInterval("", "", experts, "", low, high, 0))
    return found


def unseen_factors(cases: Sequence[Case], predicted: Array, folds: Sequence[str]) -> tuple[Array, Array]:
    """Return the factors below and above each case that the cases outside its fold give [cases].

    What the intervals would have been for a source that nobody had measured yet: their coverage is not made by the
    rows they are scored on.
    """
    ratios = np.asarray([case.measured for case in cases]) / predicted
    keys, names = [_regime(case) for case in cases], np.asarray(folds)
    low, high = np.empty(len(cases)), np.empty(len(cases))
    for fold in dict.fromkeys(folds):
        outside = np.flatnonzero(names != fold)
        known = [keys[place] for place in outside]
        for regime in {keys[place] for place in np.flatnonzero(names == fold)}:
            rows = _rows_of(regime, known)
            if rows is None:
                factors = conformal_factors(ratios[outside], UNSEEN_COVERAGE)
            else:
                factors = conformal_factors(ratios[outside[rows]], COVERAGE)
            own = (names == fold) & np.asarray([key == regime for key in keys])
            low[own], high[own] = factors
    return low, high


Regime = tuple[str, str, str, str]


def _regime(case: Case) -> Regime:
    setting = case.setting
    experts = "yes" if case.sparse else "no"
    return setting.stack.id, setting.architecture.id, experts, scale_of(setting.cluster.nodes)


def _rows_of(regime: Regime, keys: Sequence[Regime]) -> NDArray[np.bool_] | None:
    """Return the rows that speak for a regime: its own, else the nearest kin's with rows enough; None without any."""
    stack, architecture, experts, _ = regime
    kin = (
        [key == regime for key in keys],
        [key[:3] == regime[:3] for key in keys],
        [key[0] == stack and key[2] == experts for key in keys],
        [key[1] == architecture and key[2] == experts for key in keys],
    )
    return next((np.asarray(rows) for rows in kin if sum(rows) >= FEWEST_ROWS), None)


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
