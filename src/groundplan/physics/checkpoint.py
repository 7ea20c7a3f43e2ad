"""Checkpoints: how large, how long, how often, and what failures leave of the time."""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats


def checkpoint_bytes(parameters: Floats, bytes_per_parameter: Floats) -> Floats:
    """Bytes of a checkpoint: weights and optimizer states, no gradients.

    bf16 weights with fp32 Adam: 2 + 4 + 8 = 14 bytes per parameter.

    >>> round(checkpoint_bytes(405_853_388_800, 14) / 2**30)
    5292
    """
    return parameters * bytes_per_parameter


def write_s(stored_bytes: Floats, storage_bytes_per_s: Floats, clients: Floats, client_bytes_per_s: Floats) -> Floats:
    """Seconds to write: bytes over the slower of the storage and its clients' network together."""
    return stored_bytes / np.minimum(storage_bytes_per_s, clients * client_bytes_per_s)


def stall_s(write_seconds: Floats, device_bytes: Floats, device_to_host_bytes_per_s: Floats, asynchronous: Floats) -> Floats:
    """Seconds training stands still: the whole write, or only the copy to host memory when asynchronous."""
    copy = device_bytes / device_to_host_bytes_per_s
    return np.where(asynchronous, np.minimum(copy, write_seconds), write_seconds)


def young_s(cost_s: Floats, mtbf_s: Floats) -> Floats:
    """Young's interval between checkpoints: ``sqrt(2 w M)`` [s] (Young 1974)."""
    return np.sqrt(2.0 * np.asarray(cost_s) * mtbf_s)


def daly_s(cost_s: Floats, mtbf_s: Floats) -> Floats:
    """Daly's higher-order optimum of the compute time between checkpoints [s].

    Parameters
    ----------
    cost_s : float or array
        Time one checkpoint takes from training, w [s].
    mtbf_s : float or array
        Mean time between failures, M [s].

    Notes
    -----
    ``sqrt(2 w M) (1 + sqrt(w / 2M) / 3 + (w / 2M) / 9) - w`` for w < 2M, else M.

    References
    ----------
    Daly 2006, A higher order estimate of the optimum checkpoint interval for restart dumps, FGCS 22(3).

    >>> [round(float(daly_s(300, 3600 * h)) / 60, 1) for h in (24, 6, 0.25)]
    [116.7, 56.7, 9.1]
    """
    ratio = np.asarray(cost_s) / (2.0 * np.asarray(mtbf_s, dtype=float))
    series = 1.0 + np.sqrt(ratio) / 3.0 + ratio / 9.0
    return np.where(ratio < 1.0, young_s(cost_s, mtbf_s) * series - cost_s, mtbf_s)


def overhead(interval_s: Floats, cost_s: Floats, restart_s: Floats, mtbf_s: Floats) -> Floats:
    """Wall time over useful time: Daly's complete model with exponential failures.

    Parameters
    ----------
    interval_s : float or array
        Useful work between checkpoints, T [s].
    cost_s, restart_s, mtbf_s : float or array
        Checkpoint stall w, detection plus restart R, mean time between failures M [s].

    Notes
    -----
    ``M exp(R/M) (exp((T + w)/M) - 1) / T`` (Daly 2006, eq. 13), per second of work. It grows without bound when the
    interval or the restart exceeds the time between failures: such a run never ends.
    """
    m = np.asarray(mtbf_s, dtype=float)
    with np.errstate(over="ignore"):
        failing = m * np.exp(restart_s / m) * np.expm1((interval_s + cost_s) / m) / interval_s
    calm = (interval_s + cost_s) / interval_s
    return np.where(np.isinf(m), calm, failing)


def goodput(interval_s: Floats, cost_s: Floats, restart_s: Floats, mtbf_s: Floats) -> Floats:
    """Useful share of the wall time: one over `overhead`."""
    return 1.0 / overhead(interval_s, cost_s, restart_s, mtbf_s)
