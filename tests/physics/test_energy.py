"""Energy laws: a DGX at the meter, and what must always hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.physics.energy import carbon_kg, device_power_w, energy_j, facility_power_w

watts = st.floats(0.0, 2e3)


def test_a_dgx_h100_at_full_load_draws_its_rated_10_2_kw() -> None:
    """NVIDIA DGX H100 datasheet: 10.2 kW; eight parts of 700 W leave 4.6 kW for the host."""
    assert facility_power_w(8, device_power_w(70.0, 700.0, 1.0), 1, 4600.0, 1.0) == pytest.approx(10_200)


@given(watts, watts, st.floats(0.0, 1.0))
def test_power_lies_between_idle_and_busy(idle: float, more: float, busy_share: float) -> None:
    power = device_power_w(idle, idle + more, busy_share)
    assert idle * (1 - 1e-12) <= power <= (idle + more) * (1 + 1e-12)


def test_energy_and_carbon_of_a_kilowatt_day() -> None:
    energy = energy_j(1000.0, 86_400.0)
    assert energy / 3.6e6 == pytest.approx(24.0)
    assert carbon_kg(energy, 400.0) == pytest.approx(9.6)


def test_the_meter_counts_cooling_too() -> None:
    assert facility_power_w(8, 700.0, 1, 2000.0, 1.5) == pytest.approx(1.5 * facility_power_w(8, 700.0, 1, 2000.0, 1.0))


def test_arrays_give_what_their_elements_give() -> None:
    share = np.array([0.0, 0.5, 1.0])
    assert device_power_w(100.0, 700.0, share).tolist() == [device_power_w(100.0, 700.0, float(s)) for s in share]
