"""The data loader: cores to decode, and what is left of the accelerators when it is slower than the step."""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats


def decode_cores(read_rate_bytes_per_s: Floats, core_bytes_per_s: Floats) -> Floats:
    """CPU cores that decompression and decoding keep busy: never free [cores].

    >>> decode_cores(19e9, 1.25e8)
    152.0
    """
    return read_rate_bytes_per_s / core_bytes_per_s


def data_stall_s(step_seconds: Floats, load_seconds: Floats) -> Floats:
    """Seconds a step waits for its data when loading runs beside it: ``max(load - step, 0)``.

    >>> float(data_stall_s(1.0, 1.5)), float(data_stall_s(1.0, 0.5))
    (0.5, 0.0)
    """
    return np.maximum(np.asarray(load_seconds) - step_seconds, 0.0)


def stall_share(step_seconds: Floats, load_seconds: Floats) -> Floats:
    """Share of the time that accelerators wait for data: the stall over the step with its stall.

    >>> float(stall_share(1.0, 4.0)), float(stall_share(1.0, 0.5))
    (0.75, 0.0)
    """
    stall = data_stall_s(step_seconds, load_seconds)
    return stall / (step_seconds + stall)
