"""The accounts as pages: who pays and what was idle; the jobs and a statement for each owner.

Who sees what: a token of some teams sees the rows of those, and all others as one row, so that a total never changes
its meaning; an admin, and everybody on a server without tokens, sees all.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from groundplan.errors import UnknownName
from groundplan.finops.money import EFFECTIVE
from groundplan.finops.rules import DIMENSIONS, TAGS
from groundplan.finops.states import State
from groundplan.render.document import Table
from groundplan.render.views import document_of
from groundplan.tasks.finops.allocate import AllocateRequest, allocate, narrowed
from groundplan.tasks.finops.jobs import owner_jobs
from groundplan.tasks.finops.statements import statements
from groundplan.web.access.tokens import Token, sees_all
from groundplan.web.operations import day_of
from groundplan.web.pages import report_of
from groundplan.web.site import Site, blocks_of

HERE = "/explorer"
KEYS = ("by", "only", "from", "to", "column", "currency")
MOST_JOBS, MOST_NAMES = 200, 60  # on a page
OTHERS = "(other teams)"
ADDED = ("cost_usd", "gpus_usd", "other_usd", "divided_usd")


def routes(site: Site) -> list[BaseRoute]:
    """Return the routes of the accounts, as pages and as JSON; none without a lake."""
    if site.lake is None:
        return []
    return [
        Route(HERE, partial(_page, site)),
        Route(f"{HERE}/report", partial(_report, site)),
        Route(f"{HERE}/statement/{{owner:path}}", partial(_statement, site)),
        Route(f"{HERE}/jobs/{{owner:path}}", partial(_jobs, site)),
        Route(f"{HERE}/report/jobs/{{owner:path}}", partial(_jobs_report, site)),
        Route("/api/v1/finops/allocate", partial(_json, site)),
        Route("/api/v1/finops/jobs/{owner:path}", partial(_jobs_json, site)),
    ]


def seen(answer: Mapping[str, Any], by: str, token: Token | None) -> dict[str, Any]:
    """Return an allocation as a token may see it: the rows of its teams, and the others as one.

    Raises
    ------
    HTTPException
        403: a token of some teams sees allocations by team only.
    """
    if token is None or sees_all(token):
        return dict(answer)
    if by != "team":
        raise HTTPException(403, "this token sees accounts by team")
    own = [row for row in answer["rows"] if row["team"] in token.teams]
    others = [row for row in answer["rows"] if row["team"] not in token.teams]
    rest: dict[str, Any] = {"team": OTHERS}
    for key in ADDED:
        rest[key] = format(sum((Decimal(row[key]) for row in others), Decimal(0)), "f")
    rest["gpu_hours"] = sum(row["gpu_hours"] for row in others)
    return {**answer, "rows": [*own, *([rest] if others else [])], "lake": ""}


def _asked(site: Site, request: Request) -> AllocateRequest:
    values = dict(request.query_params)
    for key in values:
        if key not in KEYS:
            raise UnknownName("key", key, KEYS)
    days = [day_of(values.get(key, "")) for key in ("from", "to")]
    by = values.get("by") or "team"
    if by not in DIMENSIONS:
        raise UnknownName("dimension", by, DIMENSIONS)
    column, currency = values.get("column") or EFFECTIVE, values.get("currency") or None
    return AllocateRequest(str(site.lake), by, column, days[0], days[1], None, currency)


def _allocated(site: Site, request: Request) -> tuple[AllocateRequest, dict[str, Any]]:
    asked = _asked(site, request)
    return asked, seen(allocate(asked).to_dict(), asked.by, request.scope.get("token"))


def _only(request: Request) -> list[str]:
    return [name for name in request.query_params.getlist("only") if name]


def _page(site: Site, request: Request) -> Response:
    asked, whole = _allocated(site, request)
    document = document_of(narrowed(whole, _only(request)))
    tables = [block for block in document.blocks if isinstance(block, Table)]
    rest = type(document)(
        document.schema, "", "", document.tone, tuple(b for b in document.blocks if b is not tables[0])
    )
    pairs = [(key, text) for key, text in request.query_params.multi_items() if text]
    return site.html(
        "explorer.html", here=HERE, title="Cost explorer", document=document, table=tables[0],
        blocks=blocks_of(rest, HERE, ""), dimensions=DIMENSIONS, by=asked.by, linked=asked.by in TAGS,
        only=_only(request), names=[row[asked.by] for row in whole["rows"]][:MOST_NAMES], states=list(State),
        values=dict(request.query_params), query=urlencode(pairs), own=own_teams(request),
        row_query=urlencode([pair for pair in pairs if pair[0] != "only"]),
        sees_all=sees_all(request.scope.get("token")),
        has_budgets=site.budgets is not None, command=command_of("allocate", pairs),
    )  # fmt: skip


def _json(site: Site, request: Request) -> Response:
    from groundplan.web.api import json_of

    return json_of(narrowed(_allocated(site, request)[1], _only(request)))


def _report(site: Site, request: Request) -> Response:
    return report_of(narrowed(_allocated(site, request)[1], _only(request)), "allocate")


def _statement(site: Site, request: Request) -> Response:
    asked, owner = _asked(site, request), request.path_params["owner"]
    if not _sees(request, asked.by, owner):
        raise HTTPException(403, "this token does not see that statement")
    found = {one.owner: one for one in statements(asked)}
    if owner not in found:
        raise UnknownName(asked.by, owner, found)
    document = document_of(found[owner].to_dict())
    return site.document(document, here=HERE, title=f"Statement: {owner}", back=f"{HERE}?{request.url.query}")


def _jobs(site: Site, request: Request) -> Response:
    owner, query = quote(request.path_params["owner"]), request.url.query
    return site.document(
        document_of(_owner_jobs(site, request, MOST_JOBS)),
        here=HERE,
        back=f"{HERE}?{query}",
        command=command_of("jobs", [("of", request.path_params["owner"]), *request.query_params.multi_items()]),
        json=f"/api/v1/finops/jobs/{owner}?{query}",
        report=f"{HERE}/report/jobs/{owner}?{query}",
    )


def _jobs_report(site: Site, request: Request) -> Response:
    return report_of(_owner_jobs(site, request, None), "jobs")


def command_of(task: str, pairs: Iterable[tuple[str, str]] = ()) -> str:
    """Return the command that gives the same; where the accounts lie, the page does not say."""
    words = [word for key, text in pairs if text for word in (f"--{key.replace('_', '-')}", text)]
    return shlex.join(["groundplan", "finops", task, "--lake", "LAKE", *words])


def _jobs_json(site: Site, request: Request) -> Response:
    from groundplan.web.api import json_of

    return json_of(_owner_jobs(site, request, None))


def _owner_jobs(site: Site, request: Request, most: int | None) -> dict[str, Any]:
    asked, owner = _asked(site, request), request.path_params["owner"]
    if not _sees(request, asked.by, owner):
        raise HTTPException(403, "this token does not see those jobs")
    return owner_jobs(asked, owner, most).to_dict() | {"lake": ""}


def own_teams(request: Request) -> tuple[str, ...]:
    """Return the teams of a token."""
    return tuple(getattr(request.scope.get("token"), "teams", ()))


def _sees(request: Request, by: str, owner: str) -> bool:
    """Say whether a token sees what is behind an owner's row."""
    return sees_all(request.scope.get("token")) or (by == "team" and owner in own_teams(request))
