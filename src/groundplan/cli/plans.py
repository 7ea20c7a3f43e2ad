"""The main job and what is done with its saved answers: plan, explain, diff."""

from __future__ import annotations

from pathlib import Path
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
    """One brief in, a costed and checked training plan out.

    A brief with a mission in place of train asks which edge device flies with which model.
    Exit code 3 with --exit-code when no design keeps the goal. --set takes a key of the brief: --set goal.deadline=5d.
    """
    from groundplan.catalog.catalog import load_catalog
    from groundplan.workload.brief import read_question
    from groundplan.workload.mission import MissionBrief
    from groundplan.workload.yaml_source import read_text

    catalog = load_catalog()
    if brief == "-":
        resolved = read_question(read_stdin(), catalog, sets=asked.sets, as_of=asked.as_of)
    else:
        path = Path(brief)
        resolved = read_question(read_text(path), catalog, path.parent, brief, asked.sets, asked.as_of)
    if print_brief:
        import yaml

        return "# groundplan brief\n" + yaml.safe_dump(dict(resolved.resolved), sort_keys=False, allow_unicode=True)
    if isinstance(resolved, MissionBrief):
        from groundplan.tasks.mission import mission

        return mission(resolved, catalog).to_dict()
    from groundplan.tasks.plan import plan as task

    return task(resolved, catalog).to_dict()


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
