"""Where files are sent: by the form of a page, which goes back to it with the file in its address, or by the API."""

from __future__ import annotations

from functools import partial
from typing import Any

from fastapi import APIRouter, UploadFile
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile as Sent
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from groundplan.errors import InputError, UnknownName
from groundplan.web.access.tokens import Role
from groundplan.web.problems import PROBLEMS
from groundplan.web.site import QUESTIONS, Site, query_of
from groundplan.web.uploads.store import LARGEST

PAGE = "/upload"


def routes(site: Site) -> list[BaseRoute]:
    """Return the route of the forms."""
    return [Route(f"{PAGE}/{{name}}/{{key}}", partial(_sent, site), methods=["POST"])]


def router(site: Site, prefix: str) -> APIRouter:
    """Return the operation of the API."""
    found = APIRouter(prefix=prefix, tags=["Uploads"])

    async def send(file: UploadFile, request: Request) -> Response:
        allow(request)
        token = await run_in_threadpool(site.uploads.keep, file.file, file.filename or "")
        return JSONResponse({"upload": token}, 201)

    schema = {"type": "object", "required": ["upload"], "properties": {"upload": {"type": "string"}}}
    kept = {"description": "What stands for the file in a request", "content": {"application/json": {"schema": schema}}}
    responses: dict[int | str, dict[str, Any]] = {201: kept, 403: PROBLEMS[422], 413: PROBLEMS[422], **PROBLEMS}
    found.add_api_route(
        "/uploads", send, methods=["POST"], status_code=201, operation_id="upload", responses=responses,
        summary="Send a config.json or a request trace.", description=f"At most {LARGEST >> 20} MiB.",
    )  # fmt: skip
    return found


def allow(request: Request) -> None:
    """Turn away who may not send files."""
    token = request.scope.get("token")
    if token is not None and not token.may(Role.EDITOR):
        raise HTTPException(403, f"a {token.role} cannot send files")


async def kept(site: Site, request: Request) -> str:
    """Keep the file that a form sends, and return what stands for it.

    Raises
    ------
    InputError
        It sends none, or one that cannot be kept.
    """
    async with request.form(max_files=1, max_fields=2) as form:
        file = form.get("file")
        if not isinstance(file, Sent) or not file.filename:
            raise InputError("no file was chosen", "choose one")
        return await run_in_threadpool(site.uploads.keep, file.file, file.filename)


async def _sent(site: Site, request: Request) -> Response:
    """Keep the file of a form, and lead back to its page with the file in place of the field."""
    allow(request)
    names = {question.name: question for question in QUESTIONS}
    name, key = request.path_params["name"], request.path_params["key"]
    if name not in names:
        raise UnknownName("page", name, names)
    field = names[name].field(key)
    if not (field.is_file or field.names == "models"):
        raise InputError(f"{key} is no file", "type it")
    values = {**request.query_params, key: await kept(site, request)}
    return RedirectResponse(f"/{name}?{query_of(values)}", 303)
