"""Stopping early: the best runs are never stopped, savings never more than the runs cost, planted losers are found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundplan.catalog.catalog import load_catalog
from groundplan.finops.recommend.stopping import (
    Course,
    best_runs,
    calibrated,
    course_of,
    followed,
    halving_rule,
    hopeless,
    median_rule,
)
from groundplan.tasks.finops.allocate import AllocateRequest
from groundplan.tasks.finops.lake import import_files
from groundplan.tasks.finops.recommend import recommend

Bill = Callable[..., Path]
CURVES = st.lists(
    st.lists(st.one_of(st.none(), st.floats(-5, 5)), min_size=1, max_size=20), min_size=5, max_size=12
)  # fmt: skip


def courses_of(curves: list[list[float | None]], lower: bool = True) -> list[Course]:
    return [
        course_of(str(run), str(run), 10.0, [[step + 1, value] for step, value in enumerate(curve)], lower)
        for run, curve in enumerate(curves)
    ]


def run(name: str, values: list[float], metric: str = "val_loss", cost: float = 100.0) -> dict[str, Any]:
    points = [[step + 1, value] for step, value in enumerate(values)]
    return {"experiment": "e", "run_id": name, "job_id": name, "cost": cost, "status": "FINISHED",
            "metrics": json.dumps({metric: points, "system/power": points})}  # fmt: skip


@settings(deadline=None)
@given(CURVES, st.booleans(), st.sampled_from([median_rule, halving_rule]))
def test_a_run_that_ended_among_the_best_is_never_stopped(
    curves: list[list[float | None]], lower: bool, rule: Any
) -> None:
    courses = courses_of(curves, lower)
    grace, stops = calibrated(courses, rule)
    assert not best_runs(courses) & stops.keys()
    assert all(step >= grace - 1e-9 for step in stops.values())
    winner = min(courses, key=lambda one: one.best[-1])
    assert winner.run not in stops


@settings(deadline=None)
@given(CURVES)
def test_stopping_saves_no_more_than_the_runs_cost(curves: list[list[float | None]]) -> None:
    rows = [run(str(at), [9.0 if value is None else value for value in curve]) for at, curve in enumerate(curves)]
    found, _ = hopeless(rows, 1.0)
    for row in found:
        assert 0.0 <= row.low_usd <= row.high_usd <= 100.0 * len(rows)


def test_losers_from_the_start_are_stopped_as_early_as_the_best_allow() -> None:
    good = [run(f"g{at}", [1.0 / (step + 1 + at) for step in range(100)]) for at in range(3)]
    bad = [run(f"b{at}", [5.0 + at] * 100) for at in range(6)]
    ((row,), _) = hopeless([*good, *bad], 2.0)
    # Of nine the median is b1, so b2 to b5 stop at a tenth, for a grace of 10. Halving keeps three, then one: so that
    # the second rung stops none of the best three it lies beyond the end, the first at 40, and six stop there.
    assert row.low_usd == pytest.approx(4 * 90.0 * 2) and row.high_usd == pytest.approx(6 * 60.0 * 2)
    assert row.about == {f"job:b{at}" for at in range(6)}
    assert "n_warmup_steps=10)" in row.command and "mode='min', grace_period=40" in row.command


def test_a_late_bloomer_makes_the_grace_longer() -> None:
    late = run("late", [9.0] * 49 + [0.1] * 51)
    others = [run(f"o{at}", [3.0 + at * 0.1] * 100) for at in range(7)]
    _, _, courses = followed([late, *others]) or ("", True, [])
    grace, stops = calibrated(courses, median_rule)
    assert grace == 50.0 and "late" not in stops and stops


def test_held_out_metrics_go_first_and_the_name_tells_what_is_better() -> None:
    runs = [run(str(at), [0.5] * 5, "eval/accuracy") for at in range(5)]
    assert (followed(runs) or ("",))[:2] == ("eval/accuracy", False)
    assert followed([run(str(at), [0.5] * 5, "power") for at in range(5)]) is None
    assert followed([run(str(at), [0.5], "loss") for at in range(5)]) is None
    assert hopeless([], 1.0)[1][0].kind == "early-stop"


def test_runs_of_a_store_are_judged_with_what_their_jobs_cost(tmp_path: Path, bill: Bill) -> None:
    store = tmp_path / "mlruns" / "7"
    store.mkdir(parents=True)
    (store / "meta.yaml").write_text("experiment_id: '7'\nname: tune\n")
    jobs = []
    for at in range(6):
        folder = store / f"r{at}"
        for kind in ("metrics", "params", "tags"):
            (folder / kind).mkdir(parents=True)
        (folder / "meta.yaml").write_text(f"run_id: r{at}\nexperiment_id: '7'\nstatus: 3\nstart_time: 1777593600000\n")
        (folder / "metrics/val_loss").write_text("".join(f"1 {at + 1} {step}\n" for step in range(1, 11)))
        (folder / "params/lr").write_text(str(at))
        (folder / "tags/slurm_job_id").write_text(str(at))
        jobs.append(
            f"{at}|w|ann|a|COMPLETED|2026-05-01T00:00:00|2026-05-01T00:00:00|2026-05-02T00:00:00|gres/gpu=1|n{at}|"
        )
    (tmp_path / "sacct.txt").write_text(
        "JobID|JobName|User|Account|State|Submit|Start|End|AllocTRES|NodeList|Comment\n" + "\n".join(jobs) + "\n"
    )
    columns = ("BilledCost", "EffectiveCost", "BillingCurrency", "ChargePeriodStart", "ChargePeriodEnd", "ResourceId",
               "ResourceName")  # fmt: skip
    charges = [("24", "24", "USD", "2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", "i", f"n{at}") for at in range(6)]
    fields = ("timestamp", "Hostname", "gpu", "hpc_job", "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
              "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "DCGM_FI_DEV_FB_USED")  # fmt: skip
    samples = [("2026-05-01T00:00:00Z", f"n{at}", "0", str(at), 0.95, 0.5, 30_000) for at in range(6)]
    files = [bill("b.csv", charges, columns), bill("d.csv", samples, fields), tmp_path / "sacct.txt"]
    import_files(str(tmp_path / "lake"), [*files, tmp_path / "mlruns"])
    found = recommend(AllocateRequest(str(tmp_path / "lake")), load_catalog())
    (row,) = [one for one in found.recommendations if one["kind"] == "early-stop"]
    # Median 3.5: the worst three stop at step 1 of 10. Halving keeps two and stops four, at 4: a rung at 3 x 3 would
    # stop the second best.
    assert float(row["low_usd"]) == pytest.approx(4 * 24 * 0.6 * 30)
    assert float(row["high_usd"]) == pytest.approx(3 * 24 * 0.9 * 30)
