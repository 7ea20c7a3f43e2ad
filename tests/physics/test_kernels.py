"""Memory-bound kernels and the host that launches them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.physics.kernels import elementwise_s, launch_bound_s
from physics.broadcasting import broadcasts

BANDWIDTH, FIXED = 2e12, 2e-6


@given(st.floats(1.0, 1e12), st.floats(1.0, 100.0))
def test_the_reached_bandwidth_rises_with_size_to_the_memorys(moved, factor):
    small, large = (b / elementwise_s(b, BANDWIDTH, FIXED) for b in (moved, moved * factor))
    assert small <= large * (1 + 1e-12)
    assert large <= BANDWIDTH


def test_half_the_bandwidth_is_reached_where_start_and_traffic_are_equal():
    moved = FIXED * BANDWIDTH
    assert moved / elementwise_s(moved, BANDWIDTH, FIXED) == pytest.approx(BANDWIDTH / 2)


def test_a_kernel_without_work_is_not_there():
    assert elementwise_s(0.0, BANDWIDTH, FIXED) == 0.0


@given(st.floats(0.0, 1.0), st.integers(0, 1000), st.floats(0.0, 1e-4))
def test_the_slower_of_host_and_device_shows(device, launches, launch):
    together = launch_bound_s(device, launches, launch)
    assert together >= device
    assert together >= launches * launch
    assert together in (device, launches * launch)


@pytest.mark.parametrize(
    ("law", "ranges"),
    [
        (elementwise_s, {"bytes_moved": (0.0, 1e3, 1e9), "memory_bytes_per_s": (1e12, 3e12), "fixed_s": (0.0, 2e-6)}),
        (launch_bound_s, {"device_s": (0.0, 1e-4, 1e-2), "launches": (0, 12, 100), "launch_s": (0.0, 5e-6)}),
    ],
)
def test_arrays_get_what_numbers_get(law, ranges):
    broadcasts(law, ranges)
