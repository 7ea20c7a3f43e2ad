"""Checkpoints: how large, how long, how often, and what failures leave of the time.

The model of failures is Daly's complete one: failures come at random with a mean time M between them, at work, while a
checkpoint is written and while the job restarts; each costs a restart R and the work since the last checkpoint. What
one saved interval costs is split here into its four parts: the work T, the stall w, the work done again, the restarts.
"""

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
    """Seconds to write: bytes over the slower of the storage and its clients' network together.

    >>> float(write_s(2.3e12, 57.5e9, 48, 12.5e9)), float(write_s(2.3e12, 57.5e9, 1, 12.5e9))
    (40.0, 184.0)
    """
    return stored_bytes / np.minimum(storage_bytes_per_s, clients * client_bytes_per_s)


def stall_s(
    write_seconds: Floats, device_bytes: Floats, device_to_host_bytes_per_s: Floats, asynchronous: Floats
) -> Floats:
    """Seconds training stands still: the whole write, or only the copy to host memory when asynchronous."""
    copy = device_bytes / device_to_host_bytes_per_s
    return np.where(asynchronous, np.minimum(copy, write_seconds), write_seconds)


def young_s(cost_s: Floats, mtbf_s: Floats) -> Floats:
    """Young's interval between checkpoints: ``sqrt(2 w M)`` [s].

    References
    ----------
    Young 1974, A first order approximation to the optimum checkpoint interval, Communications of the ACM 17(9).
    """
    return np.sqrt(2.0 * np.asarray(cost_s)) * np.sqrt(mtbf_s)  # two roots: the product may overflow


def daly_s(cost_s: Floats, mtbf_s: Floats) -> Floats:
    """Daly's higher-order optimum of the useful work between checkpoints [s].

    Parameters
    ----------
    cost_s : float or array
        Time one checkpoint takes from training, w [s].
    mtbf_s : float or array
        Mean time between failures of the job, M [s].

    Notes
    -----
    ``sqrt(2 w M) (1 + sqrt(w / 2M) / 3 + (w / 2M) / 9) - w`` for w < 2M, else M. The restart time does not move the
    optimum. The first order, ``sqrt(2 w M) - w``, gives 115.0, 55.0 and 7.2 min where the paper has 117, 57 and 9.1.

    References
    ----------
    Daly 2006, A higher order estimate of the optimum checkpoint interval for restart dumps, Future Generation
    Computer Systems 22(3), pages 303-312; its figures 3-5 have w = 5 min and M = 24 h, 6 h and 15 min.

    >>> [round(float(daly_s(300, 3600 * h)) / 60, 1) for h in (24, 6, 0.25)]
    [116.7, 56.7, 9.1]
    """
    with np.errstate(over="ignore"):
        ratio = 0.5 * np.asarray(cost_s) / np.asarray(mtbf_s, dtype=float)
        series = 1.0 + np.sqrt(ratio) / 3.0 + ratio / 9.0
    return np.where(ratio < 1.0, young_s(cost_s, mtbf_s) * series - cost_s, mtbf_s)


def rework_s(interval_s: Floats, cost_s: Floats, mtbf_s: Floats) -> Floats:
    """Seconds of work that failures throw away for each interval that is saved.

    Parameters
    ----------
    interval_s : float or array
        Useful work between checkpoints, T [s].
    cost_s, mtbf_s : float or array
        Checkpoint stall w and mean time between failures M [s].

    Notes
    -----
    ``M (exp((T + w)/M) - 1) - (T + w)``: near ``(T + w)^2 / 2M`` where failures are rare, without bound where the
    interval is long against M.

    >>> round(float(rework_s(3600.0, 0.0, 86400.0)), 1)
    76.1
    """
    span = np.asarray(interval_s, dtype=float) + cost_s
    return np.maximum(_attempts_s(span, mtbf_s) - span, 0.0)


def restarting_s(interval_s: Floats, cost_s: Floats, restart_s: Floats, mtbf_s: Floats) -> Floats:
    """Seconds spent in restarts, and in restarts that fail themselves, for each interval that is saved.

    Parameters
    ----------
    interval_s, cost_s, mtbf_s : float or array
        As for `rework_s` [s].
    restart_s : float or array
        From the failure to the first useful step, R [s].

    Notes
    -----
    ``M (exp((T + w)/M) - 1) (exp(R/M) - 1)``: of all wall time the share ``1 - exp(-R/M)``.
    """
    span = np.asarray(interval_s, dtype=float) + cost_s
    restart = np.asarray(restart_s, dtype=float)
    with np.errstate(over="ignore", invalid="ignore"):
        spent = _attempts_s(span, mtbf_s) * np.expm1(restart / mtbf_s)
    return np.where(restart > 0.0, spent, 0.0)


def overhead(interval_s: Floats, cost_s: Floats, restart_s: Floats, mtbf_s: Floats) -> Floats:
    """Wall time over useful time with failures: `rework_s` and `restarting_s` beside the work and the stalls.

    Notes
    -----
    ``M exp(R/M) (exp((T + w)/M) - 1) / T``, the complete model of Daly 2006, per second of work. Without failures
    (M infinite) it is ``(T + w)/T``; where M is far below the interval or the restart it is infinite, and the run
    never ends.

    >>> round(float(overhead(3600.0, 0.0, 300.0, 6646.0)), 2)
    1.39
    """
    span = np.asarray(interval_s, dtype=float) + cost_s
    failing = rework_s(interval_s, cost_s, mtbf_s) + restarting_s(interval_s, cost_s, restart_s, mtbf_s)
    return (span + failing) / interval_s


def goodput(interval_s: Floats, cost_s: Floats, restart_s: Floats, mtbf_s: Floats) -> Floats:
    """Useful share of the wall time: one over `overhead`; 0 for a run that never ends."""
    return 1.0 / overhead(interval_s, cost_s, restart_s, mtbf_s)


def _attempts_s(span_s: Floats, mtbf_s: Floats) -> Floats:
    """Seconds of attempts at a span of work until one meets no failure: ``M (exp(span/M) - 1)``."""
    m = np.asarray(mtbf_s, dtype=float)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(np.isinf(m), span_s, m * np.expm1(span_s / m))
