"""Power, energy and carbon of a run."""

from __future__ import annotations

from groundplan.physics.arrays import Floats

JOULES_PER_KWH = 3.6e6


def device_power_w(idle_w: Floats, busy_w: Floats, utilization: Floats) -> Floats:
    """Mean power of a device that is busy for a share of the time: ``idle + (busy - idle) x utilization`` [W].

    >>> device_power_w(100.0, 700.0, 0.5)
    400.0
    """
    return idle_w + (busy_w - idle_w) * utilization


def facility_power_w(devices: Floats, device_w: Floats, hosts: Floats, host_w: Floats, pue: Floats) -> Floats:
    """Power at the meter: devices and host overhead, times the power usage effectiveness [W].

    >>> facility_power_w(8, 700.0, 1, 2400.0, 1.25)
    10000.0
    """
    return (devices * device_w + hosts * host_w) * pue


def energy_j(power_w: Floats, duration_s: Floats) -> Floats:
    """Energy [J]: power times time."""
    return power_w * duration_s


def carbon_kg(energy: Floats, carbon_g_per_kwh: Floats) -> Floats:
    """Carbon dioxide equivalent of an energy [kg].

    >>> carbon_kg(3.6e6, 400.0)
    0.4
    """
    return energy / JOULES_PER_KWH * carbon_g_per_kwh / 1000.0
