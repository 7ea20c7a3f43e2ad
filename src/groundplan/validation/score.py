"""How far predictions are from measurements, by set: one stack on one architecture, dense or sparse, at one scale."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groundplan.catalog.catalog import Catalog
from groundplan.estimate.intervals import Interval, step_interval
from groundplan.evidence import Result
from groundplan.validation.measured import Unpredictable
from groundplan.validation.predict import Array, batches, overfull_notes
from groundplan.validation.reading import Case

WORST = 3
"""Rows of a set that are shown with the terms that explain them."""
SHOWN_TERMS = 4


@dataclass(frozen=True, slots=True)
class WorstRow(Result):
    """One of the rows a set is furthest off on: its signed error [%], and the largest terms as shares of the step."""

    id: str
    what: str
    measured: float
    predicted: float
    error: float
    terms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SetScore(Result):
    """Errors of a set in per cent of the measured value; `coverage_80` is the share of rows inside the interval."""

    name: str
    rows: int
    median_ape: float
    p90_ape: float
    bias: float
    coverage_80: float
    worst: tuple[WorstRow, ...] = ()


@dataclass(frozen=True, slots=True)
class RowScore(Result):
    """One row: measured and predicted value with its 80 % interval, and the absolute percentage error."""

    id: str
    set: str
    measured: float
    predicted: float
    low: float
    high: float
    ape: float
    assumed: tuple[str, ...]  # what the source does not state and a rule filled in, and what is odd
    quantity: str  # what was measured


@dataclass(frozen=True, slots=True)
class Label:
    """What a row is: its id, a name for people, what was assumed of it, and what was measured."""

    id: str
    what: str
    assumed: tuple[str, ...]
    quantity: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure in its set: measured, and predicted with its 80 % interval."""

    set: str
    label: Label
    measured: float
    predicted: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Validation(Result):
    """Predictions against measurements, by set. Rows without a prediction are named with the reason."""

    schema: str
    tool_version: str
    catalog_version: str
    quantity: str
    headline: str
    overall: SetScore
    sets: tuple[SetScore, ...]
    rows: tuple[RowScore, ...]
    unpredictable: tuple[Unpredictable, ...]
    warnings: tuple[str, ...]

    def records(self) -> list[dict[str, object]]:
        """Return one record a row."""
        return [row.to_dict() for row in self.rows]


@dataclass(frozen=True, slots=True)
class Predicted:
    """Predictions of cases, in their order: values with intervals, and the terms behind them."""

    values: Array
    low: Array
    high: Array
    terms: tuple[Mapping[str, float], ...]
    notes: tuple[tuple[str, ...], ...] = ()  # what of a case is odd in the light of the prediction

    @property
    def possible(self) -> NDArray[np.bool_]:
        """Which predictions are values at all: what a run says may be too odd for the laws."""
        return np.isfinite(self.values) & (self.values > 0.0)

    def of(self, places: NDArray[np.integer]) -> Predicted:
        """Return the predictions of some cases."""
        notes = tuple(self.notes[place] for place in places) if self.notes else ()
        terms = tuple(self.terms[place] for place in places)
        return Predicted(self.values[places], self.low[places], self.high[places], terms, notes)


def predict_steps(cases: Sequence[Case], catalog: Catalog) -> Predicted:
    """Predict the step time of every case [s]."""
    values = np.empty(len(cases))
    terms: list[Mapping[str, float]] = [{}] * len(cases)
    notes: list[tuple[str, ...]] = [()] * len(cases)
    for batch in batches(cases, catalog):
        step = batch.step(catalog)
        values[batch.index] = step.total
        columns = {name: np.broadcast_to(value, len(batch.index)) for name, value in step.terms.items()}
        for row, place in enumerate(batch.index):
            terms[place] = {name: float(column[row]) for name, column in columns.items()}
        for place, own in zip(batch.index, overfull_notes(batch, catalog), strict=True):
            notes[place] = own
    low, high = step_factors(cases)
    return Predicted(values, values * low, values * high, tuple(terms), tuple(notes))


