"""Plan against bill: the steps sum, and each is the money of its cause."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from groundplan.errors import InputError
from groundplan.finops.variance import Actual, bridge, planned_run
from groundplan.render import render
from groundplan.tasks.finops.lake import import_files
from groundplan.tasks.finops.variance import VarianceRequest, VarianceResult, variance

from .conftest import COLUMNS

DESIGN = {
    "schema": "groundplan/train/1",
    "price": {"usd_per_accelerator_hour": 2.0},
    "cost_usd": {"value": 2.0 * 8 * 10 + 5},
    "run_s": {"value": 36_000},
    "accelerators": 8,
    "tokens": 1e9,
    "mfu": {"value": 0.4},
    "run_terms": {"training": 34_200, "startup": 900, "lost_work": 900},
    "checkpoint": {"interval_s": 3_600},
}
SACCT = "JobID|JobName|User|Account|State|Submit|Start|End|AllocTRES|NodeList"
Bill = Callable[..., Path]


@pytest.fixture
def billed(tmp_path: Path, bill: Bill) -> Callable[..., VarianceResult]:
    """Return a function that holds `DESIGN` against jobs on one node of 8 accelerators at $24 an hour."""

    def hold(jobs: list[str], run: str = "llm", work: float | None = None) -> VarianceResult:
        (tmp_path / "sacct.txt").write_text("\n".join([SACCT, *jobs]) + "\n")
        charges = [
            ("24", "24", "USD", f"2026-05-01T{hour:02}:00:00Z", f"2026-05-01T{hour + 1:02}:00:00Z", "i-1", "", "n1")
            for hour in range(23)
        ]
        samples = [  # idle in the first hour of job 1, at work otherwise
            (f"2026-05-01T{hour:02}:{minute:02}:00Z", "n1", str(gpu), job, engine, 0.5, 20_000)
            for hour in range(23)
            for job, engine in [("1" if hour < 20 else "", 0.99 if hour else 0.0)]
            for minute in (0, 30)
            for gpu in range(8)
        ]
        fields = ("timestamp", "Hostname", "gpu", "hpc_job", "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
                  "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "DCGM_FI_DEV_FB_USED")  # fmt: skip
        files = [bill("b.csv", charges, (*COLUMNS, "ResourceName")), bill("d.csv", samples, fields)]
        import_files(str(tmp_path / "lake"), [*files, tmp_path / "sacct.txt"])
        return variance(VarianceRequest(str(tmp_path / "lake"), DESIGN, run, work=work))

    return hold


def _job(number: int, state: str, start: str, end: str, name: str = "llm") -> str:
    return f"{number}|{name}|u|a|{state}|2026-05-01T00:00:00|2026-05-01T{start}|2026-05-01T{end}|gres/gpu=8|n1"


def test_each_step_is_the_money_of_its_cause(billed: Callable[..., VarianceResult]) -> None:
    jobs = [_job(1, "COMPLETED", "00:00:00", "20:00:00"), _job(9, "COMPLETED", "20:00:00", "21:00:00", "another")]
    found = billed(jobs, work=2e9)
    steps = {row["cause"]: row["usd"] for row in found.steps}
    assert found.billed_usd == pytest.approx(20 * 24)
    assert steps["price"] == pytest.approx((3.0 - 2.0) * 160)
    assert steps["work"] == pytest.approx(2.0 * (80 - 4))  # twice the tokens
    assert steps["failures"] == pytest.approx(-2.0 * 4)  # planned 1800 s of 8, none came
    assert steps["idle"] == pytest.approx(2.0 * 8)
    assert steps["other"] == pytest.approx(-5)
    assert steps["efficiency"] == pytest.approx(2.0 * (160 - 80 - 76 + 4 - 8))
    assert found.planned_usd + sum(steps.values()) == pytest.approx(found.billed_usd)
    assert found.actual["mfu"] == pytest.approx(0.4 * 2 * 80 / 160)


def test_failed_attempts_lose_half_an_interval(billed: Callable[..., VarianceResult]) -> None:
    jobs = [_job(1, "NODE_FAIL", "00:00:00", "05:00:00"), _job(2, "COMPLETED", "06:00:00", "11:00:00")]
    found = billed(jobs)
    assert found.jobs == ("1", "2")
    assert {row["cause"]: row["usd"] for row in found.steps}["failures"] == pytest.approx(2.0 * (8 * 0.5 - 4))


def test_the_steps_always_sum() -> None:
    planned = planned_run(DESIGN)
    for hours, cost, idle, failed in ((1.0, 7.0, 0.0, ()), (500.0, 100.0, 40.0, ((8.0, 60.0), (8.0, 9e4)))):
        for work in (None, 0.1e9, 3e9):
            found = bridge(planned, Actual(("1",), cost, hours, idle, True, failed, work))
            assert planned.cost + sum(found.steps.values()) == pytest.approx(cost, abs=1e-9)


@pytest.mark.parametrize("missing", ["price", "cost_usd", "run_s", "accelerators"])
def test_a_plan_without_prices_is_refused(missing: str) -> None:
    broken: dict[str, Any] = {**DESIGN, missing: None}
    with pytest.raises(InputError, match="no price, cost or run time"):
        planned_run(broken)


def test_a_run_nobody_knows_is_refused(billed: Callable[..., VarianceResult]) -> None:
    with pytest.raises(InputError, match="knows no run 'vlm'"):
        billed([_job(1, "COMPLETED", "00:00:00", "20:00:00")], run="vlm")


@pytest.mark.parametrize("form", ["table", "md", "html", "csv"])
def test_the_bridge_is_shown_in_every_form(billed: Callable[..., VarianceResult], form: str) -> None:
    text = render(billed([_job(1, "COMPLETED", "00:00:00", "20:00:00")]).to_dict(), form)
    assert "efficiency" in text
