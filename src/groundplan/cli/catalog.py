"""What exists: list a kind, show one row with the source of each number, check the data."""

from __future__ import annotations

from typing import Annotated

import typer

from groundplan.cli.asked import Answer, Asked


def listing(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="accelerators, hosts, fabrics, storage, models, ...")],
    *,
    asked: Asked,
) -> Answer:
    """The rows of one kind."""
    from groundplan.catalog.catalog import load_catalog
    from groundplan.tasks.catalog import catalog_list

    return catalog_list(kind, load_catalog()).to_dict()


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Any name of a row, or a path to a config.json.")],
    *,
    asked: Asked,
) -> Answer:
    """One row, with unit, evidence class and source of each number."""
    from groundplan.catalog.catalog import load_catalog
    from groundplan.tasks.catalog import catalog_show

    return catalog_show(name, load_catalog()).to_dict()


def check(*, asked: Asked) -> Answer:
    """Check every row against the schema.

    Exit code 3 with --exit-code when there are problems.
    """
    from groundplan.catalog.catalog import load_catalog
    from groundplan.tasks.catalog import catalog_check

    return catalog_check(load_catalog()).to_dict()
