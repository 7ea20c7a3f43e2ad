"""Predictions held against measurements, and fitted to them: validate, calibrate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundplan.cli.asked import Answer, Asked
from groundplan.errors import InputError

Data = Annotated[
    list[Path] | None,
    typer.Option("--data", metavar="CSV", help="Measured runs; may be repeated. Default: the published ones."),
]


def training(data: Data = None, *, asked: Asked) -> Answer:
    """Predict the step time of measured training runs and report the errors by set.

    Columns as in the published table; empty cells mean that the source does not say.
    """
    from groundplan.catalog.catalog import load_catalog
    from groundplan.tasks.validate import validate_training

    return validate_training(load_catalog(), data or ()).to_dict()


def memory(data: Data = None, *, asked: Asked) -> Answer:
    """Predict the peak memory of measured training runs and report the errors by set.

    Each row is held against the figure its source measured: allocated, reserved, or what the device reports.
    """
    from groundplan.catalog.catalog import load_catalog
    from groundplan.tasks.validate import validate_memory

    return validate_memory(load_catalog(), data or ()).to_dict()


def serving(
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="PATH",
            help="Measured runs (CSV), a replay or a folder of replays; may be repeated. Default: the published runs.",
        ),
    ] = None,
    *,
    asked: Asked,
) -> Answer:
    """Predict latency and throughput of measured serving runs and report the errors by set.

    Time to first token, time per token and output tokens per second, each where its source measured it. The requests of
    a replay go through the simulator: means, percentiles, throughput and cache.
    """
    from groundplan.catalog.catalog import load_catalog
    from groundplan.tasks.validate_serving import validate_serving

    return validate_serving(load_catalog(), data or ()).to_dict()


def calibrate(
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="PATH",
            help="Measured runs (CSV) that join the published ones, or replays with --refine; may be repeated.",
        ),
    ] = None,
    refine: Annotated[
        bool, typer.Option("--refine", help="Use these runs alone, to move the catalog towards your own cluster.")
    ] = False,
    rows: Annotated[
        Path | None,
        typer.Option("--rows", metavar="FILE", help="Also write the constants as rows of your own catalog (YAML)."),
    ] = None,
    *,
    asked: Asked,
) -> Answer:
    """Fit the constants of step times to measured runs.

    Every source in turn is left out and predicted, which takes minutes. --refine takes a few runs of your own and no
    time, or replays of request traces, which move the constants of serving; put the file of --rows into a catalog
    folder, and every prediction uses it.
    """
    from groundplan.catalog.catalog import load_catalog
    from groundplan.cli.delivery import check_target, write_file
    from groundplan.tasks.calibrate import calibrate as task
    from groundplan.tasks.calibrate import catalog_rows

    if rows is not None:
        check_target(rows, asked.force)
        if asked.out is not None and rows.resolve() == asked.out.resolve():
            raise InputError(f"--rows and --out both name {rows}", "give each a file of its own")
    found = task(load_catalog(), data or (), refine)
    if rows is not None:
        write_file(rows, catalog_rows(found), asked.force)
    return found.to_dict()
