"""The accounts on pages: totals keep their meaning, and a token of one team sees that team alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from fastapi.testclient import TestClient

from groundplan.finops.world.fleet import WorldSize
from groundplan.finops.world.write import write_world
from groundplan.tasks.finops.allocate import AllocateRequest, allocate, narrowed
from groundplan.tasks.finops.anomalies import anomalies
from groundplan.tasks.finops.check import CheckRequest, check
from groundplan.tasks.finops.jobs import owner_jobs
from groundplan.tasks.finops.lake import import_files
from groundplan.web.access.doors import Doors
from groundplan.web.access.tokens import add_token
from groundplan.web.app import create_app

HTML = {"accept": "text/html"}
SVG = "{http://www.w3.org/2000/svg}svg"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("accounts")
    write_world(WorldSize(5, 10, 16, 3), folder / "w")
    import_files(str(folder / "lake"), [folder / "w" / part for part in ("bill", "jobs", "telemetry")])
    return str(folder / "lake")


@pytest.fixture(scope="module")
def budgets(lake: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a budget of all and one of each team; that of the first team will be passed."""
    rows = [row for row in allocate(AllocateRequest(lake)).rows if not row["team"].startswith("(")]
    written: list[dict[str, Any]] = [{"name": "everything", "total": True, "limit": 1e9}]
    limits = [1.2 * float(rows[0]["cost_usd"]), *(1e6 for _ in rows[1:])]
    written += [{"team": row["team"], "limit": limit} for row, limit in zip(rows, limits, strict=True)]
    path = tmp_path_factory.mktemp("budgets") / "budgets.yaml"
    path.write_text(yaml.safe_dump({"budgets": written}))
    return path


@pytest.fixture(scope="module")
def asker(lake: str, budgets: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., TestClient]:
    """Return a function that gives a client of a guarded server, with a token of a role and teams."""
    tokens = tmp_path_factory.mktemp("tokens") / "tokens.json"

    numbers = count()

    def client(role: str, *teams: str) -> TestClient:
        secret = add_token(tokens, f"{role} {next(numbers)}", role, teams, 1.0)
        app = create_app(tokens.parent, lake, Doors(tokens), budgets=budgets)
        own = {"authorization": f"Bearer {secret}"}
        return TestClient(app, base_url="http://127.0.0.1", headers=own, raise_server_exceptions=False)

    return client


def test_pages_show_what_the_command_says(lake: str) -> None:
    client = TestClient(create_app(Path(lake).parent, lake), base_url="http://127.0.0.1")
    said = allocate(AllocateRequest(lake)).to_dict()
    answer = client.get("/api/v1/finops/allocate").json()
    assert (answer["rows"], answer["total_usd"]) == (said["rows"], said["total_usd"])
    page = client.get("/explorer", headers=HTML).text
    assert "(idle)" in page and "Accounts" in page
    team = next(row["team"] for row in said["rows"] if not row["team"].startswith("("))
    assert f"/explorer/statement/{team}" in page
    assert client.get(f"/explorer/statement/{team}", headers=HTML).status_code == 200
    for path in ("/explorer/report", "/explorer/anomalies/report", f"/explorer/report/jobs/{team}"):
        report = client.get(path, headers=HTML)
        assert report.headers["content-disposition"].startswith("attachment")
        assert "<!-- groundplan/finops-" in report.text
    assert "groundplan finops allocate --lake LAKE" in page
    for path in ("/explorer/anomalies", "/explorer/recommendations", "/explorer?by=job&from=2026-07-02&to=2026-07-04"):
        assert client.get(path, headers=HTML).status_code == 200
    for path in ("/explorer?by=nonsense", "/explorer?from=soon", "/explorer?x=1", "/explorer/statement/nobody"):
        answer = client.get(path, headers=HTML)
        assert answer.status_code == 422 and 'role="alert"' in answer.text


