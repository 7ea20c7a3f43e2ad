"""What exists: list a kind, show one row with the source of each number, check the data."""

from __future__ import annotations

from typing import Annotated

import typer

from groundplan.cli.asked import Answer, Asked


def listing(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="accelerators, hosts, models, prices, ...; none counts each.")
    ] = None,
    search: Annotated[
        str | None, typer.Option("--search", metavar="TEXT", help="Only rows with this text, e.g. h100.")
    ] = None,
    *,
    asked: Asked,
) -> Answer:
    """The rows of one kind, or how many there are of each."""
    from groundplan.catalog.catalog import load_catalog
    from groundplan.tasks.catalog import catalog_list

    return catalog_list(load_catalog(), kind, search).to_dict()


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Any name of a row, or a path to a config.json.")],
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="Where a name means several rows, e.g. models.")
    ] = None,
    *,
    asked: Asked,
) -> Answer:
    """One row, with unit, evidence class and source of each number."""
    from groundplan.catalog.catalog import load_catalog
    from groundplan.tasks.catalog import catalog_show

    return catalog_show(load_catalog(), name, kind).to_dict()


def check(*, asked: Asked) -> Answer:
    """Check every row against the schema.

    Exit code 3 with --exit-code when there are problems.
    """
    from groundplan.catalog.catalog import load_catalog
    from groundplan.tasks.catalog import catalog_check

    return catalog_check(load_catalog()).to_dict()
