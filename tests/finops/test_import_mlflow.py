"""Runs of MLflow, from each place that lists them, are the same runs."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from groundplan.errors import InputError
from groundplan.finops.lake.engine import rows
from groundplan.finops.lake.lake import Lake
from groundplan.tasks.finops.lake import import_files

START = 1767225600000


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Write a file store of one experiment with two runs and a third that is broken."""
    root = tmp_path / "mlruns"
    (root / "7").mkdir(parents=True)
    (root / "7/meta.yaml").write_text("experiment_id: '7'\nname: tune\nlifecycle_stage: active\n")
    for run, rate in (("a1", "0.1"), ("b2", "0.2")):
        folder = root / "7" / run
        for kind in ("metrics/train", "params", "tags", "artifacts/model"):
            (folder / kind).mkdir(parents=True)
        (folder / "meta.yaml").write_text(
            f"run_id: {run}\nrun_uuid: {run}\nexperiment_id: '7'\nuser_id: ann\nstatus: 3\n"
            f"start_time: {START}\nend_time: {START + 3_600_000}\nrun_name: try-{run}\n"
        )
        (folder / "metrics/train/loss").write_text(f"{START} 2.5 0\n{START + 1} nan 10\n")
        (folder / "params/rate").write_text(rate)
        (folder / "tags/slurm_job_id").write_text("77")
        (folder / "artifacts/model/weights.bin").write_bytes(b"weights")
    (root / "7/c3").mkdir()
    (root / "7/c3/meta.yaml").write_text("run_id: [experiment_id")
    return root


def runs(lake: Path) -> list[dict[str, Any]]:
    """Return the runs of a lake."""
    return rows(Lake(str(lake)).connect(), "SELECT * FROM runs ORDER BY run_id")


def test_a_file_store_is_imported_whole(tmp_path: Path, store: Path) -> None:
    report = import_files(str(tmp_path / "lake"), [tmp_path / "mlruns"])
    assert (len(report.files), report.kept, report.quarantined) == (1, 2, 1)
    assert report.files[0].problems == ("c3/meta.yaml is no whole YAML document",)
    first, second = runs(tmp_path / "lake")
    assert (first["run_id"], first["experiment"], first["name"]) == ("a1", "tune", "try-a1")
    assert (first["user"], first["status"], first["job_id"]) == ("ann", "FINISHED", "77")
    assert (first["start_time"], first["end_time"]) == (datetime(2026, 1, 1), datetime(2026, 1, 1, 1))
    assert json.loads(first["parameters"]) == {"rate": "0.1"}
    assert json.loads(first["metrics"]) == {"train/loss": [[0, 2.5], [10, None]]}
    assert first["configuration"] != second["configuration"]


def test_a_run_that_went_on_replaces_itself_and_nothing_new_changes_nothing(tmp_path: Path, store: Path) -> None:
    lake = tmp_path / "lake"
    import_files(str(lake), [store])
    assert import_files(str(lake), [store]).files[0].same_file
    with (store / "7/a1/metrics/train/loss").open("a") as file:
        file.write(f"{START + 2} 1.5 20\n")
    report = import_files(str(lake), [store])
    assert (report.kept, report.already) == (1, 1)
    assert json.loads(runs(lake)[0]["metrics"])["train/loss"][-1] == [20, 1.5]


def test_each_listing_gives_the_same_runs(tmp_path: Path, store: Path) -> None:
    answer = {"runs": [
        {"info": {"run_id": run, "experiment_id": "7", "user_id": "ann", "status": "FINISHED", "start_time": START,
                  "end_time": START + 3_600_000, "run_name": f"try-{run}"},
         "data": {"params": [{"key": "rate", "value": rate}], "tags": [{"key": "slurm_job_id", "value": "77"}],
                  "metrics": [{"key": "train/loss", "value": 2.5, "step": 0, "timestamp": START}]}}
        for run, rate in (("a1", "0.1"), ("b2", "0.2"))
    ]}  # fmt: skip
    (tmp_path / "search.json").write_text(json.dumps(answer))
    with (tmp_path / "runs.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("run_id", "experiment_id", "status", "artifact_uri", "start_time", "end_time",
                         "metrics.train/loss", "params.rate", "params.other", "tags.slurm_job_id", "tags.mlflow.user",
                         "tags.mlflow.runName"))  # fmt: skip
        for run, rate in (("a1", "0.1"), ("b2", "0.2")):
            writer.writerow((run, "7", "FINISHED", "s3://x", "2026-01-01 00:00:00+00:00", "2026-01-01 01:00:00+00:00",
                             "2.5", rate, "", "77", "ann", f"try-{run}"))  # fmt: skip
    found = {}
    for name, path in (("store", store), ("json", tmp_path / "search.json"), ("csv", tmp_path / "runs.csv")):
        import_files(str(tmp_path / name), [path])
        found[name] = runs(tmp_path / name)
    for column in ("run_id", "name", "user", "status", "start_time", "end_time", "job_id", "configuration"):
        values = [[run[column] for run in of] for of in found.values()]
        assert values[0] == values[1] == values[2], column


def test_no_runs_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "mlruns/0").mkdir(parents=True)
    (tmp_path / "mlruns/0/meta.yaml").write_text("experiment_id: '0'\nname: Default\n")
    with pytest.raises(InputError, match="holds no run"):
        import_files(str(tmp_path / "lake"), [tmp_path / "mlruns"])
