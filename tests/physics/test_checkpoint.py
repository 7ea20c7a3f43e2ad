"""Checkpoint laws: Daly's published optima, Meta's published goodput, a simulated run, and what must always hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.physics.checkpoint import (
    checkpoint_bytes,
    daly_s,
    goodput,
    overhead,
    restarting_s,
    rework_s,
    stall_s,
    write_s,
    young_s,
)

MINUTE, HOUR = 60.0, 3600.0
RSC_1_MTBF_S = 86_400.0 * 1000.0 / (2000 * 6.5)  # 16,000 GPUs in nodes of eight, 6.5 failures per 1,000 node-days

intervals = st.floats(60.0, 1e5)
costs = st.floats(0.1, 1e3)
restarts = st.floats(0.0, 3e3)
mtbfs = st.floats(1e3, 1e7)


@pytest.mark.parametrize(("mtbf_h", "minutes"), [(24.0, 117), (6.0, 57), (0.25, 9.1)])
def test_dalys_figures_have_these_optima(mtbf_h: float, minutes: float) -> None:
    digits = 1 if minutes < 10 else 0
    assert round(float(daly_s(5 * MINUTE, mtbf_h * HOUR)) / MINUTE, digits) == minutes


def test_a_405b_checkpoint_is_5292_gib() -> None:
    assert checkpoint_bytes(405_853_388_800, 14) / 2**30 == pytest.approx(5292, abs=0.5)


def test_bloom_wrote_its_checkpoint_in_40_seconds() -> None:
    assert float(write_s(2.3e12, 57.5e9, 48, 12.5e9)) == pytest.approx(40.0)


def test_few_clients_bound_a_write() -> None:
    assert float(write_s(1e12, 100e9, 2, 10e9)) == pytest.approx(1e12 / 20e9)


def test_an_asynchronous_save_stalls_for_the_copy_only() -> None:
    assert float(stall_s(100.0, 1e10, 1e10, False)) == 100.0
    assert float(stall_s(100.0, 1e10, 1e10, True)) == 1.0
    assert float(stall_s(0.5, 1e10, 1e10, True)) == 0.5


@pytest.mark.parametrize(("minutes", "published"), [(60.0, 0.70), (5.0, 0.93)])
def test_goodput_of_all_of_rsc_1_as_one_job(minutes: float, published: float) -> None:
    """Meta, arXiv 2410.21680: expected useful share with saves that do not block and five minutes to restart."""
    assert float(goodput(minutes * MINUTE, 0.0, 5 * MINUTE, RSC_1_MTBF_S)) == pytest.approx(published, abs=0.025)


@pytest.mark.parametrize(("cost", "mtbf"), [(300.0, 24 * HOUR), (300.0, 6 * HOUR), (300.0, 900.0), (10.0, 2 * HOUR)])
def test_dalys_interval_is_the_best_of_all(cost: float, mtbf: float) -> None:
    every = np.geomspace(1.0, 20 * mtbf, 20_000)
    best = overhead(every, cost, 600.0, mtbf).min()
    assert float(overhead(daly_s(cost, mtbf), cost, 600.0, mtbf)) == pytest.approx(best, rel=1e-3)


@pytest.mark.parametrize("mtbf", [2000.0, 10_000.0])
def test_the_model_agrees_with_a_simulated_run(mtbf: float) -> None:
    interval, cost, restart, saves = 1500.0, 60.0, 400.0, 20_000
    rng = np.random.default_rng(7)
    lost, restarting = 0.0, 0.0
    for _ in range(saves):
        while (failed := rng.exponential(mtbf)) < interval + cost:
            lost += failed
            while (again := rng.exponential(mtbf)) < restart:
                restarting += again
            restarting += restart
    assert lost / saves == pytest.approx(float(rework_s(interval, cost, mtbf)), rel=0.05)
    assert restarting / saves == pytest.approx(float(restarting_s(interval, cost, restart, mtbf)), rel=0.05)


def test_nothing_is_lost_where_nothing_fails() -> None:
    assert float(rework_s(3600.0, 60.0, math.inf)) == 0.0
    assert float(restarting_s(3600.0, 60.0, 600.0, math.inf)) == 0.0
    assert float(overhead(3600.0, 60.0, 600.0, math.inf)) == pytest.approx(3660 / 3600)


def test_a_run_that_fails_before_it_can_save_never_ends() -> None:
    assert float(overhead(86_400.0, 60.0, 600.0, 10.0)) == math.inf
    assert float(goodput(86_400.0, 60.0, 600.0, 10.0)) == 0.0


@pytest.mark.parametrize("mtbf", [5e-324, 1e-300, 1e300, 1e308])
def test_absurd_times_between_failures_neither_warn_nor_break(mtbf: float) -> None:
    interval = daly_s(300.0, mtbf)
    assert 0.0 < float(interval) < math.inf
    assert float(goodput(interval, 300.0, 600.0, mtbf)) == (1.0 if mtbf > 1.0 else 0.0)


@given(intervals, costs, restarts, mtbfs)
def test_the_parts_make_dalys_complete_model(interval: float, cost: float, restart: float, mtbf: float) -> None:
    whole = mtbf * math.exp(restart / mtbf) * math.expm1((interval + cost) / mtbf) / interval
    assert float(overhead(interval, cost, restart, mtbf)) == pytest.approx(whole, rel=1e-9)


@given(intervals, costs, restarts, mtbfs)
def test_restarts_take_a_fixed_share_of_all_time(interval: float, cost: float, restart: float, mtbf: float) -> None:
    wall = interval * float(overhead(interval, cost, restart, mtbf))
    share = float(restarting_s(interval, cost, restart, mtbf)) / wall
    assert share == pytest.approx(-math.expm1(-restart / mtbf), rel=1e-6, abs=1e-12)


@given(intervals, costs, restarts, mtbfs, st.floats(1.01, 10.0))
def test_worse_circumstances_never_help(
    interval: float, cost: float, restart: float, mtbf: float, factor: float
) -> None:
    here = float(goodput(interval, cost, restart, mtbf))
    assert 0.0 < here < 1.0
    assert float(goodput(interval, cost * factor, restart, mtbf)) <= here
    assert float(goodput(interval, cost, restart * factor, mtbf)) <= here
    assert float(goodput(interval, cost, restart, mtbf * factor)) >= here


@given(costs, st.floats(1e4, 1e8))
def test_the_optimum_grows_with_cost_and_with_time_between_failures(cost: float, mtbf: float) -> None:
    assert float(daly_s(cost * 1.5, mtbf)) > float(daly_s(cost, mtbf))
    assert float(daly_s(cost, mtbf * 1.5)) > float(daly_s(cost, mtbf))
    assert float(daly_s(cost, mtbf)) < float(young_s(cost, mtbf))


def test_arrays_give_what_their_elements_give() -> None:
    interval = np.array([600.0, 3600.0, 1e5])
    mtbf = np.array([100.0, 7200.0, np.inf])
    for law in (
        lambda t, m: overhead(t, 30.0, 300.0, m),
        lambda t, m: rework_s(t, 30.0, m),
        lambda t, m: restarting_s(t, 30.0, 300.0, m),
        lambda t, m: daly_s(t / 100.0, m),
    ):
        together = law(interval, mtbf)
        assert [float(law(t, m)) for t, m in zip(interval, mtbf, strict=True)] == together.tolist()
