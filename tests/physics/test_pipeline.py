"""Closed forms of pipeline schedules against a small event simulation that knows only orders and dependencies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from groundplan.physics.pipeline import bubble_s, in_flight_micro_batches, pipeline_s
from physics.broadcasting import broadcasts

Task = tuple[str, int, int]  # F or B, micro-batch, chunk of the model from 0 to p v - 1


def order(stage: int, stages: int, virtual: int, micro_batches: int) -> list[Task]:
    """Return what a device runs, in the order of Megatron-LM's schedules (Narayanan 2021, figure 4)."""
    total = micro_batches * virtual
    ahead = stages - stage - 1 if virtual == 1 else 2 * (stages - stage - 1) + (virtual - 1) * stages
    warm = min(total, ahead)

    def task(kind: str, position: int) -> Task:
        group, place = divmod(position, stages * virtual)
        chunk, micro = divmod(place, stages)
        chunk = chunk if kind == "F" else virtual - 1 - chunk
        return kind, group * stages + micro, chunk * stages + stage

    forwards = [task("F", i) for i in range(total)]
    backwards = [task("B", i) for i in range(total)]
    paired = [each for pair in zip(forwards[warm:], backwards, strict=False) for each in pair]
    return forwards[:warm] + paired + backwards[total - warm :]


class Simulation:
    """Runs every device's order as soon as its inputs have arrived; hops are sent beside compute."""

    def __init__(
        self, m: int, p: int, v: int, f: float, b: float, d: float = 0.0, first: float = 0.0, last: float = 0.0
    ):
        self.p, self.chunks, self.hop = p, p * v, d
        extra = [0.0] * p
        extra[0] += first
        extra[-1] += last
        # An end's extra work is split as the rest of the micro-batch is.
        scale = [1.0 + e / (f + b) for e in extra]
        self.seconds = [{"F": f / v * s, "B": b / v * s} for s in scale]
        queues = [order(i, p, v, m) for i in range(p)]
        self.ends: dict[Task, float] = {}
        self.clock = [0.0] * p
        self.peak = [0.0] * p
        held = [0] * p
        while any(queues):
            ready = [i for i in range(p) if queues[i] and all(t in self.ends for t in self.inputs(queues[i][0]))]
            assert ready, "the schedule waits for itself"
            for i in ready:
                task = queues[i].pop(0)
                start = max([self.clock[i], *(self.arrival(t, i) for t in self.inputs(task))])
                self.ends[task] = self.clock[i] = start + self.seconds[i][task[0]]
                held[i] += 1 if task[0] == "F" else 0
                self.peak[i] = max(self.peak[i], held[i] / v)
                held[i] -= 1 if task[0] == "B" else 0

    def inputs(self, task: Task) -> Iterator[Task]:
        kind, micro, chunk = task
        if kind == "F" and chunk > 0:
            yield "F", micro, chunk - 1
        if kind == "B":
            yield ("F", micro, chunk) if chunk == self.chunks - 1 else ("B", micro, chunk + 1)

    def arrival(self, task: Task, stage: int) -> float:
        return self.ends[task] + (self.hop if task[2] % self.p != stage else 0.0)

    @property
    def seconds_total(self) -> float:
        return max(self.clock)


depths = st.integers(1, 8)
seconds = st.floats(0.1, 10.0)


@given(st.integers(1, 12), depths, seconds, seconds)
def test_1f1b_takes_what_the_simulation_takes(m, p, f, b):
    told = pipeline_s(m, p, 1, f, b, 0.0, False, 0.5 * b, 0.0, 0.0)
    assert told == pytest.approx(Simulation(m, p, 1, f, b).seconds_total)
    assert told - m * (f + b) == pytest.approx(bubble_s(m, p, 1, f, b, False, 0.5 * b), abs=1e-9)


@given(st.integers(1, 4), st.integers(2, 6), st.integers(2, 4), seconds, st.floats(1.0, 3.0))
def test_interleaved_takes_what_the_simulation_takes(rounds, p, v, f, backward_factor):
    m, b = rounds * p, backward_factor * f
    simulated = Simulation(m, p, v, f, b).seconds_total
    assert m * (f + b) + bubble_s(m, p, v, f, b, False, 0.0) == pytest.approx(simulated)
    assert pipeline_s(m, p, v, f, b, 0.0, False, 0.0, 0.0, 0.0) == pytest.approx(simulated)


