"""Unit economics: each figure is the money over the things, or says what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.finops.world.fleet import WorldSize
from groundplan.finops.world.write import write_world
from groundplan.tasks.finops.allocate import AllocateRequest, allocate
from groundplan.tasks.finops.lake import import_files
from groundplan.tasks.finops.units import units

from .conftest import COLUMNS, charge

Bill = Callable[..., Path]


def test_figures_of_a_generated_world_agree_with_its_allocation(tmp_path: Path) -> None:
    truth = write_world(WorldSize(8, 10, 40, 3), tmp_path / "w")
    lake = str(tmp_path / "lake")
    import_files(lake, [tmp_path / "w" / part for part in ("bill", "jobs", "telemetry")])
    value = {row["name"]: row["value"] for row in units(lake, load_catalog()).units}
    states = {row["state"]: row for row in allocate(AllocateRequest(lake)).states}
    fleet = sum(float(row["cost_usd"]) for row in states.values())
    assert value["accelerator-hour"] == pytest.approx(fleet / (40 * 24 * 10), rel=1e-9)
    assert value["useful accelerator-hour"] == pytest.approx(fleet / states["busy"]["gpu_hours"], rel=1e-6)
    assert float(truth["busy_usd"]) == pytest.approx(float(states["busy"]["cost_usd"]), rel=0.01)
    assert value["completed run"] > value["run"] > 0
    assert value["commitment utilisation"] == pytest.approx(1 / 1.02, rel=1e-3)  # the world leaves 2 % unused
    assert value["effective discount"] == pytest.approx(_discount(lake), rel=1e-9)
    assert 40 * 24 * 10 * 0.05 < value["energy"] < 40 * 24 * 10 * 0.65  # kWh, between idle A100 and busy H100
    assert value["carbon"] == pytest.approx(value["energy"] * 0.322, rel=0.2)


def _discount(lake: str) -> float:
    from groundplan.finops.lake.lake import Lake

    sql = "SELECT sum(ListCost), sum(EffectiveCost) FROM billing WHERE ChargeCategory = 'Usage' AND ListCost > 0"
    at_list, effective = Lake(lake).connect().execute(sql).fetchone()
    return float(1 - effective / at_list)


def test_what_the_lake_cannot_tell_is_unknown_and_says_what_it_needs(tmp_path: Path, bill: Bill) -> None:
    lake = str(tmp_path / "lake")
    import_files(lake, [bill("a.csv", [charge("1")])])
    rows = units(lake, load_catalog()).units
    assert all(row["value"] is None and row["how"].startswith("not known: needs ") for row in rows)


def test_a_step_costs_what_ran_over_what_checkpoints_kept(tmp_path: Path, bill: Bill) -> None:
    node = ("48", "48", "USD", "2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", "i-1", "", "n1")
    jobs = "JobID|User|Account|State|Submit|Start|End|AllocTRES|NodeList\n" + "".join(
        f"{job}|u|a|COMPLETED|2026-05-01T00:00:00|2026-05-01T00:00:00|2026-05-01T{end}|gres/gpu=2|n1\n"
        for job, end in ((1, "12:00:00"), (2, "06:00:00"))
    )
    (tmp_path / "sacct.txt").write_text(jobs)
    (tmp_path / "nodes.csv").write_text("gpu_model,gpu_capacity_num,cpu_num,node_name\nA100,4,96,n1\n")

    def run(name: str, job: int, **metrics: list[int]) -> dict[str, Any]:
        points = [
            {"key": key, "value": 1.0, "timestamp": 1, "step": s} for key, steps in metrics.items() for s in steps
        ]
        tags = [{"key": "slurm_job_id", "value": str(job)}]
        return {"info": {"run_id": name, "status": "FINISHED"}, "data": {"metrics": points, "tags": tags}}

    tracked = {"runs": [run("r1", 1, loss=[1000], checkpoint_saved=[400, 800]), run("r2", 2, loss=[500])]}
    (tmp_path / "runs.json").write_text(json.dumps(tracked))
    files = [tmp_path / name for name in ("sacct.txt", "nodes.csv", "runs.json")]
    import_files(str(tmp_path / "lake"), [bill("bill.csv", [node], (*COLUMNS, "ResourceName")), *files])
    found = {row["name"]: row for row in units(str(tmp_path / "lake"), load_catalog()).units}
    assert found["checkpointed step"]["value"] == pytest.approx(12 / 800)  # job 1 held half of n1 for half a day
