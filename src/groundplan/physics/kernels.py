"""Kernels bound by memory, and the processor that launches them."""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats


def elementwise_s(bytes_moved: Floats, memory_bytes_per_s: Floats, fixed_s: Floats) -> Floats:
    """Seconds of memory-bound kernels: norms, activations, casts, optimizer updates.

    Parameters
    ----------
    bytes_moved : float or array
        Bytes read and written [bytes].
    memory_bytes_per_s : float or array
        Device memory bandwidth [bytes/s].
    fixed_s : float or array
        What starting and draining take before the memory is busy [s].

    Notes
    -----
    ``bytes / bandwidth + fixed``, which is a bandwidth that ramps up with size and reaches half at ``fixed x
    bandwidth`` bytes. Zero bytes take no time: the kernel is not there.

    >>> float(elementwise_s(4e6, 2e12, 2e-6)), float(elementwise_s(0.0, 2e12, 2e-6))
    (4e-06, 0.0)
    """
    return bytes_moved / memory_bytes_per_s + np.where(np.asarray(bytes_moved) > 0.0, fixed_s, 0.0)


def launch_bound_s(device_s: Floats, launches: Floats, launch_s: Floats) -> Floats:
    """Seconds of a run of kernels whose launches the host issues one after the other.

    Launches queue ahead of the device, so that only the slower of the two shows: ``max(device, launches x launch)``.

    >>> float(launch_bound_s(0.001, 100, 5e-6))
    0.001
    >>> float(launch_bound_s(0.0001, 100, 5e-6))
    0.0005
    """
    return np.maximum(device_s, launches * launch_s)
