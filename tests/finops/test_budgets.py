"""Budgets: what is spent is what is allocated, forecasts cover what comes, and alerts reach who must be told."""

from __future__ import annotations

import json
import shutil
import socket
import socketserver
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from groundplan.errors import InputError
from groundplan.finops.budgets.forecast import forecast
from groundplan.finops.world.fleet import WorldSize
from groundplan.finops.world.write import write_world
from groundplan.tasks.finops.allocate import AllocateRequest, allocate
from groundplan.tasks.finops.check import CheckRequest, CheckResult, check, prometheus_rules
from groundplan.tasks.finops.lake import import_files

DAY = date(2026, 8, 10)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the lake of a small world."""
    folder = tmp_path_factory.mktemp("budgets")
    write_world(WorldSize(9, 62, 32, 3), folder / "w")
    parts = [folder / "w/bill", folder / "w/jobs", *sorted((folder / "w/telemetry").iterdir())[:2]]
    import_files(str(folder / "lake"), parts)
    return str(folder / "lake")


@pytest.fixture
def held(lake: str, tmp_path: Path) -> Callable[..., CheckResult]:
    """Return a function that holds budgets against the lake."""

    def hold(budgets: Any, deliver: Any = None, **asked: Any) -> CheckResult:
        path = tmp_path / "budgets.yaml"
        path.write_text(yaml.safe_dump({"budgets": budgets} | ({"deliver": deliver} if deliver else {})))
        return check(CheckRequest(lake, path, as_of=DAY, deliver=bool(deliver), **asked))

    return hold


def test_spent_is_what_is_allocated_to_the_owner_that_month(lake: str, held: Callable[..., CheckResult]) -> None:
    month = allocate(AllocateRequest(lake, start=datetime(2026, 8, 1), end=datetime(2026, 8, 11)))
    cost = {row["team"]: float(row["cost_usd"]) for row in month.rows}
    teams = [name for name in cost if not name.startswith("(")]
    found = held([{"team": name, "limit": 1e6} for name in teams] + [{"total": True, "name": "all", "limit": 1e6}])
    spent = {row["of"] or "all": float(row["spent_usd"]) for row in found.budgets}
    assert spent["all"] == pytest.approx(float(month.total_usd), abs=0.01)
    for name in teams:
        assert spent[name] == pytest.approx(cost[name], abs=0.02)
    assert found.alerts == () and found.problems == ()


def test_a_limit_that_is_passed_and_one_that_will_be(held: Callable[..., CheckResult]) -> None:
    all_of_it = held([{"total": True, "name": "all", "limit": 1e9}]).budgets[0]
    spent, end = float(all_of_it["spent_usd"]), float(all_of_it["forecast_usd"]["value"])
    assert 2 * spent < end < 4 * spent
    limits = {"passed": spent * 0.9, "soon": (spent + end) / 2, "half": spent * 1.9, "never": end * 3}
    found = held([{"total": True, "name": name, "limit": limit, "kind": "hard"} for name, limit in limits.items()])
    told = {(alert["budget"], alert["kind"]): alert["severity"] for alert in found.alerts}
    assert told[("passed", "spent")] == "critical" and ("passed", "forecast") not in told
    assert told[("soon", "forecast")] == "critical"
    assert told[("half", "spent")] == "warning"
    assert not any(name == "never" for name, _ in told)
    rows = {row["name"]: row for row in found.budgets}
    assert DAY.isoformat() < rows["soon"]["exceeds_on"] < "2026-09-01" and rows["never"]["exceeds_on"] is None
    assert len(found.problems) == 3


def test_single_runs_have_their_own_limit(lake: str, held: Callable[..., CheckResult]) -> None:
    jobs = allocate(AllocateRequest(lake, by="job", end=datetime(2026, 8, 11)))
    dearest = max((row for row in jobs.rows if row["job"].isdigit()), key=lambda row: float(row["gpus_usd"]))
    limit = float(dearest["gpus_usd"]) * 0.999
    (alert,) = held([{"total": True, "name": "run", "limit": limit, "period": "run"}]).alerts
    assert f"job {dearest['job']} " in alert["text"]


def test_four_in_five_forecasts_hold_what_comes() -> None:
    rng = np.random.default_rng(5)
    inside = []
    for _ in range(200):
        days = np.arange(75)
        weekend = (date(2026, 5, 18).weekday() + days) % 7 >= 5
        daily = 100 * np.where(weekend, 0.6, 1.0) * rng.lognormal(0, 0.15, len(days))
        known = 55
        last = date(2026, 5, 18) + timedelta(days=known - 1)
        found = forecast(daily[:known], last, 0.0, last + timedelta(days=21))
        inside.append(found.low[-1] <= daily[known:].sum() <= found.high[-1])
    assert 0.70 <= np.mean(inside) <= 0.90


def test_the_last_day_of_a_month_needs_no_forecast() -> None:
    found = forecast(np.full(31, 10.0), date(2026, 8, 31), 310.0, date(2026, 9, 1))
    assert found.days == () and len(found.middle) == 0


class _Inbox(BaseHTTPRequestHandler):
    got: list[tuple[str, Any]] = []  # noqa: RUF012 - one for all requests

    def do_POST(self) -> None:
        self.got.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class _Mail(socketserver.StreamRequestHandler):
    got: list[str] = []  # noqa: RUF012

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        text, body = "", False
        while line := self.rfile.readline().decode():
            if body:
                text += line
                if line == ".\r\n":
                    self.got.append(text)
                    body = False
                    self.wfile.write(b"250 ok\r\n")
            elif line.upper().startswith("DATA"):
                body = True
                self.wfile.write(b"354 go on\r\n")
            elif line.upper().startswith("QUIT"):
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


@pytest.fixture
def servers() -> Iterator[tuple[int, int]]:
    """Start a web server and a mail server on loopback; give their ports."""
    with HTTPServer(("127.0.0.1", 0), _Inbox) as web, socketserver.TCPServer(("127.0.0.1", 0), _Mail) as mail:
        for server in (web, mail):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        yield web.server_address[1], mail.server_address[1]
        web.shutdown()
        mail.shutdown()


def test_alerts_reach_every_channel_and_one_that_is_down_keeps_none_back(
    held: Callable[..., CheckResult], servers: tuple[int, int], tmp_path: Path
) -> None:
    web, mail = servers
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        down = unused.getsockname()[1]
    channels = [
        {"webhook": f"http://127.0.0.1:{down}/"},
        {"file": str(tmp_path / "alerts.jsonl")},
        {"webhook": f"http://127.0.0.1:{web}/hook"},
        {"alertmanager": f"http://127.0.0.1:{web}"},
        {"email": {"to": ["a@b.c"], "from": "g@b.c", "smtp": f"127.0.0.1:{mail}"}},
    ]
    found = held([{"total": True, "name": "all", "limit": 1}], channels)
    assert [one["error"] is None for one in found.deliveries] == [False, True, True, True, True]
    assert "does not answer" in found.deliveries[0]["error"]
    assert json.loads((tmp_path / "alerts.jsonl").read_text())["budget"] == "all"
    (hook_path, hook), (am_path, am) = _Inbox.got[-2:]
    assert (hook_path, am_path) == ("/hook", "/api/v2/alerts")
    assert hook["alerts"][0]["kind"] == "spent" and am[0]["labels"]["alertname"] == "BudgetSpent"
    assert "Subject: Budgets on 2026-08-10: 1 alert" in _Mail.got[-1] and "all: $" in _Mail.got[-1]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"limit": 5}, "is of nothing"),
        ({"team": "a", "total": True, "limit": 5}, "is of total and team"),
        ({"team": "a"}, "has no limit"),
        ({"team": "a", "limit": -5}, "negative"),
        ({"team": "a", "limit": "lots"}, "not an amount"),
        ({"team": "a", "limit": 5, "period": "weekly"}, "unknown period"),
        ({"team": "a", "limit": 5, "alerts": "50 %"}, "no list"),
        ({"team": "a", "limt": 5}, "limit"),
        ({"team": "nobody", "limit": 5}, "nothing was ever charged to team nobody"),
        ("team a", "is no budget"),
    ],
)
def test_budgets_that_mean_nothing_are_refused(held: Callable[..., CheckResult], row: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        held([row])


BUDGETS = [
    {"total": True, "name": 'all "of" it', "limit": 1000, "kind": "hard"},
    {"team": "speech", "limit": 10, "alerts": ["80 %"]},
    {"total": True, "name": "runs", "limit": 5, "period": "run"},
]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_prometheus_accepts_the_rules_and_fires_them(held: Callable[..., CheckResult], tmp_path: Path) -> None:
    found = held(BUDGETS)
    (tmp_path / "rules.yml").write_text(prometheus_rules(tmp_path / "budgets.yaml"))
    series = [
        {"series": line.rpartition(" ")[0], "values": f"{line.rpartition(' ')[2]}x40"}
        for line in found.metrics.splitlines()
        if not line.startswith("#") and "all " in line
    ]
    labels = {"severity": "critical", "budget": 'all "of" it', "scope": "total", "of": "all", "share": "100%"}
    expected = {"exp_labels": labels, "exp_annotations": {"summary": 'all "of" it: 100% of the budget is spent'}}
    fires = [{"eval_time": "30m", "alertname": "BudgetSpent", "exp_alerts": [expected]}]
    rules = yaml.safe_load((tmp_path / "rules.yml").read_text())
    rules["groups"][0]["rules"] = [
        rule
        for rule in rules["groups"][0]["rules"]
        if rule["labels"]["severity"] == "critical" and "share" in rule["labels"]
    ]
    (tmp_path / "some.yml").write_text(yaml.safe_dump(rules))
    tests = {
        "rule_files": ["some.yml"],
        "tests": [{"interval": "1m", "input_series": series, "alert_rule_test": fires}],
    }
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(tests))
    for command in (["check", "rules", "rules.yml"], ["test", "rules", "tests.yml"]):
        done = subprocess.run(["promtool", *command], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run(["promtool", "check", "metrics"], input=found.metrics, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


@pytest.mark.skipif(ALERTMANAGER is None, reason="Alertmanager is not installed (Debian: prometheus-alertmanager)")
def test_a_real_alertmanager_holds_the_alert(held: Callable[..., CheckResult], tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "am.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    flags = [f"--config.file={tmp_path}/am.yml", f"--storage.path={tmp_path}/am", "--cluster.listen-address="]
    flags.append(f"--web.listen-address=127.0.0.1:{port}")
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([str(ALERTMANAGER), *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(100):
                try:
                    urllib.request.urlopen(f"{url}/-/ready", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            found = held([{"total": True, "name": "all", "limit": 1}], [{"alertmanager": url}])
            assert found.deliveries[0]["error"] is None
            with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=5) as answer:
                (alert,) = json.load(answer)
            assert alert["labels"]["budget"] == "all" and alert["labels"]["alertname"] == "BudgetSpent"
            assert alert["annotations"]["summary"] == found.alerts[0]["text"]
        finally:
            server.terminate()
