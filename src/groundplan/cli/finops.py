"""The accounts: bring in what ran and what was billed, and ask who pays, what was wasted, and whether the plan held."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundplan.cli.asked import Answer, Asked

LakeAt = Annotated[str, typer.Option("--lake", metavar="LAKE", help="Folder or URL of the lake.")]
Money = Annotated[str, typer.Option("--column", metavar="COLUMN", help="BilledCost, EffectiveCost, ListCost, ...")]
Currency = Annotated[
    str | None, typer.Option("--currency", metavar="CODE", help="Convert into it, at the dated rates of the lake.")
]


def import_(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, or folders of files.")],
    lake: LakeAt,
    *,
    asked: Asked,
) -> Answer:
    """Bring bills, jobs, telemetry and prices into the lake, each row once.

    Formats are recognised by content. Rows that do not fit are kept apart with the reason; the same file again
    changes nothing.
    """
    from groundplan.tasks.finops.lake import import_files

    return import_files(lake, paths).to_dict()


def total(lake: LakeAt, column: Money = "BilledCost", currency: Currency = None, *, asked: Asked) -> Answer:
    """Add up all charges of the lake, to the last decimal."""
    from groundplan.tasks.finops.lake import total as task

    return task(lake, column, currency).to_dict()


def quarantine(lake: LakeAt, *, asked: Asked) -> Answer:
    """Show the rows that did not fit, as they came, each with its reason."""
    from groundplan.tasks.finops.lake import quarantine as task

    return task(lake).to_dict()
