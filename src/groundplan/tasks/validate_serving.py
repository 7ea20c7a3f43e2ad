"""Task: hold predictions of serving against measured runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError
from groundplan.estimate.serving_intervals import serving_interval
from groundplan.tasks.validate import PUBLISHED
from groundplan.validation.measured import MeasuredRun, Unpredictable, read_measured
from groundplan.validation.score import Label, Predicted, Validation, scored
from groundplan.validation.serving_predict import predict_serving
from groundplan.validation.serving_reading import COLUMNS, NEEDED, QUANTITIES, ServingCase, read_serving_case


def validate_serving(catalog: Catalog, data: Sequence[Path] = ()) -> Validation:
    """Predict latency and throughput of every measured serving run and report the errors by set.

    A run has a row for each quantity its source measured: `ttft_ms`, `tpot_ms`, `tokens_per_s_total`.

    Parameters
    ----------
    catalog : Catalog
        The catalog.
    data : sequence of Path
        CSV files of measured serving runs; none = the published ones that come with the product.

    Raises
    ------
    InputError
        A file that is no table of serving runs, or in which no run can be predicted.
    """
    runs = [run for path in data or (PUBLISHED / "serving.csv",) for run in read_measured(path, COLUMNS, NEEDED)]
    cases, unpredictable = read_serving_cases(runs, catalog)
    found = predict_serving(cases, catalog)
    places = [
        (i, j)
        for i, case in enumerate(cases)
        for j, name in enumerate(QUANTITIES)
        if name in case.measured and np.isfinite(found[i, j])
    ]
    lost = [case for case, row in zip(cases, found, strict=True) if not np.isfinite(row[1])]
    unpredictable += [
        Unpredictable(case.run.id, case.run.text("source"), NO_ROOM, "correct the number format or the devices")
        for case in lost
    ]
    if not places:
        first = unpredictable[0]
        raise InputError(f"no row can be predicted; the first, {first.id}: {first.reason}", first.mend)
    measured = np.asarray([cases[i].measured[QUANTITIES[j]] for i, j in places])
    values = np.asarray([found[i, j] for i, j in places])
    factors = np.asarray(
        [serving_interval(cases[i].engine.id, cases[i].sparse)[QUANTITIES[j]] for i, j in places]
    ).reshape(-1, 2)
    terms = tuple({QUANTITIES[j]: 1.0} for _, j in places)
    predicted = Predicted(values, values * factors[:, 0], values * factors[:, 1], terms)
    labels = [Label(cases[i].run.id, _what(cases[i]), cases[i].assumed, QUANTITIES[j]) for i, j in places]
    overall, sets, rows = scored([serving_set(cases[i], QUANTITIES[j]) for i, j in places], labels, measured, predicted)
    return Validation(
        schema="groundplan/validate/1",
        tool_version=__version__,
        catalog_version=catalog.version,
        quantity="serving",
        headline=f"{overall.rows} figures of {len(cases)} measured serving runs: median error "
        f"{overall.median_ape:.1f} %, nine in ten within {overall.p90_ape:.0f} %",
        overall=overall,
        sets=sets,
        rows=rows,
        unpredictable=tuple(unpredictable),
        warnings=_warnings(unpredictable),
    )


NO_ROOM = "its weights leave no room for one request"


def read_serving_cases(runs: Sequence[MeasuredRun], catalog: Catalog) -> tuple[list[ServingCase], list[Unpredictable]]:
    """Return the runs that can be predicted as cases, and the others with the reason."""
    cases: list[ServingCase] = []
    unpredictable: list[Unpredictable] = []
    for run in runs:
        try:
            cases.append(read_serving_case(run, catalog))
        except InputError as error:
            unpredictable.append(Unpredictable(run.id, run.text("source"), error.what, error.mend))
    return cases, unpredictable


def serving_set(case: ServingCase, quantity: str) -> str:
    """Return the set of a figure: engine, prefill and decode apart or not, architecture, dense or sparse, quantity."""
    kind = "MoE" if case.sparse else "dense"
    engine = f"{case.engine.id} apart" if case.apart else case.engine.id
    return f"{engine} / {case.cluster.accelerator.architecture} / {kind} / {quantity}"


def _what(case: ServingCase) -> str:
    """Name a run for people."""
    load = case.load
    at = f"{load.concurrency:g} at once" if np.isfinite(load.concurrency) else "full load"
    devices = case.apart.devices if case.apart else case.deployment.devices
    return (
        f"{case.run.text('model')}, {devices} x {case.cluster.accelerator.id}, "
        f"{case.deployment.weights}, {load.prompt:g} + {load.output:g} tokens, {at}"
    )


def _warnings(unpredictable: Sequence[Unpredictable]) -> tuple[str, ...]:
    if not unpredictable:
        return ()
    return (f"{len(unpredictable)} rows have no prediction, e.g. {unpredictable[0].id}: {unpredictable[0].reason}",)
