"""Shifts of spend: those that were put there are found with their cause, and nothing else."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from groundplan.finops.anomalies import Series, cause_of, judge
from groundplan.finops.world.bill import charges_of
from groundplan.finops.world.fleet import START, WorldSize, nodes_of, teams_of
from groundplan.finops.world.shifts import shifts_of
from groundplan.finops.world.write import write_bill
from groundplan.tasks.finops.anomalies import anomalies
from groundplan.tasks.finops.lake import import_files

FIRST = date(2026, 7, 1)
SKU = {"tokens": "output-tokens", "transfer": "data-out", "stray": "g5.12xlarge", "a100": "p4d.24xlarge",
       "commitment": "p5.48xlarge"}  # fmt: skip


@pytest.mark.parametrize("seed", [11, 12])
def test_shifts_of_a_generated_bill_are_found_on_their_first_day_and_nothing_else(tmp_path: Path, seed: int) -> None:
    size = WorldSize(seed, 90, 128, 12)
    nodes, teams = nodes_of(size), teams_of(size)
    shifts = shifts_of(size, nodes, teams)
    write_bill(tmp_path / "bill", charges_of(size, nodes, teams, shifts))
    import_files(str(tmp_path / "lake"), [tmp_path / "bill"])
    found = {(row.start, row.end, row.cause, row.sku, row.team) for row in anomalies(str(tmp_path / "lake")).anomalies}

    def day(number: int) -> str:
        return (START + timedelta(days=number)).date().isoformat()

    assert len(shifts) >= 5
    assert {(start, cause, sku) for start, _, cause, sku, _ in found} == {
        (day(shift.first), shift.cause, SKU[shift.where]) for shift in shifts
    }


def _series(cost: np.ndarray, quantity: np.ndarray | None = None) -> Series:
    cost = cost.reshape(len(cost), -1)
    return Series(("p", "s", "k", "o"), cost, cost if quantity is None else quantity.reshape(cost.shape))


@pytest.mark.parametrize("noise", [0.03, 0.06, 0.10])
@pytest.mark.parametrize("growth", [1.0, 1.002])
def test_weeks_growth_and_noise_give_about_one_false_alarm_in_a_thousand_days(growth: float, noise: float) -> None:
    rng = np.random.default_rng(1)
    days = np.arange(180)
    weekend = (FIRST.weekday() + days) % 7 >= 5
    false = 0
    for _ in range(20):
        cost = 100 * growth**days * np.where(weekend, 0.5, 1.0) * rng.lognormal(0, noise, len(days))
        false += len(judge([_series(cost)], FIRST, 0.02))
    assert false / (20 * len(days)) < 1.5e-3


@pytest.mark.parametrize("length", [2, 5, 10])
@pytest.mark.parametrize("factor", [1.25, 2.0, 0.5])
def test_a_shift_is_found_with_its_days(length: int, factor: float) -> None:
    cost = 100 * np.random.default_rng(2).lognormal(0, 0.03, 90)
    cost[50 : 50 + length] *= factor
    (anomaly,) = judge([_series(cost)], FIRST, 0.02)
    assert (anomaly.start, anomaly.end) == (FIRST + timedelta(days=50), FIRST + timedelta(days=50 + length))
    assert anomaly.actual / anomaly.expected == pytest.approx(factor, rel=0.05)


def test_a_new_level_is_told_once_and_then_usual() -> None:
    cost = 100 * np.random.default_rng(3).lognormal(0, 0.03, 120)
    cost[50:] *= 2
    (anomaly,) = judge([_series(cost)], FIRST, 0.02)
    assert anomaly.start == FIRST + timedelta(days=50)


def test_days_to_come_change_nothing_about_what_is_found_today() -> None:
    cost = 100 * np.random.default_rng(4).lognormal(0, 0.05, 90)
    cost[40:46] *= 1.8
    whole = judge([_series(cost)], FIRST, 0.02)
    half = judge([_series(cost[:60])], FIRST, 0.02)
    assert whole == half


def test_the_cause_is_the_part_that_moved() -> None:
    past, of = np.arange(20), slice(20, 25)
    quantity = np.tile([10.0, 10.0], (25, 1))
    price = np.tile([1.0, 3.0], (25, 1))
    dearer, more, shifted = price.copy(), quantity.copy(), quantity.copy()
    dearer[20:] *= 1.5
    more[20:] *= 1.5
    shifted[20:] = [2.0, 18.0]
    assert cause_of(_series(quantity * dearer, quantity), past, of) == "price"
    assert cause_of(_series(more * price, more), past, of) == "quantity"
    assert cause_of(_series(shifted * price, shifted), past, of) == "mix"