def test_a_team_sees_its_rows_and_the_whole_total(lake: str, asker: Callable[..., TestClient]) -> None:
    rows = allocate(AllocateRequest(lake)).to_dict()["rows"]
    mine, *others = [row["team"] for row in rows if not row["team"].startswith("(")]
    client = asker("viewer", mine)
    found = client.get("/api/v1/finops/allocate").json()
    assert [row["team"] for row in found["rows"]] == [mine, "(other teams)"]
    assert sum(Decimal(row["cost_usd"]) for row in found["rows"]) == Decimal(found["total_usd"])
    page = client.get("/explorer", headers=HTML).text
    assert mine in page and not any(f">{team}<" in page for team in others)
    for page in ("statement", "jobs"):
        assert client.get(f"/explorer/{page}/{mine}", headers=HTML).status_code == 200
    refused = client.get("/explorer?only=nobody", headers=HTML)  # the names that are told are its own
    assert refused.status_code == 422 and not any(team in refused.text for team in others)
    for path in (
        f"/explorer/statement/{others[0]}", "/explorer/anomalies", "/explorer/recommendations", "/explorer?by=job",
        "/api/v1/finops/allocate?by=user", f"/explorer/jobs/{others[0]}", f"/api/v1/finops/jobs/{others[0]}",
        "/explorer/jobs/(idle)", f"/explorer/jobs/{mine}?by=user", f"/explorer/statement/{mine}?by=project",
    ):  # fmt: skip
        assert client.get(path).status_code == 403, path


def test_an_admin_sees_all(asker: Callable[..., TestClient]) -> None:
    client = asker("admin")
    assert len(client.get("/api/v1/finops/allocate?by=job").json()["rows"]) > 5
    assert client.get("/explorer/recommendations").status_code == 200


def test_a_filter_hides_rows_and_changes_no_total(lake: str) -> None:
    client = TestClient(create_app(Path(lake).parent, lake), base_url="http://127.0.0.1")
    whole = client.get("/api/v1/finops/allocate").json()
    two = [row["team"] for row in whole["rows"][:2]]
    found = client.get("/api/v1/finops/allocate", params={"only": [*two, "busy"]}).json()
    assert found["rows"] == whole["rows"][:2] and [row["state"] for row in found["states"]] == ["busy"]
    assert found["total_usd"] == whole["total_usd"]
    assert narrowed(whole, [*two, "busy"])["idle_usd"] == whole["idle_usd"]
    assert Decimal(found["shown"]["usd"]) == sum(Decimal(row["cost_usd"]) for row in whole["rows"][:2])
    assert found["shown"]["fleet_usd"] == narrowed(whole, two)["shown"]["states_usd"]  # all states, one or many shown
    total = f"${Decimal(whole['total_usd']):,.2f}"
    page = client.get("/explorer", params={"only": two}, headers=HTML).text
    assert f"${Decimal(found['shown']['usd']):,.2f} of total {total}" in page
    assert f'<tr class="total"><td>total</td><td class="number">{total}</td>' in page
    assert client.get("/explorer", params={"only": "nobody"}, headers=HTML).status_code == 422


@pytest.mark.parametrize("by", ["team", "user", "model"])
def test_the_jobs_behind_a_row_sum_to_it(lake: str, by: str) -> None:
    client = TestClient(create_app(Path(lake).parent, lake), base_url="http://127.0.0.1")
    for row in client.get(f"/api/v1/finops/allocate?by={by}").json()["rows"]:
        found = client.get(f"/api/v1/finops/jobs/{row[by]}?by={by}").json()
        jobs = sum(Decimal(job["cost_usd"]) for job in found["jobs"])
        others = sum(Decimal(found[key]) for key in ("idle_usd", "other_usd", "divided_usd"))
        assert jobs + others == Decimal(row["cost_usd"]) == Decimal(found["cost_usd"])
        assert found["idle_usd"] == "0" or row[by] == "(idle)"
        assert all(job["hours"] > 0 and (job["useful"] is None or 0 <= job["useful"] <= 1) for job in found["jobs"])
        listed = owner_jobs(AllocateRequest(lake, by), row[by], 2)
        assert Decimal(listed.rest["cost_usd"]) == jobs - sum(Decimal(job["cost_usd"]) for job in listed.jobs)


