"""Predictions held against measurements: validate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundplan.cli.asked import Answer, Asked

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
