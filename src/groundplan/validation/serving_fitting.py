"""Fit the constants of serving engines to measured runs, all and with each source left out."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Architecture, Engine
from groundplan.errors import MissingExtra
from groundplan.validation.predict import Array
from groundplan.validation.serving_predict import Changed, predict_serving
from groundplan.validation.serving_reading import QUANTITIES, ServingCase

TABLE = Path(__file__).with_name("serving_constants.csv")
SOFT_ERROR = 0.25
"""Error [natural logarithm] from which a figure counts by its size and no longer by its square."""
FULL_WEIGHT_ROWS = 40.0
"""Runs of one model in one source that count in full; more of them share what these would."""
STEP = 0.04
"""Change of a constant's logarithm by which slopes are taken."""
MOST_EVALUATIONS = 8


@dataclass(frozen=True, slots=True)
class ServingConstant:
    """One fitted attribute of an engine or an architecture, and what is expected of it; `spread` of its logarithm."""

    table: str
    row: str
    attribute: str
    prior: float
    spread: float
    low: float
    high: float
    reason: str

    def touches(self, case: ServingCase) -> bool:
        """Whether a case depends on it."""
        own = case.engine.id if self.table == "engines" else case.cluster.accelerator.architecture
        return own == self.row


@cache
def serving_constants() -> tuple[ServingConstant, ...]:
    """Return the constants of `serving_constants.csv`, in its order."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(
            ServingConstant(
                line["table"],
                line["row"],
                line["attribute"],
                float(line["prior"]),
                float(line["spread"]),
                float(line["low"]),
                float(line["high"]),
                line["reason"],
            )
            for line in csv.DictReader(file)
        )


def changed_by(values: Array) -> Changed:
    """Return what puts values of the constants, in their order, into an engine and an architecture."""
    by_row: dict[tuple[str, str], dict[str, Any]] = {}
    for one, value in zip(serving_constants(), values, strict=True):
        by_row.setdefault((one.table, one.row), {})[one.attribute] = float(value)

    def changed(engine: Engine, architecture: Architecture) -> tuple[Engine, Architecture]:
        return (
            replace(engine, **by_row.get(("engines", engine.id), {})),
            replace(architecture, **by_row.get(("architectures", architecture.id), {})),
        )

    return changed


def fit_serving(cases: Sequence[ServingCase], catalog: Catalog) -> Array:
    """Return the constants that meet the cases best, starting from and held to what is expected.

    Raises
    ------
    MissingExtra
        Without scipy.
    """
    return _Fit(cases, catalog).solve()


def out_of_fold_serving(cases: Sequence[ServingCase], catalog: Catalog) -> tuple[Array, tuple[str, ...]]:
    """Return predictions of cases by constants that have not seen their source [cases, quantities], and the sources."""
    sources = tuple(dict.fromkeys(case.run.text("source") for case in cases))
    found = np.full((len(cases), len(QUANTITIES)), np.nan)
    for source in sources:
        own = np.asarray([case.run.text("source") == source for case in cases])
        values = fit_serving([case for case, inside in zip(cases, own, strict=True) if not inside], catalog)
        left = [case for case, inside in zip(cases, own, strict=True) if inside]
        found[own] = predict_serving(left, catalog, changed_by(values))
    return found, sources


def measured_serving(cases: Sequence[ServingCase]) -> Array:
    """Return what was measured [cases, quantities]; NaN where nothing was."""
    return np.asarray([[case.measured.get(name, np.nan) for name in QUANTITIES] for case in cases], dtype=float)


def damped(errors: Array) -> Array:
    """Return errors of logarithms of which large ones count by their size and no longer by their square."""
    result: Array = np.sign(errors) * SOFT_ERROR * np.sqrt(2.0 * (np.sqrt(1.0 + (errors / SOFT_ERROR) ** 2) - 1.0))
    return result


class _Fit:
    """Logarithms of the constants over their priors, in units of their spreads, against logarithms of the errors."""

    def __init__(self, cases: Sequence[ServingCase], catalog: Catalog) -> None:
        self._cases, self._catalog = list(cases), catalog
        self._measured = measured_serving(cases)
        self._constants = serving_constants()
        self._prior = np.asarray([one.prior for one in self._constants])
        self._spread = np.asarray([one.spread for one in self._constants])
        self._touched = [np.flatnonzero([one.touches(case) for case in self._cases]) for one in self._constants]
        groups = [(case.run.text("source"), case.model.id) for case in self._cases]
        sizes = {group: groups.count(group) for group in set(groups)}
        self._weight = np.asarray([min(1.0, (FULL_WEIGHT_ROWS / sizes[group]) ** 0.5) for group in groups])

    def solve(self) -> Array:
        low = np.log([one.low for one in self._constants] / self._prior) / self._spread
        high = np.log([one.high for one in self._constants] / self._prior) / self._spread
        solved = _solver()(
            self._residuals,
            np.zeros(len(self._prior)),
            jac=self._slopes,
            bounds=(low, high),
            max_nfev=MOST_EVALUATIONS,
        )
        return self._values(solved.x)

    def _values(self, point: Array) -> Array:
        values: Array = self._prior * np.exp(point * self._spread)
        return values

    def _errors(self, point: Array, rows: NDArray[np.integer]) -> Array:
        """Damped logarithmic errors of some cases, weighted [cases, quantities]; 0 where nothing can be compared."""
        cases = [self._cases[row] for row in rows]
        predicted = predict_serving(cases, self._catalog, changed_by(self._values(point)))
        errors = np.log(predicted / self._measured[rows])
        errors = np.where(np.isfinite(errors), errors, 0.0)
        result: Array = damped(errors) * self._weight[rows][:, None]
        return result

    def _residuals(self, point: Array) -> Array:
        return np.concatenate([self._errors(point, np.arange(len(self._cases))).ravel(), point])

    def _slopes(self, point: Array) -> Array:
        """Slopes by differences, each from the cases that depend on the constant."""
        count, width = len(self._cases), len(QUANTITIES)
        slopes = np.zeros((count, width, len(point)))
        base = self._errors(point, np.arange(count))
        for place, rows in enumerate(self._touched):
            if len(rows):
                step = STEP / self._spread[place]
                moved = point.copy()
                moved[place] += step
                slopes[rows, :, place] = (self._errors(moved, rows) - base[rows]) / step
        return np.concatenate([slopes.reshape(count * width, len(point)), np.eye(len(point))])


def _solver() -> Any:
    if find_spec("scipy") is None:
        raise MissingExtra("calibrate", "calibrate")
    return import_module("scipy.optimize").least_squares
