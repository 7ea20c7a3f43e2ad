"""A real Slurm runs small jobs, and what its sacct prints is imported, as text and as JSON."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from groundplan.finops.lake.engine import rows
from groundplan.finops.lake.lake import Lake
from groundplan.tasks.finops.lake import import_files

from .slurm_cluster import PROGRAMS, Cluster, slurm

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)) or os.geteuid() != 0 or "CI" in os.environ,
    reason="needs Debian's slurm-wlm, slurmdbd, mariadb-server and munge, and root; not for CI",
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Run a Slurm that has run a few jobs: one, two of an array, a requeued one."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    folder.chmod(0o755)
    try:
        with slurm(folder) as running:
            running.run("sacctmgr", "-i", "add", "account", "vision")
            running.run("sacctmgr", "-i", "add", "user", "root", "account=vision")
            submit = ("sbatch", "--parsable", "-A", "vision", "-D", str(folder), "-o", "/dev/null")
            comment = ("--comment", "project=x;experiment=e1")
            running.run(*submit, "-J", "one", "--gres=gpu:a100:2", *comment, "--wrap", "srun sleep 1")
            running.run(*submit, "-J", "array", "--gres=gpu:a100:1", "--array=3-4", "--wrap", "sleep 1")
            again = running.run(*submit, "-J", "again", "--requeue", "--gres=gpu:a100:1", "--wrap", "sleep 4").strip()
            running.wait("squeue", "-h", "-j", again, "-o", "%T", until="RUNNING")
            running.run("scontrol", "requeue", again)
            running.wait("squeue", "-h", "-j", again, "-o", "%T", until="PENDING")
            time.sleep(2)  # until then the requeue itself would put off the start, for two minutes
            running.run("scontrol", "update", f"JobId={again}", "StartTime=now")
            running.wait("sacct", "-X", "-n", "-P", "-j", again, "--format=State", until="COMPLETED", seconds=200)
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def imported(tmp_path: Path, name: str, text: str) -> list[dict[str, Any]]:
    """Import what sacct printed; return the jobs."""
    path = tmp_path / name
    path.write_text(text)
    report = import_files(str(tmp_path / f"lake-{name}"), [path])
    assert report.quarantined == 0
    return rows(Lake(str(tmp_path / f"lake-{name}")).connect(), "SELECT * FROM jobs ORDER BY name, start_time, job_id")


def test_text_and_json_of_a_real_slurm(tmp_path: Path, cluster: Cluster) -> None:
    asked = ("sacct", "--allusers", "--duplicates", "--starttime=now-1hour")
    text = imported(tmp_path, "sacct.txt", cluster.run(*asked, "--parsable2", "--format=ALL"))
    again = [row for row in text if row["name"] == "again"]
    assert len(again) == 2 and again[0]["end_time"] <= again[1]["start_time"]  # both runs of the requeued job
    assert {row["name"]: row["gpus"] for row in text} == {"one": 2, "array": 1, "again": 1}
    one = next(row for row in text if row["name"] == "one")
    assert (one["account"], one["user"], one["gpu_type"], one["state"]) == ("vision", "root", "a100", "COMPLETED")
    assert {"project": "x", "experiment": "e1"}.items() <= json.loads(one["labels"]).items()
    assert len(json.loads(one["nodes"])) == 1 and one["end_time"] > one["start_time"] >= one["submit_time"]
    from_json = imported(tmp_path, "sacct.json", cluster.run(*asked, "--json"))
    assert from_json == text
