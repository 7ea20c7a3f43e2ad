"""Inference on a small device that flies along: time of a frame, heat, battery and uplink.

A frame of a convolutional network passes through kernels that are bound by arithmetic, by activations and by weights in
turn, so that their times add; a fixed part of launches, input and output comes on top.

References
----------
Williams, Waterman, Patterson 2009, Roofline: an insightful visual performance model.
Incropera and DeWitt, Fundamentals of Heat and Mass Transfer: steady conduction through a thermal resistance.
"""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats


def scaled_flops(flops: Floats, side: Floats, input_side: Floats) -> Floats:
    """FLOPs of a frame at another resolution: convolutions do the same work for each pixel [FLOP].

    >>> scaled_flops(8.0e9, 320.0, 640.0)
    2000000000.0
    """
    return flops * (side / input_side) ** 2


def frame_compute_s(flops: Floats, peak_flops_per_s: Floats, sustained_share: Floats, compute_share: Floats) -> Floats:
    """Arithmetic of one frame at the share of the peak that whole networks reach in this power mode [s].

    >>> frame_compute_s(10e9, 20e12, 0.5, 0.5)
    0.002
    """
    return flops / (peak_flops_per_s * sustained_share * compute_share)


def frame_traffic_bytes(flops: Floats, side: Floats, activation_passes: Floats, width_bytes: Floats) -> Floats:
    """Activations one frame moves [bytes].

    Notes
    -----
    FLOPs of a convolution grow with the square of its channels, its output with the channels: over networks of one
    input size, the elements written grow as ``sqrt(flops x pixels)``. `activation_passes` is their fitted number.

    >>> float(frame_traffic_bytes(4.0e8, 100.0, 1.0, 2.0))
    4000000.0
    """
    return activation_passes * width_bytes * np.sqrt(flops) * side


def weight_stream_s(parameters: Floats, width_bytes: Floats, on_chip_bytes: Floats, link_bytes_per_s: Floats) -> Floats:
    """Fetch of the weights that a chip without memory of its own cannot hold, for every frame [s].

    >>> float(weight_stream_s(10e6, 1.0, 6e6, 400e6))
    0.01
    """
    return np.maximum(parameters * width_bytes - on_chip_bytes, 0.0) / link_bytes_per_s


def sustainable_share(
    ambient_c: Floats, limit_c: Floats, thermal_resistance: Floats, idle_w: Floats, busy_w: Floats
) -> Floats:
    """Share of the time a device may work without passing its temperature limit [share].

    Notes
    -----
    Steady state: ``limit = ambient + R (idle + (busy - idle) share)``; the share is held between 0 and 1.

    >>> float(sustainable_share(40.0, 90.0, 5.0, 2.0, 18.0))
    0.5
    """
    return np.clip(((limit_c - ambient_c) / thermal_resistance - idle_w) / (busy_w - idle_w), 0.0, 1.0)


def steady_temperature_c(ambient_c: Floats, thermal_resistance: Floats, device_w: Floats) -> Floats:
    """Temperature a device settles at: ``ambient + R x power`` [degrees Celsius].

    >>> steady_temperature_c(35.0, 2.0, 15.0)
    65.0
    """
    return ambient_c + thermal_resistance * device_w


def battery_energy_j(power_w: Floats, duration_s: Floats, conversion_efficiency: Floats) -> Floats:
    """Energy a battery gives for a load behind a converter: ``power x time / efficiency`` [J].

    >>> battery_energy_j(9.0, 1200.0, 0.9)
    12000.0
    """
    return power_w * duration_s / conversion_efficiency


def upload_s(upload_bytes: Floats, link_bytes_per_s: Floats) -> Floats:
    """Time to send bytes over a radio link [s].

    >>> upload_s(10e6, 1e6)
    10.0
    """
    return upload_bytes / link_bytes_per_s
