"""Tasks: hold predictions against measured runs, the published ones or the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError
from groundplan.validation.measured import MeasuredRun, Unpredictable, read_measured
from groundplan.validation.reading import Case, read_case
from groundplan.validation.score import Validation, predict_steps, scored, set_name

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
    runs = [run for path in data or (PUBLISHED / "training.csv",) for run in read_measured(path)]
    cases, unpredictable = read_cases(runs, catalog)
    if not cases:
        first = unpredictable[0]
        raise InputError(f"no row can be predicted; the first, {first.id}: {first.reason}", "correct the file")
    measured = np.asarray([case.measured_s for case in cases])
    labels = [(case.run.id, _what(case)) for case in cases]
    overall, sets, rows = scored([set_name(case) for case in cases], labels, measured, predict_steps(cases, catalog))
    return Validation(
        schema="groundplan/validate/1",
        tool_version=__version__,
        catalog_version=catalog.version,
        quantity="step_s",
        headline=f"step times of {overall.rows} measured runs: median error {overall.median_ape:.1f} %, "
        f"nine in ten within {overall.p90_ape:.0f} %",
        overall=overall,
        sets=sets,
        rows=rows,
        unpredictable=tuple(unpredictable),
        warnings=_warnings(unpredictable),
    )


def read_cases(runs: Sequence[MeasuredRun], catalog: Catalog) -> tuple[list[Case], list[Unpredictable]]:
    """Return the runs that can be predicted as cases, and the others with the reason."""
    cases: list[Case] = []
    unpredictable: list[Unpredictable] = []
    for run in runs:
        try:
            cases.append(read_case(run, catalog))
        except InputError as error:
            unpredictable.append(Unpredictable(run.id, run.text("source"), error.what))
    return cases, unpredictable


def distinct(cases: Sequence[Case]) -> list[Case]:
    """Return the cases without repeats: one run that stands in two files counts once."""
    found: dict[object, Case] = {}
    for case in cases:
        cluster, layout = case.setting.cluster, case.layout
        ran = (case.run.text("source"), case.run.text("model"), cluster.accelerator.id, case.setting.precision.id)
        sizes = (*astuple(layout), case.job.sequence, case.job.global_batch, f"{case.measured_s:.4g}")
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