def step_factors(cases: Sequence[Case]) -> tuple[Array, Array]:
    """Return the factors of the catalog's interval below and above each case's step time [cases]."""
    found = [_interval(case) for case in cases]
    return np.asarray([one.low for one in found]), np.asarray([one.high for one in found])


def _interval(case: Case) -> Interval:
    setting = case.setting
    return step_interval(case.job.model, setting.stack.id, setting.architecture.id, setting.cluster.nodes)


def set_name(case: Case) -> str:
    """Return the set of a case: stack, architecture, dense or sparse, scale."""
    kind = "MoE" if case.sparse else "dense"
    scale = "one node" if case.setting.cluster.nodes == 1 else "many nodes"
    return f"{case.setting.stack.id} / {case.setting.architecture.id} / {kind} / {scale}"


def scored(
    names: Sequence[str], labels: Sequence[Label], measured: Array, predicted: Predicted
) -> tuple[SetScore, tuple[SetScore, ...], tuple[RowScore, ...]]:
    """Return the score of all rows together, of each set, and of each row.

    Parameters
    ----------
    names : sequence of str
        The set of each row.
    labels : sequence of Label
        What each row is.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        places[name].append(place)
    errors = 100.0 * (predicted.values / measured - 1.0)
    rows = tuple(
        RowScore(
            label.id,
            names[i],
            *_row(i, measured, predicted),
            abs(float(errors[i])),
            label.assumed + (predicted.notes[i] if predicted.notes else ()),
            label.quantity,
        )
        for i, label in enumerate(labels)
    )
    sets = tuple(
        _set(name, np.asarray(places[name]), labels, measured, predicted, errors, WORST) for name in sorted(places)
    )
    return _set("all", np.arange(len(names)), labels, measured, predicted, errors, 0), sets, rows


def scored_figures(figures: Sequence[Figure]) -> tuple[SetScore, tuple[SetScore, ...], tuple[RowScore, ...]]:
    """Return the score of all figures together, of each set, and of each figure, whose only term is its quantity."""
    values, low, high, measured = (
        np.asarray([getattr(one, name) for one in figures]) for name in ("predicted", "low", "high", "measured")
    )
    terms = tuple({one.label.quantity: 1.0} for one in figures)
    predicted = Predicted(values, low, high, terms)
    return scored([one.set for one in figures], [one.label for one in figures], measured, predicted)


def _row(place: int, measured: Array, predicted: Predicted) -> tuple[float, float, float, float]:
    return tuple(  # type: ignore[return-value]
        float(column[place]) for column in (measured, predicted.values, predicted.low, predicted.high)
    )


def _set(
    name: str,
    places: np.ndarray[tuple[int], np.dtype[np.integer]],
    labels: Sequence[Label],
    measured: Array,
    predicted: Predicted,
    errors: Array,
    worst: int,
) -> SetScore:
    own = errors[places]
    inside = (predicted.low[places] <= measured[places]) & (measured[places] <= predicted.high[places])
    furthest = places[np.argsort(-np.abs(own), kind="stable")[:worst]]
    return SetScore(
        name,
        len(places),
        float(np.median(np.abs(own))),
        float(np.quantile(np.abs(own), 0.9)),
        float(np.median(own)),
        float(np.mean(inside)),
        tuple(
            WorstRow(
                labels[i].id,
                labels[i].what,
                float(measured[i]),
                float(predicted.values[i]),
                float(errors[i]),
                _largest(predicted.terms[i]),
            )
            for i in furthest
        ),
    )


def _largest(terms: Mapping[str, float]) -> dict[str, float]:
    """Return the largest terms as shares of their sum."""
    total = sum(terms.values())
    ranked = sorted(terms.items(), key=lambda item: -item[1])[:SHOWN_TERMS]
    return {name: value / total for name, value in ranked}
