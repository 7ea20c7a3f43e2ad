"""The API keeps its description: generated requests find no 5xx and no answer that it does not state."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

if importlib.util.find_spec("schemathesis") is None or importlib.util.find_spec("fastapi") is None:
    pytest.skip("needs schemathesis and the server extra", allow_module_level=True)

import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from groundplan.web.app import create_app
from groundplan.web.jobs import store
from groundplan.web.jobs.processes import Processes

EXAMPLES = 12  # of an operation
KNOWN_BY_ITS_TASK_ALONE = [positive_data_acceptance]  # a text may name no model, a number no layout: 422 says so
LIKE_A_BROWSER = {"host": "127.0.0.1"}


@pytest.fixture()
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    monkeypatch.setattr(Processes, "begin", lambda self, job_id: None)  # what jobs compute is tested elsewhere
    monkeypatch.setattr(store, "WAITING_AT_MOST", 10**6)  # and that they are too many
    return create_app(tmp_path)


def test_generated_requests_are_answered_as_described(app: FastAPI) -> None:
    described = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)
    tried = 0
    for found in described.get_all_operations():

        @given(case=found.ok().as_strategy())
        @settings(
            max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def ask(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=LIKE_A_BROWSER, excluded_checks=KNOWN_BY_ITS_TASK_ALONE)

        ask()
        tried += 1
    assert tried >= 24
