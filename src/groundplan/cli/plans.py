"""The main job and what is done with its saved answers: plan, explain, diff."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from groundplan.cli.asked import Answer, Asked
from groundplan.cli.reading import read_saved, read_stdin
from groundplan.errors import InputError


def plan(
    brief: Annotated[str, typer.Argument(metavar="BRIEF", help="The brief, a YAML file; - reads standard input.")],
    print_brief: Annotated[
        bool, typer.Option("--print-brief", help="Print the brief with every default filled in, and stop.")
    ] = False,
    *,
    asked: Asked,
) -> Answer:
    """One brief in, a costed and checked plan out.

    A brief with a mission in place of train asks which edge device flies with which model.
    Exit code 3 with --exit-code when no design keeps the goal. --set takes a key of the brief: --set goal.deadline=5d.
    """
    from groundplan.catalog.catalog import load_catalog
    from groundplan.questions.briefs import filled_in, plan_any, read_any

    catalog = load_catalog()
    text = read_stdin() if brief == "-" else None
    label = "standard input" if text is not None else brief
    kind, resolved = read_any(label, text, catalog, asked.sets, asked.as_of)
    return _printed(filled_in(kind, resolved)) if print_brief else plan_any(kind, resolved, catalog)


def _printed(resolved: Mapping[str, object]) -> str:
    import yaml

    return "# groundplan brief\n" + yaml.safe_dump(dict(resolved), sort_keys=False, allow_unicode=True)


def explain(
    saved: Annotated[str, typer.Argument(metavar="PLAN", help="A saved result (JSON); - reads standard input.")],
    metric: Annotated[str, typer.Option("--metric", metavar="NAME", help="Which number, e.g. step_s, cost_usd.")],
    *,
    asked: Asked,
) -> Answer:
    """How one number of a saved result was computed.

    The formula tree, with the numbers that went in and their sources.
    """
    from groundplan.tasks.explain import explain as task

    _refuse_sets(asked)
    return task(read_saved(saved), metric).to_dict()


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="A saved result (JSON).")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one of the same command.")],
    *,
    asked: Asked,
) -> Answer:
    """What changed between two saved results.

    Exit code 3 with --exit-code when anything did.
    """
    from groundplan.tasks.diff import diff as task

    _refuse_sets(asked)
    return task(read_saved(a), read_saved(b)).to_dict()


def _refuse_sets(asked: Asked) -> None:
    if asked.sets:
        raise InputError(
            "--set changes an input, and a saved result is an answer", "plan again with --set, and save that"
        )
