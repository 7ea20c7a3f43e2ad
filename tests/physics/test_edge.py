"""Laws of inference on the edge: limits, monotone behaviour, and the same answer for arrays as for numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.physics import edge
from physics.broadcasting import Law, Ranges, broadcasts

RATES = st.floats(1e9, 1e15)


FLOPS, SIDES, RATIOS = (1e8, 8e9, 2e11), (224.0, 640.0), (0.1, 0.5, 1.0)
WIDTHS, TEMPERATURES, POWERS = (1.0, 2.0, 4.0), (-10.0, 25.0, 60.0), (5.0, 20.0, 60.0)


@pytest.mark.parametrize(
    ("law", "ranges"),
    [
        (edge.scaled_flops, {"flops": FLOPS, "side": SIDES, "input_side": SIDES}),
        (
            edge.frame_compute_s,
            {"flops": FLOPS, "peak_flops_per_s": (1e12, 3e13), "sustained_share": RATIOS, "compute_share": RATIOS},
        ),
        (
            edge.frame_traffic_bytes,
            {"flops": FLOPS, "side": SIDES, "activation_passes": (0.0, 1.2), "width_bytes": WIDTHS},
        ),
        (
            edge.weight_stream_s,
            {
                "parameters": (1e6, 1e8),
                "width_bytes": WIDTHS,
                "on_chip_bytes": (0.0, 6.5e6),
                "link_bytes_per_s": (4e8, 2e9),
            },
        ),
        (
            edge.sustainable_share,
            {
                "ambient_c": TEMPERATURES,
                "limit_c": (85.0, 99.0),
                "thermal_resistance": (0.5, 4.0),
                "idle_w": (0.5, 4.0),
                "busy_w": POWERS,
            },
        ),
        (
            edge.steady_temperature_c,
            {"ambient_c": TEMPERATURES, "thermal_resistance": (0.5, 4.0), "device_w": POWERS},
        ),
        (
            edge.battery_energy_j,
            {"power_w": POWERS, "duration_s": (600.0, 1500.0), "conversion_efficiency": (0.8, 0.95)},
        ),
        (edge.upload_s, {"upload_bytes": (1e6, 4e7), "link_bytes_per_s": (1e5, 1e6)}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_laws_broadcast(law: Law, ranges: Ranges) -> None:
    broadcasts(law, ranges)


@given(flops=st.floats(1e6, 1e12), peak=RATES, share=st.floats(0.05, 1.0), mode=st.floats(0.1, 1.0))
def test_a_larger_model_or_a_slower_mode_takes_longer(flops: float, peak: float, share: float, mode: float) -> None:
    time = edge.frame_compute_s(flops, peak, share, mode)
    assert edge.frame_compute_s(2.0 * flops, peak, share, mode) > time
    assert edge.frame_compute_s(flops, peak, share, 0.9 * mode) > time


def test_half_the_resolution_is_a_quarter_of_the_work() -> None:
    assert edge.scaled_flops(8e9, 320, 640) == 2e9


def test_weights_that_fit_are_not_streamed() -> None:
    assert edge.weight_stream_s(4e6, 1.0, 6.5e6, 4e8) == 0.0
    assert edge.weight_stream_s(138e6, 1.0, 6.5e6, 4.6e8) == pytest.approx(0.286, rel=0.01)


@given(
    ambient=st.floats(-40.0, 60.0), resistance=st.floats(0.5, 20.0), idle=st.floats(0.5, 5.0), more=st.floats(1.0, 50.0)
)
def test_at_its_sustainable_share_a_device_is_no_hotter_than_its_limit(
    ambient: float, resistance: float, idle: float, more: float
) -> None:
    share = edge.sustainable_share(ambient, 95.0, resistance, idle, idle + more)
    assert 0.0 <= share <= 1.0
    hot = edge.steady_temperature_c(ambient, resistance, idle + more * share)
    assert hot <= 95.0 + 1e-9 or share == 0.0
    assert share == 1.0 or share == 0.0 or hot == pytest.approx(95.0)


def test_a_flight_takes_more_from_the_battery_than_from_the_converter() -> None:
    assert edge.battery_energy_j(10.0, 1500.0, 0.9) == pytest.approx(16_666.7, rel=1e-4)


def test_forty_megabytes_at_ten_megabits_take_half_a_minute() -> None:
    assert edge.upload_s(40e6, 10e6 / 8) == 32.0
