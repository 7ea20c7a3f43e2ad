"""Run the application: one process that listens, as many as asked for that answer."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn
from fastapi import FastAPI

from groundplan.errors import InputError, MissingExtra
from groundplan.finops.budgets.reading import read_budgets
from groundplan.web.access.doors import Doors
from groundplan.web.access.provider import read_provider
from groundplan.web.access.tokens import read_tokens
from groundplan.web.app import create_app

VARIABLE = "GROUNDPLAN_SERVER"  # how the settings reach the workers
LOOPBACK = ("127.0.0.1", "::1", "localhost")
GRACE_S = 10
LONGEST_HEAD = 65_536


@dataclass(frozen=True, slots=True)
class Settings:
    """How to serve: where, by how many processes, which accounts."""

    host: str = "127.0.0.1"
    port: int = 8700
    workers: int = 1
    lake: str | None = None
    tokens: str | None = None
    audit: str | None = None
    jobs: str | None = None
    oidc: str | None = None
    budgets: str | None = None
    key: str = ""


def serve(settings: Settings) -> None:
    """Serve until a signal says to stop.

    Raises
    ------
    InputError
        An address that others reach, without a way to log in.
    """
    if settings.tokens is None and settings.oidc is None and settings.host not in LOOPBACK:
        raise InputError(
            f"{settings.host} can be reached by others, and nobody would have to log in",
            "name a file of tokens (--tokens FILE; groundplan token add NAME --tokens FILE) or a provider "
            "(--oidc FILE), or listen on 127.0.0.1",
        )
    if settings.tokens is not None and not read_tokens(Path(settings.tokens)):
        raise InputError(f"{settings.tokens} holds no token", "make one: groundplan token add NAME --tokens FILE")
    if settings.oidc is not None:
        _check_provider(Path(settings.oidc))
    if settings.budgets is not None:
        _check_budgets(settings)
    with _folder_of_jobs(settings) as jobs:
        os.environ[VARIABLE] = json.dumps(asdict(replace(settings, jobs=jobs, key=secrets.token_urlsafe())))
        print(f"Groundplan on http://{settings.host}:{settings.port}", file=sys.stderr, flush=True)
        _run(settings)


def _check_budgets(settings: Settings) -> None:
    if settings.lake is None:
        raise InputError("budgets are held against accounts, and none are named", "name them: --lake LAKE")
    read_budgets(Path(str(settings.budgets)))


def _check_provider(path: Path) -> None:
    """Say now what every worker would say."""
    read_provider(path)
    try:
        import groundplan.web.access.oidc  # noqa: F401
    except ImportError as error:
        raise MissingExtra("logging in by a provider", "oidc") from error


@contextmanager
def _folder_of_jobs(settings: Settings) -> Iterator[str]:
    """Lend the folder that was named, or one that ends with the server."""
    if settings.jobs is None:
        with TemporaryDirectory(prefix="groundplan-jobs-") as folder:
            yield folder
        return
    try:
        Path(settings.jobs).mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise InputError(f"cannot keep jobs in {settings.jobs}: {error.strerror}", "name a folder") from None
    yield settings.jobs


def _run(settings: Settings) -> None:
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
        timeout_keep_alive=GRACE_S,
        h11_max_incomplete_event_size=LONGEST_HEAD,
    )


def application() -> FastAPI:
    """Return the application of the settings, in whatever process it runs."""
    settings = Settings(**json.loads(os.environ[VARIABLE]))
    assert settings.jobs is not None  # `serve` names a folder where nobody did
    hosts = LOOPBACK if settings.host in LOOPBACK else ()
    tokens, audit, oidc = (Path(path) if path else None for path in (settings.tokens, settings.audit, settings.oidc))
    doors = Doors(tokens, read_provider(oidc) if oidc else None, settings.key) if tokens or oidc else None
    budgets = Path(settings.budgets) if settings.budgets else None
    return create_app(Path(settings.jobs), settings.lake, doors, audit, hosts, budgets)
