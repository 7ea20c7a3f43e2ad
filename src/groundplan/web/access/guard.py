"""Who may ask, how much and how often; and the log of who did."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundplan.web.access.doors import Doors
from groundplan.web.access.tokens import Token
from groundplan.web.problems import problem
from groundplan.web.uploads.store import LARGEST

COOKIE = "groundplan"
LOGIN = "/login"
OPEN = ("/healthz", "/readyz", LOGIN, f"{LOGIN}/oidc", f"{LOGIN}/oidc/back")  # asked without a token
OPEN_FOLDERS = ("/static/",)
LARGEST_BODY = 1 << 20
UPLOADS = ("/upload/", "/api/v1/uploads", "/explorer/import")
LARGEST_UPLOAD = LARGEST + LARGEST_BODY  # the file and the form around it
MANY, A_MINUTE = 1200, 60.0  # requests of one asker
SAFE = ("GET", "HEAD", "OPTIONS")


class Guard:
    """Middleware that turns away who has no token, sends too much, too slowly or too often, and writes the log.

    Parameters
    ----------
    app : ASGI application
    doors : Doors, optional
        Who may come in; without them anyone who reaches the server may ask.
    audit : Path, optional
        File to which a line of JSON is added for each request.
    hosts : tuple of str
        Names under which the server may be called; a page of another name cannot make a browser ask for it.
    """

    def __init__(
        self, app: ASGIApp, doors: Doors | None = None, audit: Path | None = None, hosts: tuple[str, ...] = ()
    ) -> None:
        self.app = app
        self.doors = doors
        self.audit = audit
        self.hosts = hosts
        self._asked: dict[str, tuple[float, int]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or turn it away."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        token, status = self._token(scope), 500

        async def logged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            refused = self._refused(scope, token)
            if refused is not None:
                await refused(scope, receive, logged)
                return
            scope["token"] = token
            await self.app(scope, _bounded(receive, scope["path"]), logged)
        finally:
            self._log(scope, token, status)

    def _refused(self, scope: Scope, token: Token | None) -> Response | None:
        """Return the answer to who may not ask."""
        headers, path = Headers(scope=scope), scope["path"]
        host = headers.get("host", "")
        if self.hosts and host not in self.hosts and host.rpartition(":")[0].strip("[]") not in self.hosts:
            return problem(403, "the server does not go by that name", "call it by its own address")
        if scope["method"] not in SAFE and headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return problem(403, "another site's page asked", "ask from a page of this server, or with a token")
        announced = headers.get("content-length", "0")
        if not announced.isdigit() or int(announced[:20]) > largest(path):
            return problem(413, _too_large(path))
        if self._too_often(token.name if token else str((scope.get("client") or ("?",))[0])):
            return problem(429, f"more than {MANY} requests in a minute", "wait a minute", {"Retry-After": "60"})
        if self.doors is None or token is not None or path in OPEN or path.startswith(OPEN_FOLDERS):
            return None
        if "text/html" in headers.get("accept", "") and scope["method"] in SAFE:
            return RedirectResponse(LOGIN, 303)
        return problem(401, "a token is needed", "send Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})

    def _token(self, scope: Scope) -> Token | None:
        """Return the token of a request: from its header, or of a page's cookie."""
        if self.doors is None:
            return None
        headers = Headers(scope=scope)
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            secret = cookie_of(headers.get("cookie", ""))
        return self.doors.holder(secret.strip())

    def _too_often(self, who: str) -> bool:
        now = time.monotonic()
        since, count = self._asked.get(who, (now, 0))
        if now - since > A_MINUTE:
            since, count = now, 0
            if len(self._asked) > 10_000:
                self._asked.clear()
        self._asked[who] = since, count + 1
        return self.doors is not None and count >= MANY

    def _log(self, scope: Scope, token: Token | None, status: int) -> None:
        if self.audit is None:
            return
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "who": token.name if token else None,
            "from": (scope.get("client") or (None,))[0],
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
        }
        with self.audit.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=True) + "\n")


def largest(path: str) -> int:
    """Return the most bytes that a request to a path may send."""
    return LARGEST_UPLOAD if path.startswith(UPLOADS) else LARGEST_BODY


def _too_large(path: str) -> str:
    return f"the body is larger than {largest(path) >> 10:,} KiB"


def _bounded(receive: Receive, path: str) -> Callable[[], Any]:
    came = 0

    async def bounded() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if came > largest(path):
            raise HTTPException(413, _too_large(path))
        return message

    return bounded


def cookie_of(header: str) -> str:
    """Return the secret that a page's cookie holds; empty where there is none."""
    cookie: SimpleCookie = SimpleCookie()
    try:
        cookie.load(header)
    except CookieError:
        return ""
    return cookie[COOKIE].value if COOKIE in cookie else ""


def form_value(body: bytes, name: str) -> str:
    """Return a value of a form that was sent."""
    return parse_qs(body.decode("utf-8", "replace")).get(name, [""])[0]
