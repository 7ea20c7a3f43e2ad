"""Jobs over the API: ask, look, follow by server-sent events, stop, fetch."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
from fastapi import APIRouter, Request
from pydantic import ConfigDict
from pydantic import Field as Described
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response, StreamingResponse

from groundplan.errors import InputError
from groundplan.render import render
from groundplan.web.access.tokens import Role, sees_all
from groundplan.web.jobs.processes import Processes
from groundplan.web.jobs.store import Job, NoSuchJob, Status, TooManyJobs
from groundplan.web.jobs.tasks import operation_of, request_in, values_in
from groundplan.web.operations import Ground
from groundplan.web.problems import PROBLEMS, problem
from groundplan.web.requests import Body
from groundplan.web.site import Site

SCHEMA = "groundplan/job/1"
LOOK_S = 0.2
STILL_THERE_S = 15.0  # between words on a line where nothing happens
STREAM = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class JobBody(Body):
    """A long question: its typed request, or the query of its page."""

    task: str = Described(description="The name of an operation of this API, or calibrate, which is a job only.")
    request: dict[str, Any] | None = Described(default=None, description="Its typed request, as it is posted.")
    query: str | None = Described(default=None, description="The query of its page, in place of a request.")

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"task": "memory", "request": {"model": "llama-3.1-8b"}}]}
    )


def router(site: Site, ground: Ground, processes: Processes, prefix: str) -> APIRouter:
    """Return the routes of jobs."""
    found = APIRouter(prefix=f"{prefix}/jobs", tags=["Jobs"], responses={**PROBLEMS, 403: PROBLEMS[422]})
    missing: dict[int | str, dict[str, Any]] = {404: PROBLEMS[422]}
    job = {"content": {"application/json": {"schema": _schema()}}}

    def add(path: str, method: str, summary: str, ask: Callable[..., Response], **more: Any) -> None:
        found.add_api_route(path, ask, methods=[method], summary=summary, response_class=JSONResponse, **more)

    def begin(body: JobBody, request: Request) -> Response:
        return _begin(site, ground, processes, body, request)

    def own(request: Request) -> Response:
        return JSONResponse({"jobs": [_told(site, one) for one in site.jobs.jobs() if _is_own(one, request)]})

    def look(job_id: str, request: Request) -> Response:
        asked = _asked(site, job_id, request)
        processes.begin_if_lost(job_id)
        return JSONResponse(_told(site, asked))

    def follow(job_id: str, request: Request) -> Response:
        asked = _asked(site, job_id, request)
        return StreamingResponse(_events(site, processes, asked), media_type="text/event-stream", headers=STREAM)

    def stop(job_id: str, request: Request) -> Response:
        asked = _asked(site, job_id, request)
        _allow(request)
        site.jobs.ask_to_stop(job_id)
        return JSONResponse(_told(site, asked), 202)

    def fetch(job_id: str, request: Request) -> Response:
        return _result(site, _asked(site, job_id, request))

    events = {"description": "progress, then done, failed or cancelled", "content": {"text/event-stream": {}}}
    answer = {"description": "The answer", "content": {"application/json": {"schema": {"type": "object"}}}}
    add("", "POST", "Begin a long question.", begin, operation_id="begin-job", status_code=202,
        responses={202: {"description": "It is begun", **job}, 503: PROBLEMS[422]})  # fmt: skip
    add("", "GET", "Your jobs.", own, operation_id="list-jobs")
    add("/{job_id}", "GET", "How far a job is.", look, operation_id="get-job",
        responses={200: {"description": "The job", **job}, **missing})  # fmt: skip
    add("/{job_id}", "DELETE", "Cancel a job.", stop, operation_id="cancel-job", status_code=202,
        responses={202: {"description": "It stops within a second", **job}, **missing})  # fmt: skip
    add("/{job_id}/events", "GET", "Follow a job.", follow, operation_id="follow-job",
        responses={200: events, **missing})  # fmt: skip
    add("/{job_id}/result", "GET", "What came out of a job.", fetch, operation_id="get-job-result",
        responses={200: answer, 409: PROBLEMS[422], **missing})  # fmt: skip
    return found


def _begin(site: Site, ground: Ground, processes: Processes, body: JobBody, request: Request) -> Response:
    _allow(request)
    if (body.query is None) == (body.request is None):
        raise InputError("a job takes a request or the query of a page, one of them", "give request, or query")
    asked: dict[str, Any] = {"query": body.query} if body.query is not None else {"request": body.request}
    operation = operation_of(body.task, ground.lake)
    if operation.of_lake and not sees_all(request.scope.get("token")):
        raise HTTPException(403, "this token does not see all accounts")
    if body.query is None:
        request_in(operation, body.request)
    else:
        values_in(body.task, body.query)
    token = request.scope.get("token")
    try:
        job = site.jobs.add(body.task, asked, token.name if token else None)
    except TooManyJobs as error:
        return problem(503, error.what, error.mend, {"Retry-After": "30"})
    processes.begin(job.id)
    return JSONResponse(_told(site, job), 202, {"Location": _address(job)})


def _allow(request: Request) -> None:
    token = request.scope.get("token")
    if token is not None and not token.may(Role.EDITOR):
        raise HTTPException(403, f"a {token.role} cannot begin or stop jobs")


def _asked(site: Site, job_id: str, request: Request) -> Job:
    """Return a job of the one who asks; another's is as if it were not there."""
    try:
        job = site.jobs.job(job_id)
    except NoSuchJob as error:
        raise HTTPException(404, error.what) from None
    if not _is_own(job, request):
        raise HTTPException(404, "there is no such job")
    return job


