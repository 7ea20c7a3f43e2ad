"""Loader laws: a loader beside the step costs nothing until it is slower."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.physics.loader import data_stall_s, decode_cores, stall_share

seconds = st.floats(1e-3, 1e3)


@given(seconds, seconds)
def test_step_and_stall_take_as_long_as_the_slower_of_the_two(step: float, load: float) -> None:
    assert step + float(data_stall_s(step, load)) == pytest.approx(max(step, load))


@given(seconds, seconds)
def test_the_share_left_for_work_is_the_loaders_speed_over_the_need(step: float, load: float) -> None:
    assert 1.0 - float(stall_share(step, load)) == pytest.approx(min(1.0, step / load))


def test_compressed_data_costs_cores() -> None:
    assert decode_cores(19e9, 1.2e8) == pytest.approx(158.3, abs=0.1)
    assert decode_cores(2 * 19e9, 1.2e8) == pytest.approx(2 * 158.3, abs=0.2)


def test_arrays_give_what_their_elements_give() -> None:
    load = np.array([0.5, 1.0, 4.0])
    assert stall_share(1.0, load).tolist() == [float(stall_share(1.0, value)) for value in load]
