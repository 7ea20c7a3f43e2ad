"""The API: every question by address (GET, as pages and commands ask) and by its typed request (POST)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from pydantic import ConfigDict
from pydantic import Field as Described
from starlette.responses import Response

from groundplan.questions.question import Question
from groundplan.render import render
from groundplan.web import planning
from groundplan.web.asking import values_of
from groundplan.web.problems import MEDIA_TYPE
from groundplan.web.requests import Body, ask_by_request, body_of
from groundplan.web.site import QUESTIONS, Site

PREFIX = "/api/v1"
PROBLEM = {
    "description": "What was wrong, and how to mend it",
    "content": {
        MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "mend": {"type": "string"},
                    "nearest": {"type": "array", "items": {"type": "string"}},
                },
            },
            "example": {
                "type": "about:blank",
                "title": "Impossible request",
                "status": 422,
                "detail": "unknown accelerator 'h10'",
                "mend": "did you mean h100-sxm?",
                "nearest": ["h100-sxm"],
            },
        }
    },
}
PROBLEMS: dict[int | str, dict[str, Any]] = {400: PROBLEM, 422: PROBLEM}


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


class PlanBody(Body):
    """A brief, and what replaces values of it."""

    brief: str | dict[str, Any] = Described(description="YAML text, or the same as an object.")
    set: dict[str, str] = Described(default={}, description="Key of the brief -> value.")

    model_config = ConfigDict(json_schema_extra={"examples": [{"brief": planning.example_of("train")}]})


def _add_plan(found: APIRouter, site: Site) -> None:
    """Add the routes of the main question."""
    answer = {"description": "The plan", "content": {"application/json": {"schema": {"type": "object"}}}}
    shared: dict[str, Any] = {
        "responses": {200: answer, **PROBLEMS},
        "tags": ["Plan"],
        "summary": "One brief, one plan.",
    }

    def by_address(request: Request) -> Response:
        return json_of(planning.plan_of(planning.values_of(request), site.catalog))

    def by_brief(body: PlanBody) -> Response:
        text = body.brief if isinstance(body.brief, str) else json.dumps(body.brief)
        return json_of(planning.plan_of({"brief": text, **body.set}, site.catalog))

    text = {"name": "brief", "in": "query", "required": False, "schema": {"type": "string"}}
    found.add_api_route(
        "/plan", by_address, methods=["GET"], operation_id="get-plan", openapi_extra={"parameters": [text]}, **shared
    )
    found.add_api_route("/plan", by_brief, methods=["POST"], operation_id="plan", **shared)


def ask_by_address(site: Site, question: Question, request: Request) -> Response:
    """Answer a question whose fields stand in the address."""
    return json_of(site.answer(question, values_of(question, request.query_params.multi_items())))


def _by_address(site: Site, question: Question) -> Callable[..., Response]:
    def ask(request: Request) -> Response:
        return ask_by_address(site, question, request)

    return ask


def _by_request(site: Site, question: Question) -> Callable[..., Response]:
    def ask(body: Any) -> Response:
        return json_of(ask_by_request(question, body, site.catalog))

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
        if not field.is_file
    ]


def _answers(question: Question) -> dict[str, Any]:
    properties = {"schema": {"type": "string", "description": f"groundplan/{question.name}/N"}}
    schema = {"type": "object", "required": ["schema"], "properties": properties}
    return {"description": question.summary, "content": {"application/json": {"schema": schema}}}


def json_of(answer: Mapping[str, Any]) -> Response:
    """Return an answer as the command prints it."""
    return Response(render(answer, "json"), media_type="application/json")
