"""The application: pages and the API over one catalog."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundplan import __version__
from groundplan.catalog.catalog import load_catalog
from groundplan.errors import GroundplanError
from groundplan.web import api, explorer, guide_pages, health, library, pages, planning, watching
from groundplan.web.access import login
from groundplan.web.access.doors import Doors
from groundplan.web.access.guard import Guard
from groundplan.web.access.headers import SafeHeaders
from groundplan.web.jobs import routes as job_routes
from groundplan.web.jobs.processes import Processes
from groundplan.web.operations import Ground
from groundplan.web.problems import TITLES, problem, problem_of
from groundplan.web.site import Site, status_of
from groundplan.web.uploads import bills
from groundplan.web.uploads import routes as upload_routes

DESCRIPTION = "Plan, prove and police machine-learning infrastructure. Quantities are numbers in base units or text."


def create_app(
    jobs: Path,
    lake: str | None = None,
    doors: Doors | None = None,
    audit: Path | None = None,
    hosts: tuple[str, ...] = (),
    budgets: Path | None = None,
) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    jobs : Path
        Folder of the long questions, one for all workers of a server.
    lake : str, optional
        Folder or URL of the accounts.
    doors, audit, hosts
        As `Guard` takes them.
    budgets : Path, optional
        Held against the accounts; see `finops check`.
    """
    site = Site(load_catalog(), lake, jobs, budgets)
    ground = Ground(site.catalog, lake, site.uploads)
    processes = Processes(site.jobs, lake)

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[None]:
        processes.begin_lost()
        yield
        processes.end()

    app = FastAPI(
        title="Groundplan",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=f"{api.PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=living,
    )
    for part in (pages, planning, library, guide_pages, explorer, watching, health, upload_routes, bills):
        app.router.routes.extend(part.routes(site))
    app.include_router(api.router(site, ground))
    app.include_router(job_routes.router(site, ground, processes, api.PREFIX))
    app.include_router(upload_routes.router(site, api.PREFIX))
    app.router.routes.append(Route("/api", partial(_described, app, site)))
    app.router.routes.extend(login.routes(site, doors))
    app.add_middleware(Guard, doors=doors, audit=audit, hosts=hosts)
    app.add_middleware(SafeHeaders)
    app.add_middleware(health.Counted, routes=app.router.routes)
    for kind in (GroundplanError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _told(site))
    return app


def _described(app: FastAPI, site: Site, request: Request) -> Response:
    """Answer with the operations of the API as a page."""
    operations = [
        (method.upper(), path, operation.get("summary", ""))
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    ]
    return site.html("api.html", title="API", here="/api", operations=operations, address=str(request.base_url))


def _told(site: Site) -> Callable[[Request, Exception], Response]:
    """Return the handler that turns an error into problem details, or a page where one was asked for."""

    def told(request: Request, error: Exception) -> Response:
        if request.url.path.startswith(api.PREFIX) or "text/html" not in request.headers.get("accept", ""):
            return _problem(error)
        status, what, mend = _words(error)
        shown = {"what": what, "mend": mend}
        return site.html("document.html", status, title=TITLES.get(status, "Error"), here="", back="/", error=shown)

    return told


def _problem(error: Exception) -> Response:
    if isinstance(error, GroundplanError):
        return problem_of(error)
    status, what, mend = _words(error)
    headers = dict(error.headers) if isinstance(error, HTTPException) and error.headers else None
    return problem(status, what, mend, headers)


def _words(error: Exception) -> tuple[int, str, str]:
    if isinstance(error, GroundplanError):
        return status_of(error), error.what, error.mend
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        return 422, f"{where or 'the body'}: {first['msg']}", f"see {api.PREFIX}/openapi.json"
    if isinstance(error, HTTPException):
        return error.status_code, str(error.detail), ""
    return 500, "internal error", "please report what you asked"
