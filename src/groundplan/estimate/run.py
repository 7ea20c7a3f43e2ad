"""The whole run around the step: start-up, data, checkpoints, failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from groundplan.estimate.checkpoint import saving
from groundplan.physics.arrays import Floats
from groundplan.physics.checkpoint import write_s
from groundplan.physics.reliability import mttf_s


@dataclass(frozen=True, slots=True)
class RunInputs:
    """What a run is made of. Every field is a number or an array; arrays broadcast."""

    step_s: Floats
    steps: Floats
    nodes: Floats
    accelerators: Floats
    checkpoint_bytes: Floats
    storage_write_bytes_per_s: Floats
    client_bytes_per_s: Floats  # one node's network towards storage
    device_to_host_bytes_per_s: Floats
    asynchronous: Floats  # yes/no
    failures_per_1000_node_days: Floats
    spot_interruptions_per_node_hour: Floats
    restart_s: Floats
    startup_s: Floats
    data_stall_s: Floats  # per step


@dataclass(frozen=True, slots=True)
class RunTime:
    """Wall time of a run. The terms sum to `total_s`."""

    terms: Mapping[str, Floats]
    write_s: Floats
    stall_s: Floats
    mtbf_s: Floats
    interval_s: Floats
    goodput: Floats  # training time over the wall time after start-up; 0 for a run that never ends

    @property
    def total_s(self) -> Floats:
        """Seconds from the first node to the last step."""
        return sum(self.terms.values())


def run_time(inputs: RunInputs) -> RunTime:
    """Predict the wall time of a run at its best checkpoint interval.

    Notes
    -----
    Useful time is ``steps x (step + data stall)``. Each interval T of it costs a stall w, the work that failures throw
    away and their restarts, by Daly's complete model (see `groundplan.physics.checkpoint`). Saves fall between steps,
    and a run shorter than one interval saves once, at its end. The terms are exact for the model: restarts take the
    share ``1 - exp(-R/M)`` of all time after start-up, so restarts that fail themselves are counted.
    """
    training = np.asarray(inputs.steps, dtype=float) * inputs.step_s
    waiting = inputs.steps * np.asarray(inputs.data_stall_s, dtype=float)
    useful = training + waiting
    saved = saving(
        write_s(inputs.checkpoint_bytes, inputs.storage_write_bytes_per_s, inputs.nodes, inputs.client_bytes_per_s),
        inputs.checkpoint_bytes / inputs.accelerators,
        inputs.device_to_host_bytes_per_s,
        inputs.asynchronous,
        mttf_s(inputs.nodes, inputs.failures_per_1000_node_days, inputs.spot_interruptions_per_node_hour),
        inputs.restart_s,
        shortest_s=inputs.step_s + inputs.data_stall_s,
        longest_s=useful,
    )
    saves = useful / saved.interval_s
    terms: dict[str, Floats] = {
        "startup": inputs.startup_s,
        "training": training,
        "data_stall": waiting,
        "checkpoint_stall": saves * saved.stall_s,
        "restarts": saves * saved.restarts_s,
        "lost_work": saves * saved.rework_s,
    }
    goodput = saved.goodput * training / useful
    return RunTime(terms, saved.write_s, saved.stall_s, saved.mtbf_s, saved.interval_s, goodput)
