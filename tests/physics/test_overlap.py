"""What a collective adds to the compute it runs beside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.physics.overlap import exposed_s
from physics.broadcasting import broadcasts

seconds, shares, slowdowns = st.floats(0.0, 10.0), st.floats(0.0, 1.0), st.floats(1.0, 1.5)


@given(seconds, seconds, shares, slowdowns)
def test_exposed_lies_between_what_cannot_hide_and_the_whole(communication, compute, share, slowdown):
    added = exposed_s(communication, compute, share, slowdown)
    assert max(communication - compute, (1 - share) * communication) <= added + 1e-9
    assert added <= communication + 1e-9


@given(seconds, seconds, shares, slowdowns, st.floats(0.0, 5.0))
def test_more_compute_hides_more_and_more_traffic_shows_more(communication, compute, share, slowdown, more):
    added = exposed_s(communication, compute, share, slowdown)
    assert exposed_s(communication, compute + more, share, slowdown) <= added + 1e-9
    assert exposed_s(communication + more, compute, share, slowdown) >= added - 1e-9
    assert exposed_s(communication, compute, share, slowdown + more) >= added - 1e-9


def test_the_two_run_to_the_end_of_the_longer():
    assert 2.0 + exposed_s(5.0, 2.0, 1.0, 1.0) == 5.0
    assert 5.0 + exposed_s(2.0, 5.0, 1.0, 1.0) == 5.0


def test_what_may_not_hide_shows_whole():
    assert exposed_s(3.0, 100.0, 0.0, 1.3) == 3.0


def test_sharing_the_chip_costs_compute_time():
    assert exposed_s(3.0, 10.0, 1.0, 1.1) == pytest.approx(0.3)


BOTH = {
    "communication_s": (0.0, 0.5, 4.0),
    "compute_s": (0.0, 1.0),
    "hideable_share": (0.0, 0.9),
    "slowdown": (1.0, 1.1),
}


@pytest.mark.parametrize(("law", "ranges"), [(exposed_s, BOTH)])
def test_arrays_get_what_numbers_get(law, ranges):
    broadcasts(law, ranges)
