"""Run the application: one process that listens, as many as asked for that answer."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass

import uvicorn
from fastapi import FastAPI

from groundplan.errors import InputError
from groundplan.web.app import create_app

VARIABLE = "GROUNDPLAN_SERVER"  # how the settings reach the workers
LOOPBACK = ("127.0.0.1", "::1", "localhost")
GRACE_S = 10


@dataclass(frozen=True, slots=True)
class Settings:
    """How to serve: where, by how many processes, which accounts."""

    host: str = "127.0.0.1"
    port: int = 8700
    workers: int = 1
    lake: str | None = None


def serve(settings: Settings) -> None:
    """Serve until a signal says to stop.

    Raises
    ------
    InputError
        An address that others reach, without a way to log in.
    """
    if settings.host not in LOOPBACK:
        raise InputError(
            f"{settings.host} can be reached by others, who would not have to log in", "listen on 127.0.0.1"
        )
    os.environ[VARIABLE] = json.dumps(asdict(settings))
    print(f"Groundplan on http://{settings.host}:{settings.port}", file=sys.stderr, flush=True)
    uvicorn.run(
        "groundplan.web.serving:application",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
    )


def application() -> FastAPI:
    """Return the application of the settings, in whatever process it runs."""
    settings = Settings(**json.loads(os.environ.get(VARIABLE, "{}")))
    return create_app(settings.lake)
