"""The run around the step: terms that sum, what makes it longer, and columns that equal their rows."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.estimate.checkpoint import saving
from groundplan.estimate.run import RunInputs, RunTime, run_time

DAY = 86_400.0
RUN = RunInputs(
    step_s=10.0,
    steps=50_000.0,
    nodes=256,
    accelerators=2048,
    checkpoint_bytes=1e12,
    storage_write_bytes_per_s=1e11,
    client_bytes_per_s=2.5e10,
    device_to_host_bytes_per_s=1e10,
    asynchronous=False,
    failures_per_1000_node_days=3.8,
    spot_interruptions_per_node_hour=0.0,
    restart_s=900.0,
    startup_s=1200.0,
    data_stall_s=0.0,
)


def total(run: RunTime) -> float:
    return float(np.asarray(run.total_s))


def test_the_terms_sum_to_the_run() -> None:
    run = run_time(RUN)
    assert math.fsum(float(np.asarray(term)) for term in run.terms.values()) == pytest.approx(total(run))
    assert run.terms["training"] == pytest.approx(500_000.0)
    assert float(run.goodput) == pytest.approx(500_000.0 / (total(run) - 1200.0))


def test_a_perfect_world_takes_steps_and_start_up_and_one_save() -> None:
    run = run_time(replace(RUN, failures_per_1000_node_days=0.0))
    assert total(run) == pytest.approx(500_000.0 + 1200.0 + 10.0)
    assert float(run.interval_s) == pytest.approx(500_000.0)


def test_llama_3_kept_more_than_nine_tenths_of_its_time() -> None:
    """The Llama 3 Herd of Models: over 90 % effective training time on 16,384 GPUs, a failure every 3.1 h."""
    run = run_time(
        replace(
            RUN,
            nodes=2048,
            accelerators=16_384,
            checkpoint_bytes=5.68e12,
            asynchronous=True,
            storage_write_bytes_per_s=2e12,
        )
    )
    assert float(run.mtbf_s) / 3600 == pytest.approx(3.1, abs=0.05)
    assert 0.90 < float(run.goodput) < 0.97


def test_saving_beside_training_stalls_less() -> None:
    beside, after = run_time(replace(RUN, asynchronous=True)), run_time(RUN)
    assert float(beside.stall_s) < float(after.stall_s)
    assert total(beside) < total(after)
    assert float(beside.interval_s) >= float(beside.write_s)


def test_a_checkpoint_that_is_still_being_written_is_worth_nothing() -> None:
    """Asynchronous saves lose the work of the interval and of the write: half an interval and a write on average."""
    mtbf, write = 1e7, 600.0
    saved = saving(write, 1e10, 1e10, True, mtbf, 0.0)
    per_failure = float(saved.rework_s) / (float(saved.interval_s + saved.stall_s) / mtbf)
    assert per_failure == pytest.approx(float(saved.interval_s) / 2 + write, rel=0.01)


def test_reclaimed_nodes_cost_time() -> None:
    assert total(run_time(replace(RUN, spot_interruptions_per_node_hour=0.01))) > total(run_time(RUN))


def test_a_slow_loader_shows_as_data_stall() -> None:
    run = run_time(replace(RUN, data_stall_s=2.5))
    assert run.terms["data_stall"] == pytest.approx(125_000.0)
    assert float(run.goodput) < 0.8


def test_saves_fall_between_steps() -> None:
    run = run_time(replace(RUN, nodes=4096, failures_per_1000_node_days=50.0, step_s=600.0, checkpoint_bytes=1e9))
    assert float(run.interval_s) >= 600.0


def test_a_run_that_never_ends_takes_for_ever() -> None:
    run = run_time(replace(RUN, spot_interruptions_per_node_hour=1e4))
    assert total(run) == math.inf
    assert float(run.goodput) == 0.0


@given(
    st.floats(0.1, 100.0),
    st.integers(1, 4096),
    st.floats(1e9, 1e13),
    st.booleans(),
    st.floats(0.0, 20.0),
    st.floats(0.0, 0.01),
)
def test_no_term_is_negative_and_nothing_is_free(
    step: float, nodes: int, size: float, asynchronous: bool, failures: float, reclaims: float
) -> None:
    run = run_time(
        replace(
            RUN,
            step_s=step,
            nodes=nodes,
            accelerators=nodes * 8,
            checkpoint_bytes=size,
            asynchronous=asynchronous,
            failures_per_1000_node_days=failures,
            spot_interruptions_per_node_hour=reclaims,
        )
    )
    assert all(float(np.asarray(term)) >= 0.0 for term in run.terms.values())
    assert total(run) >= step * RUN.steps + RUN.startup_s
    assert 0.0 <= float(run.goodput) < 1.0


def test_a_thousand_candidates_at_once_are_a_thousand_single_ones() -> None:
    rng = np.random.default_rng(5)
    nodes = rng.integers(1, 4096, 1000)
    columns = replace(
        RUN,
        step_s=rng.uniform(0.5, 60.0, 1000),
        nodes=nodes,
        accelerators=nodes * 8,
        asynchronous=rng.random(1000) < 0.5,
        spot_interruptions_per_node_hour=np.where(rng.random(1000) < 0.3, 0.01, 0.0),
    )
    together = run_time(columns)
    for row in range(0, 1000, 37):
        one = {
            field.name: value[row] if isinstance(value := getattr(columns, field.name), np.ndarray) else value
            for field in fields(columns)
        }
        single = run_time(RunInputs(**one))
        assert total(single) == pytest.approx(float(np.asarray(together.total_s)[row]))
        assert float(single.interval_s) == pytest.approx(float(together.interval_s[row]))
