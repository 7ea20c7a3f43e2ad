"""An application for the tests of the web."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi", reason="needs the server extra")

from fastapi.testclient import TestClient

from groundplan.web.app import create_app


@pytest.fixture(scope="session")
def web() -> TestClient:
    """Return a client of an application without accounts; errors of ours become answers, as on a server."""
    return TestClient(create_app(), base_url="http://127.0.0.1", raise_server_exceptions=False)