def _is_own(job: Job, request: Request) -> bool:
    token = request.scope.get("token")
    return token is None or token.role is Role.ADMIN or job.owner == token.name


def _told(site: Site, job: Job) -> dict[str, Any]:
    state, address = site.jobs.state(job.id), _address(job)
    links = {"self": address, "events": f"{address}/events", "result": f"{address}/result"}
    progress = {"done": state.done, "total": state.total, "what": state.what}
    return {
        "schema": SCHEMA, "id": job.id, "task": job.task, "status": state.status, "progress": progress, "links": links,
    }  # fmt: skip


def _address(job: Job) -> str:
    return f"/api/v1/jobs/{job.id}"


def _schema() -> dict[str, Any]:
    numbers = {name: {"type": "number"} for name in ("done", "total")}
    properties = {
        **{name: {"type": "string"} for name in ("schema", "id", "task")},
        "status": {"type": "string", "enum": list(Status)},
        "progress": {"type": "object", "properties": {**numbers, "what": {"type": "string"}}},
        "links": {"type": "object", "additionalProperties": {"type": "string"}},
    }
    return {"type": "object", "required": list(properties), "properties": properties}


async def _events(site: Site, processes: Processes, job: Job) -> AsyncIterator[str]:
    """Yield an event for each change of a job until it is over."""
    said, spoke = "", time.monotonic()
    while True:
        state = site.jobs.state(job.id)
        told = json.dumps(_told(site, job))
        name = str(state.status) if state.status.is_over else "progress"
        if told != said:
            said, spoke = told, time.monotonic()
            yield f"event: {name}\ndata: {told}\n\n"
        if state.status.is_over:
            return
        if time.monotonic() - spoke > STILL_THERE_S:
            spoke = time.monotonic()
            yield ": still there\n\n"
        await anyio.sleep(LOOK_S)
        await anyio.to_thread.run_sync(processes.begin_if_lost, job.id)


def _result(site: Site, job: Job) -> Response:
    status = site.jobs.state(job.id).status
    if not status.is_over:
        return problem(409, f"the job is {status}", "follow its events, or look again later")
    outcome = site.jobs.outcome(job.id)
    if status is Status.DONE:
        return Response(render(outcome, "json"), media_type="application/json")
    asked_wrong = status is Status.FAILED and outcome["exit_code"] == 2
    return problem(422 if asked_wrong else 409 if status is Status.CANCELLED else 500, outcome["what"], outcome["mend"])
