"""Kernels bound by memory, and the processor that launches them."""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats


def elementwise_s(bytes_moved: Floats, memory_bytes_per_s: Floats, fixed_s: Floats) -> Floats:
    """Seconds of memory-bound kernels that move `bytes_moved`, with a ramp-up of `fixed_s`.

    Notes
    -----
    ``bytes / bandwidth + fixed``; zero bytes take no time.
    """
    return bytes_moved / memory_bytes_per_s + np.where(np.asarray(bytes_moved) > 0.0, fixed_s, 0.0)


def launch_bound_s(device_s: Floats, launches: Floats, launch_s: Floats) -> Floats:
    """Seconds of a run of kernels whose launches the host issues one after the other.

    The device waits when the host needs longer to launch than the kernels to run: ``max(device, launches x launch)``.

    >>> float(launch_bound_s(0.001, 100, 5e-6))
    0.001
    >>> float(launch_bound_s(0.0001, 100, 5e-6))
    0.0005
    """
    return np.maximum(device_s, launches * launch_s)
