"""The main question: one brief in, a costed and checked plan out, whatever the brief asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError
from groundplan.tasks.mission import mission
from groundplan.tasks.plan import plan
from groundplan.tasks.plan_pipeline import plan_pipeline
from groundplan.tasks.plan_serving import plan_serving
from groundplan.workload.brief import read_brief, read_brief_text
from groundplan.workload.mission import read_mission_brief
from groundplan.workload.pipeline import read_pipeline_brief
from groundplan.workload.service_brief import kind_of, read_serving_brief

PLANS = {"train": plan, "serve": plan_serving, "pipeline": plan_pipeline, "mission": mission}


def read_any(
    label: str, text: str | None, catalog: Catalog, sets: Sequence[str] = (), as_of: date | None = None
) -> tuple[str, Any]:
    """Return what a brief asks for, and the brief, every default filled in.

    Parameters
    ----------
    label : str
        The file, or what messages call `text`.
    text : str or None
        The brief, where it is in no file.
    catalog, sets, as_of
        As the readers of briefs take them.

    Raises
    ------
    InputError
        Anything that cannot be understood, with the key and its line.
    """
    kind = kind_of(label, text)
    if kind == "tco":
        raise InputError("this brief asks whether to own or to rent", "run: groundplan finops tco BRIEF")
    if kind == "serve":
        return kind, read_serving_brief(label, catalog, sets, as_of, text)
    if kind == "pipeline":
        return kind, read_pipeline_brief(label, catalog, sets, as_of, text)
    if kind == "mission":
        return kind, read_mission_brief(label, catalog, sets, as_of, text)
    if text is not None:
        return kind, read_brief_text(text, catalog, label=label, sets=sets, as_of=as_of)
    return kind, read_brief(label, catalog, sets, as_of)


def plan_any(kind: str, brief: Any, catalog: Catalog) -> dict[str, Any]:
    """Return the plan of a brief of a kind, by the JSON contract."""
    answer: dict[str, Any] = PLANS[kind](brief, catalog).to_dict()  # type: ignore[operator]
    return answer


def filled_in(kind: str, brief: Any) -> Mapping[str, object]:
    """Return a brief with every default filled in.

    Raises
    ------
    InputError
        A pipeline keeps none.
    """
    if kind == "pipeline":
        raise InputError("a pipeline's brief has no filled-in form", "its answer lists what was assumed")
    resolved: Mapping[str, object] = brief.resolved
    return resolved
