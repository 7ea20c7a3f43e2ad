"""The plan page: a brief and what is most often changed of it; the address holds both."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from groundplan.errors import GroundplanError, UnknownName
from groundplan.render.views import document_of
from groundplan.tasks.diff import diff
from groundplan.tasks.explain import explain
from groundplan.web.forms import Form, Input
from groundplan.web.pages import SIDES, chart_of, report_of
from groundplan.web.plans import EXAMPLES, LABEL, NAME, SETS, values_of
from groundplan.web.site import Site, blocks_of, query_of, status_of
from groundplan.workload.yaml_source import load_yaml

HERE = f"/{NAME}"


def routes(site: Site) -> list[BaseRoute]:
    """Return the routes of the plan page."""
    return [
        Route(HERE, partial(_page, site)),
        Route(f"{HERE}/answer", partial(_fragment, site)),
        Route(f"{HERE}/report", partial(_report, site)),
        Route(f"{HERE}/compare", partial(_compare, site)),
        Route(f"{HERE}/explain/{{metric}}", partial(_explain, site)),
        Route(f"{HERE}/chart/{{name}}", partial(_chart, site)),
    ]


def _plan(site: Site, request: Request) -> Mapping[str, Any]:
    return site.plan(values_of(request.query_params.multi_items()))


def _page(site: Site, request: Request) -> Response:
    context = _answered(site, request.query_params.multi_items())
    return site.html("plan.html", title="Plan", examples=EXAMPLES, form=_form(context["values"]), **context)


def _form(values: Mapping[str, str], prefix: str = "") -> Form:
    """Return the form of a brief: its text, and what is most often changed of it."""
    text = values.get("brief", "")
    told = "YAML; every key that does not exist is an error."
    brief = Input(f"{prefix}brief", "Brief", told, "area", text, "", (), "", True)
    changes = [
        Input(
            f"{prefix}{key}",
            label,
            f"In place of {key}{comma}{example}",
            "text",
            values.get(key, ""),
            "",
            (),
            "",
            False,
        )
        for key, words in SETS[_kind(text)].items()
        for label, comma, example in [words.partition(",")]
    ]
    return Form((brief, *changes), (), ())


def _kind(text: str) -> str:
    try:
        data = load_yaml(text, LABEL).data
    except GroundplanError:
        return "train"
    return next((kind for kind in SETS if kind in data), "train")


def _fragment(site: Site, request: Request) -> Response:
    return site.html("answer.html", **_answered(site, request.query_params.multi_items()))


def _answered(site: Site, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    context: dict[str, Any] = {"here": HERE, "error": None, "status": 200, "values": {}}
    try:
        values = context["values"] = values_of(pairs)
        found = site.plan(values)
        document = document_of(found)
    except GroundplanError as error:
        return {**context, "error": error, "status": status_of(error)}
    query = query_of(values)
    shown: Any = found.get("recommended") or next(iter(found.get("nearest_feasible") or ()), {})
    return {
        **context,
        "query": query,
        "json": f"/api/v1/plan?{query}",
        "compare": "&".join(query_of(values, f"{side}.") for side in SIDES),
        "command": _command(values),
        "document": document,
        "blocks": blocks_of(document, HERE, query),
        "metrics": list(shown.get("explain") or {}) if isinstance(shown, Mapping) else [],
    }


def _command(values: Mapping[str, str]) -> str:
    sets = [word for key, value in values.items() if key != "brief" for word in ("--set", f"{key}={value}")]
    return shlex.join(["groundplan", "plan", "brief.yaml", *sets])


def _report(site: Site, request: Request) -> Response:
    return report_of(_plan(site, request), NAME)


def _explain(site: Site, request: Request) -> Response:
    found, query = explain(_plan(site, request), request.path_params["metric"]).to_dict(), request.url.query
    return site.document(document_of(found), here=HERE, title=found["metric"], back=f"{HERE}?{query}", query=query)


def _chart(site: Site, request: Request) -> Response:
    return chart_of(document_of(_plan(site, request)), request.path_params["name"])


def _compare(site: Site, request: Request) -> Response:
    """Two briefs side by side, their plans, and what differs."""
    pairs = request.query_params.multi_items()
    for key, _ in pairs:
        if not key.startswith(tuple(f"{side}." for side in SIDES)):
            raise UnknownName("key", key, [f"{side}.brief" for side in SIDES])
    sides = []
    for side in SIDES:
        own = [(key.removeprefix(f"{side}."), text) for key, text in pairs if key.startswith(f"{side}.")]
        context = _answered(site, own)
        sides.append({"name": side.upper(), "form": _form(context["values"], f"{side}."), **context})
    difference = None
    if not any(side["error"] for side in sides):
        found = diff(*(site.plan(side["values"]) for side in sides)).to_dict()
        difference = blocks_of(document_of(found), HERE, "")
    return site.html("compare.html", here=HERE, title="Plan: compare", sides=sides, difference=difference, tables={})
