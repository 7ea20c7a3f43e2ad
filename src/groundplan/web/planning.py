"""The plan page: a brief and what is most often changed of it; the address holds both."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from functools import partial
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from groundplan.catalog.catalog import Catalog
from groundplan.errors import GroundplanError, InputError, UnknownName
from groundplan.questions.briefs import plan_any, read_any
from groundplan.questions.shared import MODEL
from groundplan.render import render
from groundplan.render.views import document_of
from groundplan.tasks.explain import explain
from groundplan.web.asking import LONGEST, given_by
from groundplan.web.site import Site, blocks_of, query_of, status_of
from groundplan.workload.yaml_source import load_yaml

NAME = "plan"
HERE = f"/{NAME}"
LABEL = "the brief"
OF_FILES = ("hf_config", "requests")  # keys of a brief that name files
EXAMPLES = {"train": "Train a model", "serve": "Serve a model", "pipeline": "Chain stages", "mission": "Fly a mission"}
SETS = {
    "train": {
        "goal.deadline": "Deadline, e.g. 3 d",
        "goal.budget": "Budget, e.g. 15000 USD",
        "goal.max_accelerators": "Most accelerators",
        "candidates.accelerators": "Accelerators, e.g. h100-sxm",
    },
    "serve": {
        "serve.traffic.rate": "Requests per second",
        "serve.limits.ttft_p95": "First token, e.g. 2 s",
        "serve.limits.tpot_p95": "A token, e.g. 50 ms",
        "candidates.accelerators": "Accelerators, e.g. [h100-sxm, mi300x]",
    },
    "pipeline": {"pipeline.rate": "Items per second", "pipeline.peak": "Spike, times the rate"},
    "mission": {"mission.frames_per_second": "Frames per second", "mission.flight": "Flight, e.g. 25 min"},
}


def routes(site: Site) -> list[BaseRoute]:
    """Return the routes of the plan page."""
    return [
        Route(HERE, partial(_page, site)),
        Route(f"{HERE}/answer", partial(_fragment, site)),
        Route(f"{HERE}/report", partial(_report, site)),
        Route(f"{HERE}/explain/{{metric}}", partial(_explain, site)),
        Route(f"{HERE}/chart/{{name}}", partial(_chart, site)),
    ]


def plan_of(values: Mapping[str, str], catalog: Catalog) -> dict[str, Any]:
    """Return the plan of a brief that came over the web, by the JSON contract.

    Raises
    ------
    GroundplanError
        The brief cannot be understood, or names a file of this machine.
    """
    text = values.get("brief", "")
    if len(text) > LONGEST:
        raise InputError(f"the brief has {len(text):,} characters", f"give at most {LONGEST:,}")
    _refuse_files(load_yaml(text, LABEL).data, catalog)
    sets = [f"{key}={value}" for key, value in values.items() if key != "brief"]
    kind, brief = read_any(LABEL, text, catalog, sets)
    return plan_any(kind, brief, catalog)


def _refuse_files(node: Any, catalog: Catalog) -> None:
    """Raise InputError where a brief names a file: it would be one of this machine."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key in OF_FILES and isinstance(value, str):
                raise InputError(
                    f"{key} names a file, and this is not the machine it is on", "give the numbers themselves"
                )
            if key in ("model", "draft") and isinstance(value, str):
                given_by(MODEL, value, catalog, None)
            _refuse_files(value, catalog)
    elif isinstance(node, list):
        for one in node:
            _refuse_files(one, catalog)


def values_of(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the brief and what replaces its values; the first example where nothing is asked.

    Raises
    ------
    UnknownName, InputError
        A key that no brief has, or one that is given twice.
    """
    pairs = [(key, value) for key, value in given if value.strip()]
    known = {"brief", "example", *(key for keys in SETS.values() for key in keys)}
    values: dict[str, str] = {}
    for key, value in pairs:
        if key not in known:
            raise UnknownName("key", key, known)
        if key in values:
            raise InputError(f"{key} is given twice", "give it once")
        values[key] = value.strip()
    example = values.pop("example", "train")
    if example not in EXAMPLES:
        raise UnknownName("example", example, EXAMPLES)
    return {"brief": values.get("brief") or example_of(example), **values}


def answer(site: Site, values: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the plan of a page's values; its charts and its report find it computed."""
    return site.answers.ask(NAME, values, lambda: plan_of(values, site.catalog))


def _plan(site: Site, request: Request) -> Mapping[str, Any]:
    return answer(site, values_of(request.query_params.multi_items()))


def example_of(kind: str) -> str:
    """Return the brief that a page begins with."""
    return files("groundplan.web").joinpath("briefs", f"{kind}.yaml").read_text(encoding="utf-8").strip()


def _page(site: Site, request: Request) -> Response:
    context = _answered(site, request)
    sets = SETS[_kind(context["values"].get("brief", ""))]
    changes = [(key, text, context["values"].get(key, "")) for key, text in sets.items()]
    return site.html("plan.html", title="Plan", examples=EXAMPLES, changes=changes, **context)


def _kind(text: str) -> str:
    try:
        data = load_yaml(text, LABEL).data
    except GroundplanError:
        return "train"
    return next((kind for kind in SETS if kind in data), "train")


def _fragment(site: Site, request: Request) -> Response:
    return site.html("answer.html", **_answered(site, request))


def _answered(site: Site, request: Request) -> dict[str, Any]:
    context: dict[str, Any] = {"here": HERE, "error": None, "status": 200, "values": {}}
    try:
        values = context["values"] = values_of(request.query_params.multi_items())
        found = answer(site, values)
        document = document_of(found)
    except GroundplanError as error:
        return {**context, "error": error, "status": status_of(error)}
    query = query_of(values)
    shown: Any = found.get("recommended") or next(iter(found.get("nearest_feasible") or ()), {})
    return {
        **context,
        "query": query,
        "json": f"/api/v1/plan?{query}",
        "compare": None,
        "command": _command(values),
        "document": document,
        "blocks": blocks_of(document, HERE, query),
        "metrics": list(shown.get("explain") or {}) if isinstance(shown, Mapping) else [],
    }


def _command(values: Mapping[str, str]) -> str:
    sets = [word for key, value in values.items() if key != "brief" for word in ("--set", f"{key}={value}")]
    return shlex.join(["groundplan", "plan", "brief.yaml", *sets])


def _report(site: Site, request: Request) -> Response:
    headers = {"Content-Disposition": 'attachment; filename="groundplan-plan.html"'}
    return Response(render(_plan(site, request), "html"), media_type="text/html", headers=headers)


def _explain(site: Site, request: Request) -> Response:
    found = explain(_plan(site, request), request.path_params["metric"]).to_dict()
    document, query = document_of(found), request.url.query
    blocks = blocks_of(document, HERE, query)
    return site.html(
        "document.html",
        here=HERE,
        title=found["metric"],
        back=f"{HERE}?{query}",
        document=document,
        blocks=blocks,
        error=None,
    )


def _chart(site: Site, request: Request) -> Response:
    from groundplan.web.pages import chart_of

    return chart_of(document_of(_plan(site, request)), request.path_params["name"])
