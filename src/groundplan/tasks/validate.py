"""Tasks: hold predictions against measured runs, the published ones or the user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError
from groundplan.validation.doubts import far_off, not_understood, overfull, repeated
from groundplan.validation.measured import MeasuredRun, Unpredictable, read_measured
from groundplan.validation.peaks import peak_set, predict_peaks
from groundplan.validation.reading import Case, Measure, measured_peak_bytes, measured_step_s, read_case
from groundplan.validation.score import Label, Predicted, Validation, predict_steps, scored, set_name

PUBLISHED = Path(__file__).parents[1] / "validation" / "published"
"""Our own tables of published measurements, which the product ships for its proof."""


Files = Sequence[Path | str] | Path | str
"""Files of measured runs: one or several, by path."""
OUT_OF_RANGE = "the laws give no value for what it says"


def validate_training(catalog: Catalog, data: Files = ()) -> Validation:
    """Predict the step time of every measured run and report the errors by set.

    Parameters
    ----------
    catalog : Catalog
        The catalog.
    data : path or sequence of paths
        CSV files of measured runs; none = the published ones that come with the product.

    Raises
    ------
    InputError
        A file that is no table of measured runs, or in which no run can be predicted; rows of the user's own catalog
        that are wrong.
    """
    paths = file_paths(data) or [PUBLISHED / "training.csv"]
    return _validate(catalog, paths, "step_s", measured_step_s, predict_steps, set_name)


def validate_memory(catalog: Catalog, data: Files = ()) -> Validation:
    """Predict the peak memory of every measured run, as the figure its source measured, and report the errors by set.

    Parameters and errors are those of `validate_training`.
    """
    paths = file_paths(data) or [PUBLISHED / "memory.csv"]
    return _validate(catalog, paths, "peak_bytes", measured_peak_bytes, predict_peaks, peak_set)


def file_paths(data: Files) -> list[Path]:
    """Return the files, however they are given.

    >>> [path.name for path in file_paths("runs.csv")]
    ['runs.csv']
    """
    return [Path(data)] if isinstance(data, str | Path) else [Path(one) for one in data]


def _validate(
    catalog: Catalog,
    paths: Sequence[Path],
    quantity: str,
    measure: Measure,
    predict: Callable[[Sequence[Case], Catalog], Predicted],
    name: Callable[[Case], str],
) -> Validation:
    catalog.check_user_rows()
    cases, unpredictable = read_cases([run for path in paths for run in read_measured(path)], catalog, measure)
    cases, predicted = _possible(cases, predict, catalog, unpredictable)
    if not cases:
        first = unpredictable[0]
        raise InputError(f"no row can be predicted; the first, {first.id}: {first.reason}", first.mend)
    measured = np.asarray([case.measured for case in cases])
    labels = [Label(case.run.id, _what(case), case.assumed, quantity) for case in cases]
    overall, sets, rows = scored([name(case) for case in cases], labels, measured, predicted)
    what = {"step_s": "step times", "peak_bytes": "peak memory"}[quantity]
    return Validation(
        schema="groundplan/validate/1",
        tool_version=__version__,
        catalog_version=catalog.version,
        quantity=quantity,
        headline=f"{what} of {overall.rows} measured run{'' if overall.rows == 1 else 's'}: "
        f"median error {overall.median_ape:.1f} %, nine in ten within {overall.p90_ape:.0f} %",
        overall=overall,
        sets=sets,
        rows=rows,
        unpredictable=tuple(unpredictable),
        warnings=(
            *without_prediction(unpredictable),
            *far_off(cases, predicted.values),
            *(overfull(cases, predicted.notes) if predicted.notes else ()),
            *not_understood(cases),
            *repeated(cases, distinct(cases), "each counts"),
        ),
    )


def _possible(
    cases: list[Case],
    predict: Callable[[Sequence[Case], Catalog], Predicted],
    catalog: Catalog,
    unpredictable: list[Unpredictable],
) -> tuple[list[Case], Predicted]:
    """Predict cases; those without a value join `unpredictable`."""
    with np.errstate(all="ignore"):  # a row that is too odd for the laws is named, not warned about by numpy
        predicted = predict(cases, catalog)
    possible = predicted.possible
    unpredictable += [out_of_range(case) for case, good in zip(cases, possible, strict=True) if not good]
    places = np.flatnonzero(possible)
    return [cases[place] for place in places], predicted.of(places)


def out_of_range(case: Case) -> Unpredictable:
    """Name a case for which the laws give no number."""
    return Unpredictable(case.run.id, case.run.text("source"), OUT_OF_RANGE, "look for a slip among its numbers")


def read_cases(
    runs: Sequence[MeasuredRun], catalog: Catalog, measure: Measure = measured_step_s
) -> tuple[list[Case], list[Unpredictable]]:
    """Return the runs that can be predicted as cases, and the others with the reason."""
    cases: list[Case] = []
    unpredictable: list[Unpredictable] = []
    for run in runs:
        try:
            cases.append(read_case(run, catalog, measure))
        except InputError as error:
            unpredictable.append(Unpredictable(run.id, run.text("source"), error.what, error.mend))
    return cases, unpredictable


def distinct(cases: Sequence[Case]) -> list[Case]:
    """Return the cases without repeats: one run that stands in two files counts once."""
    found: dict[object, Case] = {}
    for case in cases:
        setting = case.setting
        software = setting.stack.id, setting.precision.id
        machines = setting.cluster.accelerator.id, setting.cluster.host.nic_bits_per_s
        ran = (case.run.text("source"), case.run.text("model"), case.job.model, *software, *machines)
        sizes = (case.layout, case.job.sequence, case.job.global_batch, f"{case.measured:.4g}")
        found.setdefault((ran, sizes), case)
    return list(found.values())


def _what(case: Case) -> str:
    """Name a run for people: model, accelerators, precision."""
    cluster = case.setting.cluster
    return f"{case.run.text('model')}, {cluster.accelerators} x {cluster.accelerator.id}, {case.setting.precision.id}"


def without_prediction(unpredictable: Sequence[Unpredictable]) -> tuple[str, ...]:
    """Return a warning that counts the rows without a prediction and names the first."""
    if not unpredictable:
        return ()
    count, first = len(unpredictable), unpredictable[0]
    return (f"{count} row{' has' if count == 1 else 's have'} no prediction, e.g. {first.id}: {first.reason}",)
