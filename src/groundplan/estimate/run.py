"""The whole run around the step: start-up, data, checkpoints, failures; then energy and carbon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from groundplan.physics.arrays import Floats
from groundplan.physics.checkpoint import daly_s, overhead, stall_s, write_s
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
    asynchronous: bool
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
    goodput: Floats  # useful training time over the wall time after start-up

    @property
    def total_s(self) -> Floats:
        """Seconds from the first node to the last step."""
        return sum(self.terms.values())


def run_time(inputs: RunInputs) -> RunTime:
    """Predict the wall time of a run with optimal checkpoint interval.

    Notes
    -----
    Useful time is steps x (step + data stall). Checkpoints add ``w`` every ``T`` (Daly's optimum); failures add the
    rest of Daly's complete model: the work lost since the last checkpoint and the restarts. A run shorter than one
    interval saves once, at its end.
    """
    write = write_s(
        inputs.checkpoint_bytes, inputs.storage_write_bytes_per_s, inputs.nodes, inputs.client_bytes_per_s
    )
    per_device = inputs.checkpoint_bytes / inputs.accelerators
    stall = stall_s(write, per_device, inputs.device_to_host_bytes_per_s, inputs.asynchronous)
    mtbf = mttf_s(inputs.nodes, inputs.failures_per_1000_node_days, inputs.spot_interruptions_per_node_hour)
    training = inputs.steps * inputs.step_s
    waiting = inputs.steps * inputs.data_stall_s
    useful = training + waiting
    # An asynchronous write must be over before the next one begins.
    interval = np.minimum(np.maximum(daly_s(stall, mtbf), write), useful)
    stalls = useful / interval * stall
    factor = overhead(interval, stall, inputs.restart_s, mtbf)
    failing = np.maximum(useful * factor - useful - stalls, 0.0)
    restarts = np.minimum(useful / mtbf * inputs.restart_s, failing)
    terms: dict[str, Floats] = {
        "startup": inputs.startup_s,
        "training": training,
        "data_stall": waiting,
        "checkpoint_stall": stalls,
        "restarts": restarts,
        "lost_work": failing - restarts,
    }
    return RunTime(terms, write, stall, mtbf, interval, 1.0 / factor)
