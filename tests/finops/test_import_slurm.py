"""Slurm's accounting becomes jobs: every record accounted for, every accelerator counted."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from groundplan.errors import InputError
from groundplan.finops.lake.engine import rows
from groundplan.finops.lake.lake import Lake
from groundplan.tasks.finops.lake import ImportResult, import_files

COLUMNS = "JobID|JobIDRaw|JobName|State|Submit|Start|End|Elapsed|AllocTRES|NodeList|Comment|QOS|WCKey"


def sacct(tmp_path: Path, *lines: str, columns: str = COLUMNS) -> tuple[ImportResult, list[dict[str, Any]]]:
    """Import a text of sacct; return what became of it, and the jobs."""
    path, lake = tmp_path / "sacct.txt", str(tmp_path / "lake")
    path.write_text("\n".join((columns, *lines)) + "\n")
    return import_files(lake, [path]), jobs_of(lake)


def jobs_of(lake: str) -> list[dict[str, Any]]:
    """Return the jobs of a lake."""
    return rows(Lake(lake).connect(), "SELECT * FROM jobs ORDER BY job_id, start_time")


def job(tres: str = "", start: str = "2026-01-01T01:00:00", end: str = "2026-01-01T02:00:00", **cells: str) -> str:
    """Return one line of sacct."""
    values = {"id": "1", "raw": "", "state": "COMPLETED", "elapsed": "01:00:00", "nodes": "n1", "comment": "", **cells}
    return (
        f'{values["id"]}|{values["raw"] or values["id"]}|a"b|{values["state"]}|2026-01-01T00:00:00|{start}|{end}|'
        f"{values['elapsed']}|{tres}|{values['nodes']}|{values['comment']}|high|"
    )


@pytest.mark.parametrize(
    ("tres", "gpus", "kind"),
    [
        ("billing=8,cpu=8,gres/gpu=4,node=1", 4, None),
        ("gres/gpu:a100=4,gres/gpu=4", 4, "a100"),
        ("gres/gpu=3,gres/gpu:a100=2", 3, "a100"),
        ("gres/gpu:a100_1g.10gb=2", 2 / 7, "a100_1g.10gb"),
        ("gres/gpu:h100_1c.3g.40gb=1,gres/gpu=1", 1 / 7, "h100_1c.3g.40gb"),
        ("gres/mps=50", 0.5, None),
        ("gres/mps:a100=25", 0.25, "a100"),
        ("gpu:v100:2", 2, "v100"),
        ("gres/shard=8", None, None),
        ("cpu=4,mem=8G", 0, None),
    ],
)
def test_accelerators_held(tmp_path: Path, tres: str, gpus: float | None, kind: str | None) -> None:
    _, (found,) = sacct(tmp_path, job(tres))
    assert found["gpus"] == (None if gpus is None else pytest.approx(gpus))
    assert found["gpu_type"] == kind
    assert json.loads(found["labels"]).get("shards") == (8 if "shard" in tres else None)


def test_states_times_nodes_and_labels(tmp_path: Path) -> None:
    _, found = sacct(
        tmp_path,
        job(nodes="gpu-[001-003,7]", comment="project=x;experiment=e1"),
        job(id="2", state="CANCELLED by 1000", start="None", elapsed="00:00:00", nodes="None assigned"),
        job(id="3", state="RUNNING", end="Unknown", elapsed="1-02:03:04", comment="by hand"),
        job(id="12_3", raw="15", end="Unknown", elapsed="1-02:03:04"),
        job(id="16+1", raw="17", start="1767229200", end="1767232800"),
    )
    by_id = {row["job_id"]: row for row in found}
    assert sorted(by_id) == ["1", "15", "17", "2", "3"]
    assert json.loads(by_id["1"]["nodes"]) == ["gpu-001", "gpu-002", "gpu-003", "gpu-7"]
    assert by_id["1"]["name"] == 'a"b'
    assert json.loads(by_id["1"]["labels"]) == {"qos": "high", "project": "x", "experiment": "e1"}
    assert (by_id["2"]["state"], by_id["2"]["start_time"], by_id["2"]["nodes"]) == ("CANCELLED", None, "[]")
    assert by_id["3"]["end_time"] is None  # it runs on, whatever has elapsed
    assert json.loads(by_id["3"]["labels"])["comment"] == "by hand"
    assert by_id["15"]["end_time"] == datetime(2026, 1, 2, 3, 3, 4)
    assert json.loads(by_id["15"]["labels"])["array_job"] == "12"
    assert json.loads(by_id["17"]["labels"])["het_job"] == "16"
    assert by_id["17"]["start_time"] == datetime(2026, 1, 1, 1)


def test_steps_are_left_to_their_job_and_runs_of_a_requeued_job_all_count(tmp_path: Path) -> None:
    report, found = sacct(
        tmp_path,
        job("gres/gpu=1", state="NODE_FAIL"),
        job("gres/gpu=1", id="1.batch"),
        job("gres/gpu=1", start="2026-01-01T04:00:00", end="Unknown", state="RUNNING"),
        job("gres/gpu=1", start="2026-01-01T04:00:00", end="2026-01-01T05:00:00"),
        job("cpu=1", id="9.0"),
    )
    assert [(row["state"], row["start_time"].hour) for row in found] == [("NODE_FAIL", 1), ("COMPLETED", 4)]
    assert (report.kept, report.quarantined) == (2, 2)
    assert report.files[0].problems == (
        "a later record of job 1 is in the same file",
        "step 9.0 of a job that is not in the file",
    )


def test_a_job_exported_again_replaces_what_it_was(tmp_path: Path) -> None:
    sacct(tmp_path, job(state="RUNNING", end="Unknown"))
    _, found = sacct(tmp_path, job())
    assert [row["state"] for row in found] == ["COMPLETED"]


def test_what_cannot_be_read_is_kept_apart(tmp_path: Path) -> None:
    report, found = sacct(
        tmp_path,
        job(end="yesterday"),
        job(id="2", end="2026-01-01T00:30:00"),
        job(id="3", nodes="gpu-[1-"),
        job(id="4") + "|one|too|many",
        job(id=""),
        job(id="6"),
    )
    assert [row["job_id"] for row in found] == ["6"]
    assert report.quarantined == 5


def test_any_columns_will_do_if_they_say_when(tmp_path: Path) -> None:
    _, (found,) = sacct(tmp_path, "5|2026-01-01T02:00:00|00:30.5|x|", columns="JobID|Start|Elapsed|Account|")
    assert found["end_time"] == datetime(2026, 1, 1, 2, 0, 30, 500000)
    with pytest.raises(InputError, match="neither Submit nor Start"):
        sacct(tmp_path, "5|00:30:00|COMPLETED", columns="JobID|Elapsed|State")


def test_both_shapes_of_json_say_the_same(tmp_path: Path) -> None:
    def wrapped(number: int) -> dict[str, Any]:
        return {"set": True, "infinite": False, "number": number}

    unset = {"set": False, "infinite": False, "number": 0}
    gres = [{"type": "cpu", "name": None, "count": 4}, {"type": "gres", "name": "gpu", "count": 4}]
    gres.append({"type": "gres", "name": "gpu:a100", "count": 4})
    common = {
        "association": {"account": "vision", "cluster": "c1", "user": "ann"},
        "cluster": "c1", "name": "train", "nodes": "gpu-[1-2]", "qos": "high", "tres": {"allocated": gres},
        "time": {"submission": 1767225600, "start": 1767229200, "end": 1767232800}, "steps": [{}],
    }  # fmt: skip
    old = common | {
        "job_id": 15, "array": {"job_id": 12, "task": 3}, "het": {"job_id": 0, "job_offset": None},
        "exit_code": {"status": "FAILED", "return_code": 1}, "state": {"current": "FAILED", "reason": "None"},
        "comment": {"administrator": "", "job": "project=x", "system": ""}, "wckey": {"wckey": "k", "flags": []},
    }  # fmt: skip
    new = common | {
        "job_id": 15, "array": {"job_id": 12, "task_id": wrapped(3)}, "het": {"job_id": 0, "job_offset": unset},
        "exit_code": {"status": ["FAILED"], "return_code": wrapped(1)}, "state": {"current": ["FAILED"]},
        "comment": {"administrator": "", "job": "project=x", "system": ""}, "wckey": {"wckey": "k", "flags": []},
    }  # fmt: skip
    found = []
    for name, shape in (("old", old), ("new", new)):
        path, lake = tmp_path / f"{name}.json", str(tmp_path / name)
        path.write_text(json.dumps({"meta": {}, "jobs": [shape], "errors": []}))
        import_files(lake, [path])
        found += jobs_of(lake)
    assert found[0] == found[1]
    assert (found[0]["job_id"], found[0]["gpus"], found[0]["gpu_type"]) == ("15", 4, "a100")
    assert (found[0]["state"], found[0]["exit_code"], found[0]["user"]) == ("FAILED", "1:0", "ann")
    assert json.loads(found[0]["labels"]) == {"qos": "high", "wckey": "k", "array_job": "12", "project": "x"}
