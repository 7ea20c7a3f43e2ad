"""Task: hold predictions of serving against measured runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError
from groundplan.estimate.serving_intervals import serving_interval
from groundplan.tasks.validate import PUBLISHED, Files, file_paths, without_prediction
from groundplan.tasks.validate_replays import replay_figures
from groundplan.validation.measured import MeasuredRun, Unpredictable, read_measured
from groundplan.validation.replays import is_replay, read_replays
from groundplan.validation.score import Figure, Label, Validation, scored_figures
from groundplan.validation.serving_predict import predict_serving
from groundplan.validation.serving_reading import COLUMNS, NEEDED, QUANTITIES, ServingCase, read_serving_case


def validate_serving(catalog: Catalog, data: Files = ()) -> Validation:
    """Predict latency and throughput of every measured serving run and report the errors by set.

    A run has a row for each quantity its source measured: `ttft_ms`, `tpot_ms`, `tokens_per_s_total`. The requests of a
    replay go through the simulator; it has percentiles as well (`ttft_ms_p95`).

    Parameters
    ----------
    catalog : Catalog
        The catalog.
    data : path or sequence of paths
        CSV files of measured serving runs, replays (`NAME__requests.jsonl`) or folders of them; none = the published
        runs that come with the product.

    Raises
    ------
    InputError
        A file that is no table of serving runs, or in which no run can be predicted.
    """
    catalog.check_user_rows()
    paths = file_paths(data) or [PUBLISHED / "serving.csv"]
    runs = [run for path in paths if not is_replay(path) for run in read_measured(path, COLUMNS, NEEDED)]
    replays = [replay for path in paths if is_replay(path) for replay in read_replays(path)]
    cases, unpredictable = read_serving_cases(runs, catalog)
    figures, lost = _figures(cases, catalog)
    replayed, missed = replay_figures(replays, catalog)
    figures += replayed
    unpredictable += lost + missed
    if not figures:
        first = unpredictable[0]
        raise InputError(f"no row can be predicted; the first, {first.id}: {first.reason}", first.mend)
    overall, sets, rows = scored_figures(figures)
    measured = len({one.label.id for one in figures})
    return Validation(
        schema="groundplan/validate/1",
        tool_version=__version__,
        catalog_version=catalog.version,
        quantity="serving",
        headline=f"{overall.rows} figures of {measured} measured serving runs: median error "
        f"{overall.median_ape:.1f} %, nine in ten within {overall.p90_ape:.0f} %",
        overall=overall,
        sets=sets,
        rows=rows,
        unpredictable=tuple(unpredictable),
        warnings=without_prediction(unpredictable),
    )


def _figures(cases: Sequence[ServingCase], catalog: Catalog) -> tuple[list[Figure], list[Unpredictable]]:
    """Return every figure of the runs of tables, and the runs that do not fit into the memory."""
    found = predict_serving(cases, catalog)
    figures = []
    for case, row in zip(cases, found, strict=True):
        spread = serving_interval(case.engine.id, case.sparse)
        for value, quantity in zip(row.tolist(), QUANTITIES, strict=True):
            if quantity in case.measured and np.isfinite(value):
                low, high = spread[quantity]
                label = Label(case.run.id, _what(case), case.assumed, quantity)
                interval = value, value * low, value * high
                figures.append(Figure(serving_set(case, quantity), label, case.measured[quantity], *interval))
    lost = [case for case, row in zip(cases, found, strict=True) if not np.isfinite(row[1])]
    mend = "correct the number format or the devices"
    return figures, [Unpredictable(case.run.id, case.run.text("source"), NO_ROOM, mend) for case in lost]


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