@pytest.mark.parametrize("v", [1, 2, 4])
@pytest.mark.parametrize(("p", "m"), [(2, 8), (4, 4), (4, 16), (8, 32)])
def test_a_stage_holds_what_the_simulation_holds(p, m, v):
    simulated = Simulation(m, p, v, 1.0, 2.0).peak
    assert in_flight_micro_batches(m, p, v, np.arange(p)) == pytest.approx(simulated)


@pytest.mark.parametrize("hop", [0.02, 0.1, 0.3])
@pytest.mark.parametrize(("p", "m"), [(2, 8), (4, 16), (8, 32)])
def test_a_plain_pipeline_shows_its_hops(p, m, hop):
    told = pipeline_s(m, p, 1, 1.0, 2.0, hop, False, 1.0, 0.0, 0.0)
    assert told == pytest.approx(Simulation(m, p, 1, 1.0, 2.0, hop).seconds_total, rel=0.011)


@pytest.mark.parametrize("hop", [0.02, 0.1])
@pytest.mark.parametrize(("p", "m", "v"), [(4, 16, 2), (4, 32, 4), (8, 32, 2)])
def test_an_interleaved_pipeline_hides_most_hops(p, m, v, hop):
    told = pipeline_s(m, p, v, 1.0, 2.0, hop, False, 1.0, 0.0, 0.0)
    assert told == pytest.approx(Simulation(m, p, v, 1.0, 2.0, hop).seconds_total, rel=0.03)


@given(st.integers(1, 5), st.integers(2, 8), st.sampled_from([1, 2, 4]), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
@example(4, 8, 2, 0.0, 0.5)
def test_the_slowest_stage_sets_the_pace(rounds, p, v, first, last):
    m = rounds * p
    told = pipeline_s(m, p, v, 1.0, 2.0, 0.0, False, 1.0, first, last)
    simulated = Simulation(m, p, v, 1.0, 2.0, 0.0, first, last).seconds_total
    assert told >= simulated * (1.0 - 1e-9)
    # A heavy embedding fills part of the bubble, which the law leaves idle.
    assert told <= simulated * 1.25
    if first == 0.0 or (v == 1 and last >= first):
        assert told == pytest.approx(simulated)


@given(st.integers(1, 64), st.integers(1, 32), st.integers(1, 8), seconds, seconds, st.floats(0.0, 1.0), st.booleans())
def test_the_bubble_is_a_share_that_falls_with_micro_batches_and_virtual_stages(m, p, v, f, b, weight_share, zero):
    idle = bubble_s(m, p, v, f, b, zero, weight_share * b)
    assert idle >= 0.0
    assert idle / (m * (f + b) + idle) >= idle / ((m + 1) * (f + b) + idle)
    assert bubble_s(m, p, v + 1, f, b, zero, weight_share * b) <= idle
    assert bubble_s(m, 1, v, f, b, zero, weight_share * b) == 0.0


def test_zero_bubble_leaves_a_third_where_the_three_parts_are_equal():
    # Qi et al. 2023, section 2: with equal F, B and W, ZB-H1 has a third of the bubble of 1F1B.
    assert bubble_s(8, 4, 1, 1.0, 2.0, True, 1.0) == pytest.approx(bubble_s(8, 4, 1, 1.0, 2.0, False, 1.0) / 3)


def test_interleaving_costs_the_memory_korthikanti_says():
    # Korthikanti et al. 2022, section 4.2.3: a factor 1 + (p - 1) / (p m), with their m the virtual stages.
    assert in_flight_micro_batches(512, 8, 3) / 8 == pytest.approx(1 + 7 / 24)


PIPELINE = {"micro_batches": (1, 8, 64), "stages": (1, 2, 8), "virtual": (1, 2, 4)}
TIMES = {
    "forward_s": (0.1, 1.0),
    "backward_s": (0.2, 2.5),
    "zero_bubble": (True, False),
    "weight_backward_s": (0.0, 0.1),
}
ENDS = {"p2p_s": (0.0, 0.2), "first_extra_s": (0.0, 0.1), "last_extra_s": (0.0, 0.3)}


@pytest.mark.parametrize(
    ("law", "ranges"),
    [
        (bubble_s, PIPELINE | TIMES),
        (pipeline_s, PIPELINE | TIMES | ENDS),
        (in_flight_micro_batches, PIPELINE | {"stage_index": (0, 1)}),
    ],
)
def test_arrays_get_what_numbers_get(law, ranges):
    broadcasts(law, ranges)