def test_budgets_burn_down_from_what_was_spent_to_the_forecast(lake: str, budgets: Path) -> None:
    client = TestClient(create_app(Path(lake).parent, lake, budgets=budgets), base_url="http://127.0.0.1")
    said = check(CheckRequest(lake, budgets)).to_dict()
    found = client.get("/api/v1/finops/check").json()
    assert found["budgets"] == said["budgets"] and len(found["budgets"]) > 3
    for row in found["budgets"]:
        spent = [Decimal(day["spent_usd"]) for day in row["days"]]
        assert spent == sorted(spent) and spent[-1] == Decimal(row["spent_usd"])
        assert Decimal(row["remaining_usd"]) == Decimal(row["limit_usd"]) - spent[-1]
        assert row["days_ahead"][-1] == {"day": "2026-07-31", **row["forecast_usd"]}
    will = [row for row in found["budgets"] if row["exceeds_on"]]
    assert len(will) == 1
    beyond = [day["day"] for day in will[0]["days_ahead"] if Decimal(day["value"]) > Decimal(will[0]["limit_usd"])]
    assert will[0]["exceeds_on"] == beyond[0] > found["day"]
    page = client.get("/explorer/budgets?as_of=2026-07-08", headers=HTML).text
    charts = re.findall(r'(?:src|srcset)="(/explorer/budgets/chart/[^"]+)"', page)
    assert len(charts) == 2 * len(found["budgets"]) and all(path.endswith("?as_of=2026-07-08") for path in charts)
    assert ElementTree.fromstring(client.get(charts[0]).text).tag == SVG  # what a browser takes for a picture
    kept = budgets.read_text()
    budgets.write_text(kept.replace("everything", "all of it"))  # a page shows the file as it is now
    assert "all of it" in client.get("/explorer/budgets", headers=HTML).text
    budgets.write_text(kept)
    for query in ("as_of=soon", "x=1"):
        assert client.get(f"/explorer/budgets?{query}", headers=HTML).status_code == 422


def test_a_team_sees_its_budgets_alone(lake: str, asker: Callable[..., TestClient]) -> None:
    mine, *others = [row["team"] for row in allocate(AllocateRequest(lake)).rows if not row["team"].startswith("(")]
    client = asker("viewer", mine)
    answer = client.get("/api/v1/finops/check")
    assert [row["of"] for row in answer.json()["budgets"]] == [mine]
    for text in (answer.text, client.get("/explorer/budgets", headers=HTML).text):
        assert mine in text and not any(name in text for name in (*others, "everything"))
    assert client.get("/explorer/anomalies/chart/chart0.light.svg").status_code == 403
    assert client.get("/explorer/budgets/chart/chart3.light.svg").status_code == 422  # it has one chart
    assert len(asker("admin").get("/api/v1/finops/check").json()["budgets"]) > len(others)


def test_spend_by_day_is_drawn_above_its_shifts(lake: str) -> None:
    client = TestClient(create_app(Path(lake).parent, lake), base_url="http://127.0.0.1")
    daily = anomalies(lake).daily
    assert [day["day"] for day in daily] == [f"2026-07-{n:02}" for n in range(1, 11)]
    total = Decimal(client.get("/api/v1/finops/allocate").json()["total_usd"])
    assert 0 < sum(Decimal(day["cost_usd"]) for day in daily) <= total
    page = client.get("/explorer/anomalies", headers=HTML).text
    (dark,) = re.findall(r'srcset="(/explorer/anomalies/chart/[^"]+)"', page)
    assert ElementTree.fromstring(client.get(dark).text).tag == SVG
    assert client.get("/explorer/budgets", headers=HTML).status_code == 404  # none were named
