"""Tasks: hold predictions against measured runs, the published ones or the user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError
from groundplan.validation.measured import MeasuredRun, Unpredictable, read_measured
from groundplan.validation.peaks import peak_set, predict_peaks
from groundplan.validation.reading import Case, Measure, measured_peak_bytes, measured_step_s, read_case
from groundplan.validation.score import Label, Predicted, Validation, predict_steps, scored, set_name

PUBLISHED = Path(__file__).parents[1] / "validation" / "published"
"""Our own tables of published measurements, which the product ships for its proof."""


def validate_training(catalog: Catalog, data: Sequence[Path] = ()) -> Validation:
    """Predict the step time of every measured run and report the errors by set.

    Parameters
    ----------
    catalog : Catalog
        The catalog.
    data : sequence of Path
        CSV files of measured runs; none = the published ones that come with the product.

    Raises
    ------
    InputError
        A file that is no table of measured runs, or in which no run can be predicted.
    """
    return _validate(catalog, data or (PUBLISHED / "training.csv",), "step_s", measured_step_s, predict_steps, set_name)


def validate_memory(catalog: Catalog, data: Sequence[Path] = ()) -> Validation:
    """Predict the peak memory of every measured run, as the figure its source measured, and report the errors by set.

    Parameters and errors are those of `validate_training`.
    """
    return _validate(
        catalog, data or (PUBLISHED / "memory.csv",), "peak_bytes", measured_peak_bytes, predict_peaks, peak_set
    )


def _validate(
    catalog: Catalog,
    data: Sequence[Path],
    quantity: str,
    measure: Measure,
    predict: Callable[[Sequence[Case], Catalog], Predicted],
    name: Callable[[Case], str],
) -> Validation:
    cases, unpredictable = read_cases([run for path in data for run in read_measured(path)], catalog, measure)
    if not cases:
        first = unpredictable[0]
        raise InputError(f"no row can be predicted; the first, {first.id}: {first.reason}", first.mend)
    measured = np.asarray([case.measured for case in cases])
    labels = [Label(case.run.id, _what(case), case.assumed, quantity) for case in cases]
    overall, sets, rows = scored([name(case) for case in cases], labels, measured, predict(cases, catalog))
    what = {"step_s": "step times", "peak_bytes": "peak memory"}[quantity]
    return Validation(
        schema="groundplan/validate/1",
        tool_version=__version__,
        catalog_version=catalog.version,
        quantity=quantity,
        headline=f"{what} of {overall.rows} measured runs: median error {overall.median_ape:.1f} %, "
        f"nine in ten within {overall.p90_ape:.0f} %",
        overall=overall,
        sets=sets,
        rows=rows,
        unpredictable=tuple(unpredictable),
        warnings=_warnings(unpredictable),
    )


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
        cluster, layout = case.setting.cluster, case.layout
        ran = (case.run.text("source"), case.run.text("model"), cluster.accelerator.id, case.setting.precision.id)
        sizes = (*astuple(layout), case.job.sequence, case.job.global_batch, f"{case.measured:.4g}")
        found.setdefault((ran, sizes), case)
    return list(found.values())


def _what(case: Case) -> str:
    """Name a run for people: model, accelerators, precision."""
    cluster = case.setting.cluster
    return f"{case.run.text('model')}, {cluster.accelerators} x {cluster.accelerator.id}, {case.setting.precision.id}"


def _warnings(unpredictable: Sequence[Unpredictable]) -> tuple[str, ...]:
    if not unpredictable:
        return ()
    return (f"{len(unpredictable)} rows have no prediction, e.g. {unpredictable[0].id}: {unpredictable[0].reason}",)
