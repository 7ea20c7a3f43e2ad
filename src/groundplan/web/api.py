"""The API: every question by address (GET, as pages and commands ask) and by its typed request (POST)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from groundplan.questions.question import Question
from groundplan.render import render
from groundplan.web import planning
from groundplan.web.asking import values_of
from groundplan.web.problems import PROBLEMS
from groundplan.web.requests import PlanBody, ask_by_request, body_of
from groundplan.web.site import QUESTIONS, Site

PREFIX = "/api/v1"


def router(site: Site) -> APIRouter:
    """Return the routes of all questions."""
    found = APIRouter(prefix=PREFIX)
    for question in QUESTIONS:
        path, answers = f"/{question.name}", {200: _answers(question), **PROBLEMS}
        shared: dict[str, Any] = {"summary": question.summary, "responses": answers, "tags": [question.title]}
        found.add_api_route(
            path,
            _by_address(site, question),
            methods=["GET"],
            operation_id=f"get-{question.name}",
            openapi_extra={"parameters": _parameters(question)},
            **shared,
        )
        found.add_api_route(
            path,
            _by_request(site, question),
            methods=["POST"],
            operation_id=question.name,
            description=question.details or None,
            **shared,
        )
    _add_plan(found, site)
    return found


def _add_plan(found: APIRouter, site: Site) -> None:
    """Add the routes of the main question."""
    answer = {"description": "The plan", "content": {"application/json": {"schema": {"type": "object"}}}}
    shared: dict[str, Any] = {
        "responses": {200: answer, **PROBLEMS},
        "tags": ["Plan"],
        "summary": "One brief, one plan.",
    }

    def by_address(request: Request) -> Response:
        return json_of(planning.answer(site, planning.values_of(request.query_params.multi_items())))

    def by_brief(body: PlanBody) -> Response:
        return json_of(planning.plan_of(body.values(), site.catalog))

    text = {"name": "brief", "in": "query", "required": False, "schema": {"type": "string"}}
    found.add_api_route(
        "/plan", by_address, methods=["GET"], operation_id="get-plan", openapi_extra={"parameters": [text]}, **shared
    )
    example = {"brief": planning.example_of("train")}
    body = {"requestBody": {"content": {"application/json": {"example": example}}}}
    found.add_api_route("/plan", by_brief, methods=["POST"], operation_id="plan", openapi_extra=body, **shared)


def ask_by_address(site: Site, question: Question, request: Request) -> Response:
    """Answer a question whose fields stand in the address."""
    return json_of(site.answer(question, values_of(question, request.query_params.multi_items())))


def _by_address(site: Site, question: Question) -> Callable[..., Response]:
    def ask(request: Request) -> Response:
        return ask_by_address(site, question, request)

    return ask


def _by_request(site: Site, question: Question) -> Callable[..., Response]:
    def ask(body: Any) -> Response:
        return json_of(ask_by_request(question, body, site.catalog, site.uploads))

    ask.__annotations__["body"] = body_of(question)
    return ask


def _parameters(question: Question) -> list[dict[str, Any]]:
    return [
        {
            "name": field.key,
            "in": "query",
            "required": field.needed,
            "description": field.help,
            "schema": {"type": "string", **({"enum": list(field.choices)} if field.choices else {})},
            **({"example": question.example[field.key]} if field.key in question.example else {}),
        }
        for field in question.fields
    ]


def _answers(question: Question) -> dict[str, Any]:
    properties = {"schema": {"type": "string", "description": f"groundplan/{question.name}/N"}}
    schema = {"type": "object", "required": ["schema"], "properties": properties}
    return {"description": question.summary, "content": {"application/json": {"schema": schema}}}


def json_of(answer: Mapping[str, Any]) -> Response:
    """Return an answer as the command prints it."""
    return Response(render(answer, "json"), media_type="application/json")
