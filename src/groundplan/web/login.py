"""The page where a person gives a token, and the cookie that keeps it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from groundplan.errors import InputError
from groundplan.web.guard import COOKIE, LOGIN, form_value
from groundplan.web.site import Site
from groundplan.web.tokens import holder, read_tokens

LOGOUT = "/logout"
EIGHT_HOURS = 8 * 3600


def routes(site: Site, tokens: Path | None) -> list[BaseRoute]:
    """Return the routes of logging in and out; none where nobody has to."""
    if tokens is None:
        return []

    async def enter(request: Request) -> Response:
        secret = form_value(await request.body(), "token").strip()
        if holder(read_tokens(tokens), secret) is None:
            return _asked(site, request, wrong=True)
        answer = RedirectResponse("/", 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, secret, max_age=EIGHT_HOURS, httponly=True, samesite="strict", secure=secure)
        return answer

    return [
        Route(LOGIN, partial(_asked, site), methods=["GET"]),
        Route(LOGIN, enter, methods=["POST"]),
        Route(LOGOUT, _left, methods=["POST"]),
    ]


def _asked(site: Site, request: Request, wrong: bool = False) -> Response:
    error = InputError("no such token, or it has expired", "ask an administrator for one") if wrong else None
    return site.html("login.html", 403 if wrong else 200, title="Log in", here=LOGIN, error=error)


def _left(request: Request) -> Response:
    answer = RedirectResponse(LOGIN, 303)
    answer.delete_cookie(COOKIE)
    return answer
