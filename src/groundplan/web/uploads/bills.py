"""Bills, job logs and telemetry that an administrator sends into the accounts."""

from __future__ import annotations

from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from groundplan.render.views import document_of
from groundplan.tasks.finops.lake import import_files
from groundplan.web.access.tokens import Role
from groundplan.web.site import Site
from groundplan.web.uploads.routes import kept

BACK = "/explorer"


def routes(site: Site) -> list[BaseRoute]:
    """Return the route of the form; none without accounts."""
    return [Route(f"{BACK}/import", partial(_imported, site), methods=["POST"])] if site.lake else []


async def _imported(site: Site, request: Request) -> Response:
    """Import the file of a form as the command does: a file that was imported before changes nothing."""
    token = request.scope.get("token")
    if token is not None and token.role is not Role.ADMIN:
        raise HTTPException(403, f"a {token.role} cannot change the accounts")
    path = site.uploads.path_of(await kept(site, request))
    with site.uploads.nameless():
        found = await run_in_threadpool(import_files, str(site.lake), [path])
    return site.document(document_of(found.to_dict()), here=BACK, title="Imported", back=BACK)
