"""What a supervisor asks: alive, ready, and figures for Prometheus."""

from __future__ import annotations

import os
import time

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundplan.web.site import Site

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # where several workers add up their figures
BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
REQUESTS = Counter("groundplan_http_requests_total", "Requests answered.", ("method", "route", "status"))
SECONDS = Histogram("groundplan_http_request_seconds", "Time to the end of an answer.", ("route",), buckets=BUCKETS)
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


def routes(site: Site) -> list[BaseRoute]:
    """Return the routes of health and metrics."""

    def ready(request: Request) -> Response:
        missing = not site.catalog.accelerators
        return PlainTextResponse("no catalog\n" if missing else "ready\n", 503 if missing else 200)

    return [Route("/healthz", _alive), Route("/readyz", ready), Route("/metrics", _metrics)]


def _alive(request: Request) -> Response:
    return PlainTextResponse("alive\n")


def _metrics(request: Request) -> Response:
    registry = REGISTRY
    if os.environ.get(SHARED_FOLDER):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class Counted:
    """Middleware that counts requests by route, never by address: addresses have no end."""

    def __init__(self, app: ASGIApp, routes: list[BaseRoute]) -> None:
        self.app = app
        self.routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and time it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def send_with_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_with_status)
        finally:
            route = self._route(scope)
            method = scope["method"] if scope["method"] in METHODS else "other"
            REQUESTS.labels(method, route, str(status)).inc()
            SECONDS.labels(route).observe(time.perf_counter() - began)

    def _route(self, scope: Scope) -> str:
        for route in self.routes:
            if route.matches(scope)[0] is not Match.NONE:
                return str(getattr(route, "path", "other"))
        return "other"
