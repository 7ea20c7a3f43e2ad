"""How a run saves its work: how long a save stalls it, how often to save, and what failures then cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundplan.physics.arrays import Floats
from groundplan.physics.checkpoint import daly_s, restarting_s, rework_s, stall_s, young_s


@dataclass(frozen=True, slots=True)
class Saving:
    """One way to save, at its best interval. Every field is a number or an array; times in seconds."""

    write_s: Floats
    stall_s: Floats
    mtbf_s: Floats
    young_s: Floats
    daly_s: Floats
    interval_s: Floats  # useful work between checkpoints
    rework_s: Floats  # work done again because of failures, for each interval saved
    restarts_s: Floats  # restarts, for each interval saved

    @property
    def goodput(self) -> Floats:
        """Useful share of the wall time; 0 for a run that never ends."""
        return self.interval_s / (self.interval_s + self.stall_s + self.rework_s + self.restarts_s)


def saving(
    write_s: Floats,
    device_bytes: Floats,
    device_to_host_bytes_per_s: Floats,
    asynchronous: Floats,
    mtbf_s: Floats,
    restart_s: Floats,
    shortest_s: Floats = 0.0,
    longest_s: Floats = np.inf,
) -> Saving:
    """Return the saving of a run at Daly's interval.

    Parameters
    ----------
    write_s : float or array
        Time until a checkpoint is stored [s].
    device_bytes, device_to_host_bytes_per_s : float or array
        What one device copies to its host when saving asynchronously, and how fast [bytes, bytes/s].
    asynchronous : bool or array
        Training goes on while the checkpoint is written.
    mtbf_s, restart_s : float or array
        Mean time between failures of the job; from a failure to the first useful step [s].
    shortest_s, longest_s : float or array
        Bounds of the interval: a step; all of the run's work, which is saved once at its end at least [s].

    Notes
    -----
    An asynchronous write must be over before the next one begins, so the interval is no shorter than a write. Until it
    is over the checkpoint is worth nothing: a failure throws away the work of a write beside that of the interval.
    """
    stall = stall_s(write_s, device_bytes, device_to_host_bytes_per_s, asynchronous)
    behind = np.where(asynchronous, write_s, 0.0)
    best = daly_s(stall, mtbf_s)
    interval = np.minimum(np.maximum(np.maximum(best, behind), shortest_s), longest_s)
    restarts = restarting_s(interval, stall, restart_s, mtbf_s)
    rework = rework_s(interval, stall, mtbf_s) + _work_behind_s(interval, stall, restart_s, behind, mtbf_s)
    return Saving(write_s, stall, mtbf_s, young_s(stall, mtbf_s), best, interval, rework, restarts)


def _work_behind_s(interval_s: Floats, stall_s: Floats, restart_s: Floats, behind_s: Floats, mtbf_s: Floats) -> Floats:
    """Seconds of work done again because the checkpoint was still being written: it delays every restart."""
    delayed = restarting_s(interval_s, stall_s, np.asarray(restart_s) + behind_s, mtbf_s)
    prompt = restarting_s(interval_s, stall_s, restart_s, mtbf_s)
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(delayed), delayed, delayed - prompt)
