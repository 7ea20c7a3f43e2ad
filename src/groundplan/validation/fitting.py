"""Fit the constants to measured step times: robust least squares in logarithms, held near what physics expects.

A set of rows (one source, stack, architecture, kind and scale) counts as one, however many rows it has; dense runs set
the constants of dense work first, runs with experts then those of experts. Deterministic: no random numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundplan.catalog.catalog import Catalog
from groundplan.errors import MissingExtra
from groundplan.validation.constants import Constant, Values, with_constants
from groundplan.validation.predict import Array, Batch, batches
from groundplan.validation.reading import Case
from groundplan.validation.score import set_name

Mask = NDArray[np.bool_]

SOFT_ERROR = 0.05
"""Error of a run [natural logarithm] from which it counts by its size, no longer by its square: outliers pull less."""
PRIOR_WEIGHT = 0.02
"""A constant one spread away from what is expected costs as much as a whole set that is 2 % off."""
FULL_SET = 5
"""Rows from which a set counts fully."""
STEP = 1.0e-3
"""Difference quotient, as a share of the range of a constant."""
MOST_EVALUATIONS = 25
TINY = 1.0e-9
"""Relative change of a step time below which a constant has no part in it."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Measured runs ready to be fitted: columns, measured seconds, and the weight of each row."""

    cases: tuple[Case, ...]
    batches: tuple[Batch, ...]
    measured: Array
    weights: Array
    sparse: Mask

    def seconds(self, catalog: Catalog, values: Values, numbers: Sequence[int] | None = None) -> Array:
        """Predict the step times under other constants; NaN outside the batches numbered [cases]."""
        result = np.full(len(self.cases), np.nan)
        changed = with_constants(values)
        for number in range(len(self.batches)) if numbers is None else numbers:
            batch = self.batches[number]
            result[batch.index] = batch.step(catalog, changed).total
        return result


def gather(cases: Sequence[Case], catalog: Catalog) -> Evidence:
    """Group cases and weigh them: every set counts as one."""
    keys = [(case.run.text("source"), set_name(case)) for case in cases]
    sizes = Counter(keys)
    weights = [(min(sizes[key], FULL_SET) / FULL_SET / sizes[key]) ** 0.5 for key in keys]
    return Evidence(
        tuple(cases),
        tuple(batches(cases, catalog)),
        np.asarray([case.measured for case in cases]),
        np.asarray(weights),
        np.asarray([case.sparse for case in cases]),
    )


def fit(
    evidence: Evidence, constants: Sequence[Constant], catalog: Catalog, used: Mask, start: Values | None = None
) -> dict[Constant, float]:
    """Return the constants that fit the used rows best; without rows that depend on it, a constant is its prior.

    Parameters
    ----------
    used : array of bool
        The rows that are seen [cases].
    start : mapping, optional
        Where to start; the priors by default. The end does not depend on it beyond the tolerance of the solver.
    """
    values: dict[Constant, float] = {}
    for kind, rows in (("dense", used & ~evidence.sparse), ("moe", used & evidence.sparse)):
        stage = [constant for constant in constants if constant.of == kind]
        values |= _stage(evidence, stage, values, catalog, rows, start or {})
    return values


def _stage(
    evidence: Evidence, stage: Sequence[Constant], fixed: Values, catalog: Catalog, rows: Mask, start: Values
) -> dict[Constant, float]:
    """Fit one kind of constants, the others held."""
    seen = [number for number, batch in enumerate(evidence.batches) if rows[batch.index].any()]
    touched = {
        constant: [n for n in seen if any(constant.touches(s) for s in evidence.batches[n].settings)]
        for constant in stage
    }
    free = [constant for constant in stage if touched[constant]]
    held = {constant: constant.prior for constant in stage if not touched[constant]}
    if not free:
        return held
    prior, spread, low, high = (np.asarray([getattr(c, name) for c in free]) for name in _FIELDS)
    weights = evidence.weights[rows]

    def errors(point: Array, numbers: Sequence[int] | None = None) -> Array:
        at = {**fixed, **held, **dict(zip(free, point, strict=True))}
        return np.log(evidence.seconds(catalog, at, seen if numbers is None else numbers)[rows])

    measured = np.log(evidence.measured[rows])

    def damped(point: Array, numbers: Sequence[int] | None = None) -> Array:
        return soft(errors(point, numbers) - measured) * weights

    def residuals(point: Array) -> Array:
        return np.concatenate([damped(point), PRIOR_WEIGHT * (point - prior) / spread])

    def slopes(point: Array) -> Array:
        base, matrix = damped(point), np.zeros((len(weights), len(free)))
        for column, constant in enumerate(free):
            size = STEP * (high[column] - low[column])
            moved = point.copy()
            moved[column] += size if point[column] + size < high[column] else -size
            change = (damped(moved, touched[constant]) - base) / (moved[column] - point[column])
            matrix[:, column] = np.where(np.isnan(change), 0.0, change)
        return np.vstack([matrix, np.diag(PRIOR_WEIGHT / spread)])

    margin = 1e-6 * (high - low)
    first = np.clip([start.get(c, c.prior) for c in free], low + margin, high - margin)
    found = _solver()(
        residuals,
        first,
        slopes,
        bounds=(low, high),
        x_scale=spread,
        max_nfev=MOST_EVALUATIONS,
    )
    return held | {constant: float(value) for constant, value in zip(free, found.x, strict=True)}


def soft(errors: Array) -> Array:
    """Return errors whose square is the soft loss: ``e`` while small, growing with the root of ``2 C |e|`` when large.

    ``sign(e) C sqrt(2 (sqrt(1 + (e / C)^2) - 1))`` with C = `SOFT_ERROR`.
    """
    result: Array = np.sign(errors) * SOFT_ERROR * np.sqrt(2.0 * (np.sqrt(1.0 + (errors / SOFT_ERROR) ** 2) - 1.0))
    return result


def influenced(evidence: Evidence, values: Values, constant: Constant, catalog: Catalog) -> Mask:
    """Return which runs a constant moves at all [cases]."""
    numbers = [n for n, batch in enumerate(evidence.batches) if any(constant.touches(s) for s in batch.settings)]
    if not numbers:
        return np.zeros(len(evidence.cases), dtype=bool)
    size = STEP * (constant.high - constant.low)
    moved = values[constant] + (size if values[constant] + size < constant.high else -size)
    change = evidence.seconds(catalog, {**values, constant: moved}, numbers)
    base = evidence.seconds(catalog, values, numbers)
    return np.nan_to_num(np.abs(change / base - 1.0)) > TINY


_FIELDS = ("prior", "spread", "low", "high")


def _solver() -> Any:
    try:
        from scipy.optimize import least_squares
    except ImportError as error:
        raise MissingExtra("calibrate", "calibrate") from error
    return least_squares
