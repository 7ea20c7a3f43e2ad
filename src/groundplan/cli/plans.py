"""The main job and what is done with its saved answers: plan, explain, diff."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from groundplan.cli.asked import Answer, Asked
from groundplan.cli.reading import read_saved, read_stdin
from groundplan.errors import InputError

if TYPE_CHECKING:
    from groundplan.catalog.catalog import Catalog


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
    from groundplan.workload.brief import read_brief, read_brief_text
    from groundplan.workload.service_brief import kind_of

    catalog = load_catalog()
    text = read_stdin() if brief == "-" else None
    kind = kind_of("standard input" if text is not None else brief, text)
    if kind == "serve":
        return _serving(brief, text, catalog, print_brief, asked)
    if kind == "pipeline":
        return _pipeline(brief, text, catalog, asked)
    if kind == "mission":
        return _mission(brief, text, catalog, print_brief, asked)
    if kind == "tco":
        raise InputError("this brief asks whether to own or to rent", "run: groundplan finops tco BRIEF")
    if text is not None:
        resolved = read_brief_text(text, catalog, sets=asked.sets, as_of=asked.as_of)
    else:
        resolved = read_brief(brief, catalog, asked.sets, asked.as_of)
    if print_brief:
        return _printed(resolved.resolved)
    from groundplan.tasks.plan import plan as task

    return task(resolved, catalog).to_dict()


def _serving(brief: str, text: str | None, catalog: Catalog, print_brief: bool, asked: Asked) -> Answer:
    """Plan a service: a brief with a section `serve`."""
    from groundplan.tasks.plan_serving import plan_serving
    from groundplan.workload.service_brief import read_serving_brief

    resolved = read_serving_brief(
        "standard input" if text is not None else brief, catalog, asked.sets, asked.as_of, text
    )
    return _printed(resolved.resolved) if print_brief else plan_serving(resolved, catalog).to_dict()


def _pipeline(brief: str, text: str | None, catalog: Catalog, asked: Asked) -> Answer:
    """Plan a pipeline: a brief with a section `pipeline`."""
    from groundplan.tasks.plan_pipeline import plan_pipeline
    from groundplan.workload.pipeline import read_pipeline_brief

    label = "standard input" if text is not None else brief
    return plan_pipeline(read_pipeline_brief(label, catalog, asked.sets, asked.as_of, text), catalog).to_dict()


def _mission(brief: str, text: str | None, catalog: Catalog, print_brief: bool, asked: Asked) -> Answer:
    """Plan a mission on the edge: a brief with a section `mission`."""
    from groundplan.tasks.mission import mission
    from groundplan.workload.mission import read_mission_brief

    label = "standard input" if text is not None else brief
    resolved = read_mission_brief(label, catalog, asked.sets, asked.as_of, text)
    return _printed(resolved.resolved) if print_brief else mission(resolved, catalog).to_dict()


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
