"""Where a person comes in, by a token or by a provider, and the cookie that says so from then on."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from groundplan.errors import GroundplanError, InputError
from groundplan.web.access.doors import EIGHT_HOURS_S, Doors
from groundplan.web.access.guard import COOKIE, LOGIN, form_value
from groundplan.web.access.tokens import Role
from groundplan.web.site import Site

LOGOUT = "/logout"


def routes(site: Site, doors: Doors | None) -> list[BaseRoute]:
    """Return the routes of coming in and leaving; none where nobody has to."""
    if doors is None:
        return []
    page = partial(_page, site, doors)

    async def enter(request: Request) -> Response:
        secret = form_value(await request.body(), "token").strip()
        if doors.holder(secret) is None:
            return page(InputError("no such token, or it has expired", "ask an administrator for one"))
        return _let_in(RedirectResponse("/", 303), request, secret)

    def shown(request: Request) -> Response:
        return page()

    found: list[BaseRoute] = [
        Route(LOGIN, shown, methods=["GET"]),
        Route(LOGIN, enter, methods=["POST"]),
        Route(LOGOUT, _left, methods=["POST"]),
    ]
    if doors.provider is None:
        return found
    from groundplan.web.access import oidc

    def entered(request: Request, name: str, role: Role, teams: tuple[str, ...]) -> Response:
        # A page, no redirection: browsers keep a strict cookie back as long as the other site leads them.
        answer = site.html("entered.html", title="Logged in", here=LOGIN)
        return _let_in(answer, request, doors.session(name, role, teams))

    return [*found, *oidc.routes(doors.provider, doors.key, entered)]


def _page(site: Site, doors: Doors, error: GroundplanError | None = None) -> Response:
    return site.html("login.html", 403 if error else 200, title="Log in", here=LOGIN, error=error, doors=doors)


def _let_in(answer: Response, request: Request, secret: str) -> Response:
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, secret, max_age=EIGHT_HOURS_S, httponly=True, samesite="strict", secure=secure)
    return answer


def _left(request: Request) -> Response:
    answer = RedirectResponse(LOGIN, 303)
    answer.delete_cookie(COOKIE)
    return answer
