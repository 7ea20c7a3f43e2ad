"""A long question as a job: followed to its end, stopped, its process killed, seen by nobody else."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from groundplan.web.access.doors import Doors
from groundplan.web.access.tokens import add_token
from groundplan.web.app import create_app
from groundplan.web.jobs import store as stores
from groundplan.web.jobs.processes import Processes
from groundplan.web.jobs.store import State, Status, Store

QUERY = "model=llama-3.1-8b&accelerator=h100-sxm&rate=5"
LONG = "model=llama-3.1-8b&accelerator=h100-sxm&rate=4&count=300000"


@pytest.fixture()
def server(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(tmp_path), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def begin(client: TestClient, **body: Any) -> Mapping[str, Any]:
    answer = client.post("/api/v1/jobs", json=body)
    assert answer.status_code == 202 and answer.headers["location"] == answer.json()["links"]["self"]
    return answer.json()


def wait(client: TestClient, job: Mapping[str, Any], *statuses: str) -> Mapping[str, Any]:
    deadline = time.monotonic() + 60
    while True:
        told: Mapping[str, Any] = client.get(job["links"]["self"]).json()
        if told["status"] in statuses:
            return told
        assert time.monotonic() < deadline, told
        time.sleep(0.05)


def test_a_job_is_followed_to_the_answer_that_the_page_shows(server: TestClient, tmp_path: Path) -> None:
    job = begin(server, task="simulate-serve", query=QUERY)
    with server.stream("GET", job["links"]["events"]) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = list(stream.iter_lines())
    events = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert events[-1] == "done" and set(events[:-1]) <= {"progress"}
    assert json.loads([line for line in lines if line.startswith("data: ")][-1][6:])["id"] == job["id"]
    assert server.get(job["links"]["result"]).json() == server.get(f"/api/v1/simulate-serve?{QUERY}").json()
    assert len(list((tmp_path / "answers").iterdir())) == 1  # what the page finds computed
    assert [one["id"] for one in server.get("/api/v1/jobs").json()["jobs"]] == [job["id"]]


def test_a_typed_request_and_a_plan_are_jobs_too(server: TestClient) -> None:
    typed = begin(server, task="memory", request={"model": "llama-3.1-8b", "tp": 8})
    plan = begin(server, task="plan", query="example=mission")
    wait(server, typed, "done")
    wait(server, plan, "done")
    direct = server.get("/api/v1/memory?model=llama-3.1-8b&tp=8").json()
    assert server.get(typed["links"]["result"]).json()["total_bytes"] == direct["total_bytes"]
    assert server.get(plan["links"]["result"]).json()["schema"].startswith("groundplan/")


def test_what_is_wrong_is_said_at_once_or_at_the_end(server: TestClient) -> None:
    for body, words in (
        ({"task": "memory"}, "one of them"),
        ({"task": "memory", "query": "modle=7B"}, "modle"),
        ({"task": "memory", "request": {"model": "7B", "tp": 1.5}}, "tp"),
        ({"task": "nothing", "query": ""}, "task"),
        ({"task": "plan", "query": "example=swim"}, "swim"),
    ):
        answer = server.post("/api/v1/jobs", json=body)
        assert answer.status_code == 422 and words in answer.json()["detail"], body
    job = begin(server, task="memory", query="model=7B&accelerator=h10")
    wait(server, job, "failed")
    answer = server.get(job["links"]["result"])
    assert answer.status_code == 422 and "H100" in answer.json()["mend"]
    for nowhere in ("x", "0" * 32, "../../etc/passwd", "0" * 31 + "."):
        assert server.get(f"/api/v1/jobs/{nowhere}").status_code == 404


def test_a_job_is_stopped(server: TestClient) -> None:
    job = begin(server, task="simulate-serve", query=LONG)
    wait(server, job, "running")
    assert server.get(job["links"]["result"]).status_code == 409
    assert server.delete(job["links"]["self"]).status_code == 202
    wait(server, job, "cancelled")
    assert server.get(job["links"]["result"]).status_code == 409


def _process_of(job_id: str) -> int:
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().split(b"\0")
        except OSError:
            continue
        if job_id.encode() in words:
            return int(place.parent.name)
    raise AssertionError("no process computes the job")


def test_a_killed_process_is_begun_again_and_nothing_is_half_written(server: TestClient, tmp_path: Path) -> None:
    job = begin(server, task="simulate-serve", query=LONG)
    wait(server, job, "running")
    os.kill(_process_of(job["id"]), signal.SIGKILL)
    time.sleep(0.3)
    assert wait(server, job, "waiting", "running")["id"] == job["id"]
    wait(server, job, "running")
    assert Store(tmp_path).state(job["id"]).attempt == 2
    server.delete(job["links"]["self"])
    wait(server, job, "cancelled")
    assert not list(tmp_path.rglob("*.partial"))


def test_a_server_goes_on_where_the_one_before_was_stopped(tmp_path: Path) -> None:
    with TestClient(create_app(tmp_path), base_url="http://127.0.0.1") as first:
        job = begin(first, task="simulate-serve", query=LONG)
        wait(first, job, "running")
    assert Store(tmp_path).state(job["id"]).status is Status.RUNNING  # and nobody computes it
    with TestClient(create_app(tmp_path), base_url="http://127.0.0.1") as second:
        assert Store(tmp_path).state(job["id"]).attempt == 2
        second.delete(job["links"]["self"])
        wait(second, job, "cancelled")


def test_a_job_that_kills_its_process_is_given_up(tmp_path: Path) -> None:
    store = Store(tmp_path)
    job = store.add("memory", {"query": "model=7B"}, None)
    store.tell(job.id, State(Status.RUNNING, time.time() - 60, attempt=stores.ATTEMPTS))
    Processes(store).begin_if_lost(job.id)
    assert store.state(job.id).status is Status.FAILED and "died" in store.outcome(job.id)["what"]


def test_no_more_wait_than_can_be_served_and_old_ones_are_forgotten(
    server: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    old = store.add("memory", {"query": "model=7B"}, None)
    store.tell(old.id, State(Status.DONE, time.time() - 2 * stores.KEPT_S))
    monkeypatch.setattr(stores, "WAITING_AT_MOST", 0)
    refused = server.post("/api/v1/jobs", json={"task": "memory", "query": "model=7B"})
    assert refused.status_code == 503 and "retry-after" in refused.headers
    assert server.get(f"/api/v1/jobs/{old.id}").status_code == 404


def test_who_may_begin_see_and_stop_a_job(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    (tmp_path / "jobs").mkdir()
    ann, bob, eve = (
        {"authorization": f"Bearer {add_token(tokens, name, role, [], 1.0)}"}
        for name, role in (("ann", "editor"), ("bob", "editor"), ("eve", "viewer"))
    )
    with TestClient(create_app(tmp_path / "jobs", doors=Doors(tokens)), base_url="http://127.0.0.1") as client:
        body = {"task": "memory", "query": "model=7B"}
        assert client.post("/api/v1/jobs", json=body, headers=eve).status_code == 403
        job = client.post("/api/v1/jobs", json=body, headers=ann).json()
        for path in job["links"].values():
            assert client.get(path, headers=bob).status_code == 404
        assert client.delete(job["links"]["self"], headers=bob).status_code == 404
        assert client.get("/api/v1/jobs", headers=bob).json() == {"jobs": []}
        assert client.get(job["links"]["self"], headers=ann).status_code == 200
