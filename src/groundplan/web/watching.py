"""What is watched over in the accounts: shifts of spend and budgets, each with its charts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from groundplan.errors import UnknownName
from groundplan.finops.lake.lake import Lake
from groundplan.render.views import document_of
from groundplan.tasks.finops.allocate import AllocateRequest
from groundplan.tasks.finops.anomalies import anomalies
from groundplan.tasks.finops.check import CheckRequest, check, held_by
from groundplan.tasks.finops.recommend import recommend
from groundplan.web.access.tokens import sees_all
from groundplan.web.explorer import HERE, command_of, own_teams
from groundplan.web.operations import day_of
from groundplan.web.pages import chart_of, report_of
from groundplan.web.site import Site

Answer = Callable[[Request], dict[str, Any]]

COMMANDS = {"anomalies": "anomalies", "recommendations": "recommend", "budgets": "check"}


def routes(site: Site) -> list[BaseRoute]:
    """Return the routes of what is watched over; none without a lake, no budgets where none are named."""
    if site.lake is None:
        return []
    shown: list[tuple[str, str, Answer]] = [
        ("anomalies", "Shifts of spend", partial(_anomalies, site)),
        ("recommendations", "What to do about waste", partial(_recommended, site)),
    ]
    found: list[BaseRoute] = []
    if site.budgets is not None:
        shown.append(("budgets", "Budgets", partial(_budgets, site, site.budgets)))
        found.append(Route("/api/v1/finops/check", partial(_json, shown[-1][2])))
    for name, title, answer in shown:
        found.append(Route(f"{HERE}/{name}", partial(_page, site, name, title, answer)))
        found.append(Route(f"{HERE}/{name}/report", partial(_report, name, answer)))
        found.append(Route(f"{HERE}/{name}/chart/{{name}}", partial(_chart, answer)))
    return found


def _page(site: Site, name: str, title: str, answer: Answer, request: Request) -> Response:
    document, query = document_of(answer(request)), request.url.query
    given = [("budgets", "budgets.yaml"), *request.query_params.items()] if name == "budgets" else []
    return site.document(
        document, here=HERE, title=title, back=HERE, charts=f"{HERE}/{name}", query=query,
        command=command_of(COMMANDS[name], given), report=f"{HERE}/{name}/report?{query}",
        json=f"/api/v1/finops/check?{query}" if name == "budgets" else "",
    )  # fmt: skip


def _report(name: str, answer: Answer, request: Request) -> Response:
    return report_of(answer(request), COMMANDS[name])


def _chart(answer: Answer, request: Request) -> Response:
    return chart_of(document_of(answer(request)), request.path_params["name"])


def _json(answer: Answer, request: Request) -> Response:
    from groundplan.web.api import json_of

    return json_of(answer(request))


def _anomalies(site: Site, request: Request) -> dict[str, Any]:
    _refuse_teams(request)
    return _held(site, "anomalies", {}, lambda: anomalies(str(site.lake)).to_dict())


def _recommended(site: Site, request: Request) -> dict[str, Any]:
    _refuse_teams(request)
    asked = AllocateRequest(str(site.lake))
    return _held(site, "recommend", {}, lambda: recommend(asked, site.catalog).to_dict())


def _budgets(site: Site, budgets: Path, request: Request) -> dict[str, Any]:
    """Return every budget, or those of the teams of a token."""
    for key in request.query_params:
        if key != "as_of":
            raise UnknownName("key", key, ("as_of",))
    day = day_of(request.query_params.get("as_of", ""))
    asked = CheckRequest(str(site.lake), budgets, as_of=day.date() if day else None)
    written = {"changed": str(budgets.exists() and budgets.stat().st_mtime_ns), "as_of": str(asked.as_of)}
    answer = _held(site, "check", written, lambda: check(asked).to_dict())
    answer = answer if sees_all(request.scope.get("token")) else held_by(answer, own_teams(request))
    return {**answer, "lake": ""}


def _held(site: Site, task: str, values: dict[str, str], work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return an answer that holds until something is imported: a page and its charts compute it once."""
    imports = str(len(Lake(str(site.lake)).commits))
    return dict(site.answers.ask(f"finops {task}", {**values, "imports": imports}, work))


def _refuse_teams(request: Request) -> None:
    if not sees_all(request.scope.get("token")):
        raise HTTPException(403, "this token does not see all accounts")
