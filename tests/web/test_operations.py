"""Every task over the API: as Python answers it, with the accounts where there are any, refused to who may not see."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient

from groundplan.catalog.catalog import load_catalog
from groundplan.tasks.finops.lake import total
from groundplan.tasks.finops.tco import TcoRequest, tco
from groundplan.tasks.finops.units import units
from groundplan.web.access.doors import Doors
from groundplan.web.access.tokens import add_token
from groundplan.web.app import create_app
from groundplan.web.operations import operations

OF_LAKE = [name for name, one in operations().items() if one.of_lake]


def test_answers_are_looked_up_compared_and_taken_apart(web: TestClient) -> None:
    shown = web.post("/api/v1/catalog", json={"kind": "accelerators", "name": "h100-sxm"}).json()
    assert shown["schema"].startswith("groundplan/catalog")
    assert web.post("/api/v1/catalog", json={"kind": "models", "name": "../../etc/passwd"}).status_code == 422
    a, b = (web.get(f"/api/v1/memory?model=7B&tp={tp}").json() for tp in (1, 2))
    assert web.post("/api/v1/diff", json={"a": a, "b": b}).json()["rows"]
    taken_apart = web.post("/api/v1/explain", json={"answer": a, "metric": "total_bytes"}).json()
    assert taken_apart["metric"] == "total_bytes"
    assert web.post("/api/v1/explain", json={"answer": {}, "metric": "x"}).status_code == 422


def test_measured_rows_are_sent_and_scored(web: TestClient) -> None:
    published = web.post("/api/v1/validate", json={"quantity": "memory"}).json()
    assert published["overall"]["rows"] > 20
    bad = web.post("/api/v1/validate", json={"quantity": "memory", "data": "upload:nothing"})
    assert bad.status_code == 422 and "upload" in bad.json()["detail"]
    assert web.post("/api/v1/validate", json={"quantity": "memory", "data": "/etc/passwd"}).status_code == 422


def test_the_accounts_answer_as_the_commands_do(lake: str, tmp_path: Path) -> None:
    client = TestClient(create_app(tmp_path, lake), base_url="http://127.0.0.1")
    assert client.post("/api/v1/finops/total", json={}).json()["total"] == total(lake).total
    values = {row["name"]: row["value"] for row in units(lake, load_catalog()).units}
    answered = client.post("/api/v1/finops/units", json={}).json()["units"]
    assert {row["name"]: row["value"] for row in answered} == values
    for name in ("finops/anomalies", "finops/recommend"):
        assert client.post(f"/api/v1/{name}", json={}).status_code == 200
    assert client.post("/api/v1/finops/units", json={"start": "soon"}).status_code == 422
    wrong = client.post("/api/v1/finops/variance", json={"plan": {}, "run": "x"})
    assert wrong.status_code == 422
    job = client.post("/api/v1/jobs", json={"task": "finops/total", "request": {}})
    assert job.status_code == 202


@pytest.mark.parametrize("name", OF_LAKE)
def test_all_accounts_are_for_who_sees_all(name: str, lake: str, tmp_path: Path, web: TestClient) -> None:
    tokens = tmp_path / "tokens.json"
    own = {"authorization": f"Bearer {add_token(tokens, 'ann', 'editor', ['vision'], 1.0)}"}
    client = TestClient(create_app(tmp_path, lake, Doors(tokens)), base_url="http://127.0.0.1", headers=own)
    body = {"plan": {}, "run": "x"} if name.endswith("variance") else {}
    assert client.post(f"/api/v1/{name}", json=body).status_code == 403
    assert client.post("/api/v1/jobs", json={"task": name, "request": body}).status_code == 403
    assert web.post(f"/api/v1/{name}", json=body).status_code in (404, 405)  # a server without accounts
    assert web.post("/api/v1/jobs", json={"task": name, "request": body}).status_code == 422


def test_own_a_fleet_or_rent_it(web: TestClient) -> None:
    brief = json.loads(json.dumps(yaml.safe_load(Path("examples/tco/brief.yaml").read_text()), default=str))
    answer = web.post("/api/v1/finops/tco", json={"brief": brief}).json()
    assert answer["options"] == json.loads(json.dumps(tco(TcoRequest(brief)).to_dict()["options"], default=str))
    assert web.post("/api/v1/finops/tco", json={"brief": {"nonsense": 1}}).status_code == 422
