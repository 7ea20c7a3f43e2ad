"""The API: every task by its typed request (POST), questions by address too (GET, as pages and commands ask)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from groundplan.questions.question import Question
from groundplan.render import render
from groundplan.web import plans
from groundplan.web.access.tokens import sees_all
from groundplan.web.asking import values_of
from groundplan.web.operations import Ground, Operation, operations
from groundplan.web.problems import PROBLEMS
from groundplan.web.site import QUESTIONS, Site

PREFIX = "/api/v1"


def router(site: Site, ground: Ground) -> APIRouter:
    """Return the routes of all operations, and of those that an address can ask."""
    found = APIRouter(prefix=PREFIX)
    for question in QUESTIONS:
        found.add_api_route(
            f"/{question.name}",
            _by_address(site, question),
            methods=["GET"],
            operation_id=f"get-{question.name}",
            openapi_extra={"parameters": _parameters(question)},
            summary=question.summary,
            responses={200: _answers(question.name, question.summary), **PROBLEMS},
            tags=[question.title],
        )
    _add_plan(found, site)
    for one in operations().values():
        if one.is_long or (one.of_lake and ground.lake is None):
            continue
        found.add_api_route(
            f"/{one.name}",
            _by_request(one, ground),
            methods=["POST"],
            operation_id=one.name,
            summary=one.summary,
            description=one.details or None,
            responses={
                200: _answers(one.name, one.summary),
                **PROBLEMS,
                **({403: PROBLEMS[422]} if one.of_lake else {}),
            },
            tags=[one.tag],
        )
    return found


def _add_plan(found: APIRouter, site: Site) -> None:
    """Add the main question by address."""

    def by_address(request: Request) -> Response:
        return json_of(site.plan(plans.values_of(request.query_params.multi_items())))

    text = {"name": "brief", "in": "query", "required": False, "schema": {"type": "string"}}
    summary = operations()[plans.NAME].summary
    found.add_api_route(
        "/plan", by_address, methods=["GET"], operation_id="get-plan", openapi_extra={"parameters": [text]},
        summary=summary, responses={200: _answers("plan", summary), **PROBLEMS}, tags=["Plan"],
    )  # fmt: skip


def ask_by_address(site: Site, question: Question, request: Request) -> Response:
    """Answer a question whose fields stand in the address."""
    return json_of(site.answer(question, values_of(question, request.query_params.multi_items())))


def _by_address(site: Site, question: Question) -> Callable[..., Response]:
    def ask(request: Request) -> Response:
        return ask_by_address(site, question, request)

    return ask


def _by_request(operation: Operation, ground: Ground) -> Callable[..., Response]:
    def ask(body: Any, request: Request) -> Response:
        if operation.of_lake and not sees_all(request.scope.get("token")):
            raise HTTPException(403, "this token does not see all accounts")
        return json_of(operation.ask(ground, body))

    ask.__annotations__["body"] = operation.body
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


def _answers(name: str, summary: str) -> dict[str, Any]:
    properties = {"schema": {"type": "string", "description": f"groundplan/{name.replace('/', '-')}/N"}}
    schema = {"type": "object", "required": ["schema"], "properties": properties}
    return {"description": summary, "content": {"application/json": {"schema": schema}}}


def json_of(answer: Mapping[str, Any]) -> Response:
    """Return an answer as the command prints it."""
    return Response(render(answer, "json"), media_type="application/json")
