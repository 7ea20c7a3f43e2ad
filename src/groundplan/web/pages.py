"""The pages: a form on the left, its answer on the right; the address is the whole input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from groundplan.errors import GroundplanError, UnknownName
from groundplan.questions.question import Question
from groundplan.render import render
from groundplan.render.document import Chart, Document
from groundplan.render.views import document_of
from groundplan.tasks.diff import diff
from groundplan.tasks.explain import explain
from groundplan.web.asking import command_line, values_of
from groundplan.web.forms import form_of
from groundplan.web.site import QUESTIONS, SHADES, Site, blocks_of, query_of, status_of

SIDES = ("a", "b")
FORMS = {"svg": "image/svg+xml", "json": "application/json"}
SVG = "http://www.w3.org/2000/svg"  # without it a browser takes a file for no picture
LONG = ("simulate-serve",)  # may take seconds: asked as jobs where the browser has scripts


def routes(site: Site) -> list[BaseRoute]:
    """Return the routes of all pages of questions, and of the first page."""
    found: list[BaseRoute] = [Route("/", partial(_home, site)), Route("/static/{name}", site.asset)]
    for question in QUESTIONS:
        path = f"/{question.name}"
        found += [
            Route(path, partial(_page, site, question)),
            Route(f"{path}/answer", partial(_fragment, site, question)),
            Route(f"{path}/report", partial(_report, site, question)),
            Route(f"{path}/compare", partial(_compare, site, question)),
            Route(f"{path}/explain/{{metric}}", partial(_explain, site, question)),
            Route(f"{path}/chart/{{name}}", partial(_chart, site, question)),
        ]
    return found


def _home(site: Site, request: Request) -> Response:
    cards = [("/plan", "Plan", "One brief in, a costed and checked design out: train, serve, chain, fly.")]
    cards += [(f"/{question.name}", question.title, question.summary) for question in QUESTIONS]
    cards += [
        ("/guide", "Guide", "What holds of the folk rules, with sources and calculators in the text; a glossary."),
        ("/catalog", "Catalog", "Accelerators, hosts, fabrics, storage, models and prices, a source per number."),
        ("/accuracy", "Accuracy", "Predictions scored against published measurements."),
    ]
    return site.html("home.html", title="Plan machine-learning infrastructure", here="/", cards=cards)


def _page(site: Site, question: Question, request: Request) -> Response:
    wanted = request.headers.get("accept", "")
    if wanted.startswith("application/json"):
        from groundplan.web.api import ask_by_address

        return ask_by_address(site, question, request)
    pairs = request.query_params.multi_items()
    context = _answered(site, question, pairs or list(question.example.items()))
    form = form_of(question, context["values"])
    return site.html(
        "calculator.html",
        title=question.title,
        lead=" ".join(filter(None, (question.summary, question.details))),
        form=form,
        tables=site.names(form.tables),
        is_long=question.name in LONG,
        sent=query_of(context["values"]),
        **context,
    )


def _fragment(site: Site, question: Question, request: Request) -> Response:
    context = _answered(site, question, request.query_params.multi_items())
    return site.html("answer.html", **context)


def _answered(site: Site, question: Question, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return what the template of an answer needs: the answer, or the error."""
    pairs, here = list(pairs), f"/{question.name}"
    context: dict[str, Any] = {"here": here, "question": question, "values": dict(pairs), "error": None, "status": 200}
    try:
        values = values_of(question, pairs)
        answer = site.answer(question, values)
        document = document_of(answer)
    except GroundplanError as error:
        return {**context, "error": error, "status": status_of(error)}
    query = query_of(values)
    return {
        **context,
        "values": values,
        "query": query,
        "json": f"/api/v1/{question.name}?{query}",
        "compare": "&".join(query_of(values, f"{side}.") for side in SIDES),
        "command": command_line(question, values),
        "document": document,
        "blocks": blocks_of(document, here, query),
        "metrics": list(_trees(answer)),
    }


def _trees(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    trees = answer.get("explain")
    return trees if isinstance(trees, Mapping) else {}


def _report(site: Site, question: Question, request: Request) -> Response:
    return report_of(_answer(site, question, request), question.name)


def report_of(answer: Mapping[str, Any], name: str) -> Response:
    """Answer with a report to keep, as the command writes it."""
    headers = {"Content-Disposition": f'attachment; filename="groundplan-{name}.html"'}
    return Response(render(answer, "html"), media_type="text/html", headers=headers)


def _answer(site: Site, question: Question, request: Request) -> Mapping[str, Any]:
    return site.answer(question, values_of(question, request.query_params.multi_items()))


def _explain(site: Site, question: Question, request: Request) -> Response:
    found = explain(_answer(site, question, request), request.path_params["metric"]).to_dict()
    here, query = f"/{question.name}", request.url.query
    return site.document(document_of(found), here=here, title=found["metric"], back=f"{here}?{query}", query=query)


def _chart(site: Site, question: Question, request: Request) -> Response:
    return chart_of(document_of(_answer(site, question, request)), request.path_params["name"])


def chart_of(document: Document, name: str) -> Response:
    """Answer with a chart of a document: ``chart2.dark.svg`` as a picture, ``chart2.dark.json`` as Vega-Lite.

    Raises
    ------
    UnknownName
        It has no chart of that name, or there is no such shade or form.
    """
    from groundplan.render import charts

    drawn = {f"chart{index}": block for index, block in enumerate(document.blocks) if isinstance(block, Chart)}
    name, shade, form = [*name.split(".", 2), "", ""][:3]
    for kind, one, known in (("chart", name, drawn), ("shade", shade, SHADES), ("form of a chart", form, FORMS)):
        if one not in known:
            raise UnknownName(kind, one, known)
    text = charts.svg(drawn[name], name) if form == "svg" else charts.spec(drawn[name])
    text = text.replace("<svg ", f'<svg xmlns="{SVG}" ', 1)
    headers = {"Cache-Control": "private, max-age=3600"}
    return Response(text.replace(charts.INK, SHADES[shade]), media_type=FORMS[form], headers=headers)


def _compare(site: Site, question: Question, request: Request) -> Response:
    """Two forms side by side, their answers, and what differs."""
    pairs = request.query_params.multi_items()
    for key, _ in pairs:
        if not key.startswith(tuple(f"{side}." for side in SIDES)):
            raise UnknownName("key", key, [f"{side}.{field.key}" for side in SIDES for field in question.fields])
    sides = []
    for side, name in zip(SIDES, ("A", "B"), strict=True):
        own = [(key.removeprefix(f"{side}."), text) for key, text in pairs if key.startswith(f"{side}.")]
        context = _answered(site, question, own or list(question.example.items()))
        form = form_of(question, context["values"], f"{side}.")
        sides.append({"name": name, "form": form, **context})
    difference = None
    if not any(side["error"] for side in sides):
        answers = [site.answer(question, side["values"]) for side in sides]
        difference = blocks_of(document_of(diff(*answers).to_dict()), f"/{question.name}", "")
    title = f"{question.title}: compare"
    tables = site.names(sides[0]["form"].tables)
    here = f"/{question.name}"
    return site.html("compare.html", here=here, title=title, sides=sides, difference=difference, tables=tables)
