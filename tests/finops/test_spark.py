"""The accounts on Spark: a real master and worker on loopback answer as DuckDB does, to the cent."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from groundplan.errors import InputError, MissingExtra
from groundplan.finops.world.fleet import WorldSize
from groundplan.finops.world.write import write_world
from groundplan.tasks.finops.allocate import AllocateRequest, allocate
from groundplan.tasks.finops.anomalies import anomalies
from groundplan.tasks.finops.lake import import_files, total

from .conftest import charge

START_S = 60
MISSING = [name for name in ("pyspark", "sqlglot") if importlib.util.find_spec(name) is None]
MISSING += [] if os.environ.get("JAVA_HOME") or shutil.which("java") else ["java"]
CENT = Decimal("0.005")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a standalone master and a worker from pyspark's own folder; stop them after."""
    if MISSING:
        pytest.skip(f"Spark needs {', '.join(MISSING)} here")
    spec = importlib.util.find_spec("pyspark")
    assert spec is not None and spec.origin is not None
    folder, home, port = tmp_path_factory.mktemp("spark"), Path(spec.origin).parent, _free_port()
    address, log = f"spark://127.0.0.1:{port}", folder / "log"
    begin = [str(home / "bin" / "spark-class"), "org.apache.spark.deploy"]
    master = ["master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]
    worker = ["worker.Worker", "--host", "127.0.0.1", "--webui-port", "0", "-c", "2", "-m", "1g"]
    worker += ["-d", str(folder / "work"), address]
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m"}
    started: list[subprocess.Popen[bytes]] = []
    try:
        with log.open("wb") as output:
            for arguments, sign in ((master, b"I have been elected leader"), (worker, b"Registering worker")):
                command = [begin[0], f"{begin[1]}.{arguments[0]}", *arguments[1:]]
                started.append(subprocess.Popen(command, env=environment, stdout=output, stderr=output, cwd=folder))
                deadline = time.monotonic() + START_S
                while sign not in log.read_bytes():
                    if time.monotonic() > deadline or started[-1].poll() is not None:
                        pytest.skip(f"Spark did not start: {log.read_text()[-300:]}")
                    time.sleep(0.2)
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(30)


def test_spark_answers_as_duckdb_does_over_a_generated_world(master: str, tmp_path: Path) -> None:
    write_world(WorldSize(6, 16, 16, 3), tmp_path / "w")
    lake = str(tmp_path / "lake")
    import_files(lake, [tmp_path / "w" / part for part in ("bill", "jobs", "telemetry")])
    period = AllocateRequest(lake, start=datetime(2026, 7, 3), end=datetime(2026, 7, 14))
    here, there = allocate(period), allocate(replace(period, engine=master))
    assert there.total_usd == here.total_usd
    assert [row["team"] for row in there.rows] == [row["team"] for row in here.rows]
    for row, same in zip(here.rows, there.rows, strict=True):
        assert abs(Decimal(row["cost_usd"]) - Decimal(same["cost_usd"])) < CENT
    for state, usd in here.idle_usd.items():
        assert abs(Decimal(usd) - Decimal(there.idle_usd[state])) < CENT
    assert sum(Decimal(row["cost_usd"]) for row in there.rows) == Decimal(there.total_usd)
    assert anomalies(lake, engine=master) == anomalies(lake)


def test_spark_reads_what_is_dirty_as_duckdb_does(master: str, tmp_path: Path, bill) -> None:  # type: ignore[no-untyped-def]
    tags = '{"it\'s \\"x\\"": "odd", "team": null, "Owner": "o\'neil \\\\ co", "n": {"a": 1}}'
    rates = tmp_path / "rates.csv"
    rates.write_text("date,currency,into,rate,source\n2026-05-01,EUR,USD,1.1,ecb\n2026-05-03,EUR,USD,1.2,ecb\n")
    charges = [
        charge("10.000000000000001", 1, "a", "EUR", tags),
        charge("0.1", 2, "b", "EUR"),
        charge("-3.3", 3, "c", "EUR"),
        charge("5", 4, "", "USD", '{"team": "t"}'),
    ]
    rules = tmp_path / "rules.yaml"
    rules.write_text("""tags: {team: ["it's \\"x\\"", team, Owner], project: [n]}\n""")
    lake = str(tmp_path / "lake")
    import_files(lake, [bill("bill.csv", charges), rates])
    for by in ("team", "project"):
        asked = AllocateRequest(lake, by, rules=rules)
        here, there = allocate(asked).rows, allocate(replace(asked, engine=master)).rows
        assert there == here, by
    assert total(lake, engine=master).total == total(lake).total


def test_what_is_no_spark_is_refused(tmp_path: Path, bill, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    lake = str(tmp_path / "lake")
    import_files(lake, [bill("bill.csv", [charge("1")])])
    with pytest.raises(InputError, match="postgres is no engine"):
        total(lake, engine="postgres")
    if not MISSING:
        with pytest.raises(InputError, match="no Spark master answers"):
            total(lake, engine=f"spark://127.0.0.1:{_free_port()}")
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(MissingExtra):
        total(lake, engine="spark://127.0.0.1:7077")
