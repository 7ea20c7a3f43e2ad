"""Runs that a rule stops early are hopeless ones: never the best, and only dollars that were spent after the stop."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.finops.recommend.runs import Run, early_stop, halving_stops, median_stops, saving

STEPS = 40


def _course(floor: float, name: str, cost: float = 100.0) -> Run:
    return Run(name, cost, [(step, floor + math.exp(-step / 8)) for step in range(1, STEPS + 1)])


@given(st.lists(st.integers(0, 10), min_size=4, max_size=12, unique=True))
def test_where_courses_do_not_cross_the_best_goes_on_and_half_are_stopped(floors: list[int]) -> None:
    runs = [_course(floor, str(index)) for index, floor in enumerate(floors)]
    best = str(floors.index(min(floors)))
    for stops in (median_stops(runs), halving_stops(runs)):
        assert best not in stops
        assert 0.0 <= saving(runs, stops) < sum(run.cost for run in runs)
    assert len(halving_stops(runs)) >= len(runs) / 2


def test_by_hand_successive_halving_stops_at_an_eighth_a_quarter_and_a_half() -> None:
    runs = [_course(float(index), str(index)) for index in range(8)]
    stops = halving_stops(runs)
    assert {name: at / STEPS for name, at in stops.items()} == {
        "4": 0.125, "5": 0.125, "6": 0.125, "7": 0.125, "2": 0.25, "3": 0.25, "1": 0.5,
    }  # fmt: skip
    assert saving(runs, stops) == pytest.approx(100 * (4 * 0.875 + 2 * 0.75 + 0.5))


def _row(run: Run, metric: str = "val_loss") -> dict[str, Any]:
    return {
        "experiment": "e", "run_id": run.run_id, "name": run.run_id, "status": "FINISHED", "cost": run.cost,
        "metrics": json.dumps({metric: [[step, value] for step, value in run.course]}),
    }  # fmt: skip


def test_an_experiment_is_told_with_the_range_of_both_rules() -> None:
    runs = [_course(float(index), str(index)) for index in range(8)]
    (row,), missing = early_stop([_row(run) for run in runs], 2.0)
    assert not missing and row.kind == "early-stop" and "by val_loss" in row.what
    assert 0 < row.low_usd < row.high_usd < 2 * 800


def test_a_rising_metric_is_better_when_high() -> None:
    good, *bad = ([[step, level * step] for step in range(1, 41)] for level in (4, 1, 1.5, 2))
    rows = [_row(_course(0.0, str(index))) | {"metrics": json.dumps({"accuracy": course})}
            for index, course in enumerate([good, *bad])]  # fmt: skip
    (row,), _ = early_stop(rows, 1.0)
    assert "kept the best, 0" in row.evidence


def test_few_runs_and_runs_without_a_course_say_nothing() -> None:
    assert early_stop([_row(_course(1.0, str(index))) for index in range(3)], 1.0)[1][0].kind == "early-stop"
    odd = {"val_loss": [[1, None], [2, None]], "other": [[0, 1.0]]}
    assert early_stop([_row(_course(1.0, "a")) | {"metrics": json.dumps(odd)}] * 5, 1.0)[0] == []
