"""An application for the tests of the web."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi", reason="needs the server extra")

from fastapi.testclient import TestClient

from groundplan.finops.world.fleet import WorldSize
from groundplan.finops.world.write import write_world
from groundplan.tasks.finops.lake import import_files
from groundplan.web.app import create_app


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """Return a client of an application without accounts; errors of ours become answers, as on a server."""
    app = create_app(tmp_path_factory.mktemp("jobs"))
    return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the accounts of a small world."""
    folder = tmp_path_factory.mktemp("accounts")
    write_world(WorldSize(5, 10, 16, 3), folder / "w")
    import_files(str(folder / "lake"), [folder / "w" / part for part in ("bill", "jobs", "telemetry")])
    return str(folder / "lake")
