"""An edge mission's figures for given designs: time of a frame, power, heat and energy, as columns over the designs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import EdgeDevice, EdgeFamily, PowerMode, Recipe
from groundplan.evidence import Assumption
from groundplan.physics.edge import (
    battery_energy_j,
    frame_compute_s,
    frame_traffic_bytes,
    scaled_flops,
    steady_temperature_c,
    sustainable_share,
    weight_stream_s,
)
from groundplan.physics.energy import device_power_w
from groundplan.workload.mission import Mission
from groundplan.workload.model import SampleModel

Array = NDArray[np.float64]

WIDTH_BYTES: Mapping[str, float] = {"fp32": 4.0, "fp16": 2.0, "int8": 1.0}
"""Precision -> bytes of a weight or activation."""
BUSY_SHARE = Assumption(
    "busy_share", 0.8, "1", "assumed", "part of a mode's limit above idle that inference draws; 60 % to 100 %"
)
CONVERSION = Assumption("conversion_efficiency", 0.9, "1", "assumed", "voltage converter between battery and computer")
IDLE_SPREAD = Assumption(
    "idle_spread", 0.35, "1", "assumed", "boards around a module draw more or less than its row says"
)
BUSY_LOW, BUSY_HIGH = 0.6, 1.0


@dataclass(frozen=True, slots=True)
class EdgeDesign:
    """One way to fly: a model at a resolution and precision, on a device in a power mode."""

    device: EdgeDevice
    mode: PowerMode
    family: EdgeFamily
    model: SampleModel
    side: int
    precision: str
    recipes: tuple[Recipe, ...] = ()


@dataclass(frozen=True, slots=True)
class EdgeEstimate:
    """Columns over the designs; NaN where a number that is needed is unknown. Low and high are of 80 %."""

    frame_terms: Mapping[str, Array]  # s; they sum to `latency_s`
    latency_s: Array
    latency_low_s: Array
    latency_high_s: Array
    frames_per_s: Array  # as fast as the device goes, held down by heat
    frames_low: Array
    frames_high: Array
    busy_share: Array  # of the time, at the rate that is asked or the most there is
    thermal_share: Array  # of the time the device may work
    power_w: Array
    power_low_w: Array
    power_high_w: Array
    temperature_c: Array
    energy_j: Array
    energy_low_j: Array
    energy_high_j: Array


def frame_terms(designs: Sequence[EdgeDesign]) -> dict[str, Array]:
    """Return the terms of the time between a frame's arrival and its answer [s], NaN where unknown."""
    device = _columns(designs, lambda d: (d.device.flops.get(d.precision), d.device.memory_bytes_per_s))
    mode = _columns(designs, lambda d: (d.mode.compute_share, d.mode.memory_share))
    family = _columns(
        designs,
        lambda d: (
            d.family.sustained_share,
            d.family.overhead_s,
            d.family.activation_passes,
            d.family.link_bytes_per_s,
            d.family.detection_s if d.model.family == "detection" else 0.0,
        ),
    )
    model = _columns(designs, lambda d: (d.model.forward_flops_per_sample, d.model.input_side, d.side))
    parameters, on_chip, width = _columns(
        designs, lambda d: (d.model.parameters, d.device.on_chip_bytes, WIDTH_BYTES[d.precision])
    )
    (peak, bandwidth), (compute_share, memory_share) = device, mode
    share, overhead, passes, link, detection = family
    flops = np.asarray(scaled_flops(model[0], model[2], model[1]))
    traffic = np.asarray(frame_traffic_bytes(flops, model[2], passes, width))
    streams = ~np.isnan(on_chip)
    # Without passes of their own, a family's share of the peak holds its memory traffic too.
    has_traffic = passes > 0.0
    rate = bandwidth * memory_share
    with np.errstate(invalid="ignore"):
        return {
            "overhead": overhead / compute_share,
            "compute": np.asarray(frame_compute_s(flops, peak, share, compute_share)),
            "activations": np.where(has_traffic, traffic / rate, 0.0),
            "weights": np.where(has_traffic & ~streams, parameters * width / rate, 0.0),
            "weight_streaming": np.where(streams, weight_stream_s(parameters, width, on_chip, link), 0.0),
            "detection": detection,
        }


def estimate(designs: Sequence[EdgeDesign], mission: Mission) -> EdgeEstimate:
    """Return the figures of every design on a mission."""
    terms = frame_terms(designs)
    between = np.sum([*terms.values()], axis=0)  # time between two answers, working flat out
    low, high, in_flight = _columns(
        designs, lambda d: (d.family.time_low, d.family.time_high, d.family.frames_in_flight)
    )
    terms = {name: term * in_flight for name, term in terms.items()}
    idle, limit, host, bound, resistance = _columns(
        designs,
        lambda d: (
            d.device.idle_w,
            d.mode.limit_w,
            d.device.host_w,
            d.device.limit_c,
            d.device.thermal_resistance if mission.thermal_resistance is None else mission.thermal_resistance,
        ),
    )
    busy = [idle + part * np.maximum(limit - idle, 0.0) for part in (BUSY_LOW, float(BUSY_SHARE.value or 0), BUSY_HIGH)]
    thermal = np.asarray(sustainable_share(mission.ambient_c, bound, resistance, idle, busy[1]))
    held = np.where(np.isnan(thermal), 1.0, thermal)  # unknown heat holds nothing down; the verdict says unknown
    wanted = mission.frames_per_s
    work = [np.minimum(wanted * between * factor, held) for factor in (low, np.ones_like(low), high)]
    device_w = [np.asarray(device_power_w(idle, b, w)) for b, w in zip(busy, work, strict=True)]
    spread = float(IDLE_SPREAD.value or 0) * (idle + host)
    power = [watts + host + side * spread for watts, side in zip(device_w, (-1.0, 0.0, 1.0), strict=True)]
    efficiency = float(CONVERSION.value or 0)
    energy = [np.asarray(battery_energy_j(watts, mission.flight_s, efficiency)) for watts in power]
    return EdgeEstimate(
        frame_terms=terms,
        latency_s=between * in_flight,
        latency_low_s=between * in_flight * low,
        latency_high_s=between * in_flight * high,
        frames_per_s=held / between,
        frames_low=held / (between * high),
        frames_high=held / (between * low),
        busy_share=work[1],
        thermal_share=thermal,
        power_w=power[1],
        power_low_w=power[0],
        power_high_w=power[2],
        temperature_c=np.asarray(steady_temperature_c(mission.ambient_c, resistance, device_w[1])),
        energy_j=energy[1],
        energy_low_j=energy[0],
        energy_high_j=energy[2],
    )


def _columns(designs: Sequence[EdgeDesign], pick: Callable[[EdgeDesign], tuple[float | None, ...]]) -> list[Array]:
    """Return one array for each number that `pick` takes of a design; None becomes NaN."""
    rows = np.array([[np.nan if v is None else float(v) for v in pick(d)] for d in designs])
    return [*rows.T]


def mode_of(device: EdgeDevice, mode: str, catalog: Catalog) -> PowerMode:
    """Return a power mode of a device; the one with the highest limit where `mode` is empty."""
    own = modes_of(device, catalog)
    return next((one for one in own if one.mode == mode), own[-1])


def modes_of(device: EdgeDevice, catalog: Catalog) -> list[PowerMode]:
    """Return the power modes of a device, lowest limit first."""
    own = [mode for mode in catalog.power_modes.values() if mode.device == device.id]
    return sorted(own, key=lambda mode: mode.limit_w or 0.0)
