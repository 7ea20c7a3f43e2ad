"""Closed forms of pipeline-parallel schedules for uniform stages."""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats


def bubble_s(
    micro_batches: Floats,
    stages: Floats,
    virtual: Floats,
    forward_s: Floats,
    backward_s: Floats,
    zero_bubble: Floats,
    weight_backward_s: Floats,
) -> Floats:
    """Idle seconds of a stage in one step.

    Parameters
    ----------
    micro_batches, stages, virtual : float or array
        Micro-batches, pipeline stages, virtual stages per device.
    forward_s, backward_s, weight_backward_s : float or array
        One micro-batch through the whole of a device's layers [s]; the weight-gradient part of backward.
    zero_bubble : bool or array
        ZB-H1, which fills the bubble with weight gradients.

    Notes
    -----
    1F1B and interleaved: ``(p - 1)(f + b) / v`` (Narayanan 2021, arXiv 2104.04473).
    ZB-H1: ``(p - 1)(f + b - 2 w)`` (Qi 2023, arXiv 2401.10241), never below 0.

    >>> float(bubble_s(8, 4, 1, 1.0, 2.0, False, 1.0)), float(bubble_s(8, 4, 3, 1.0, 2.0, False, 1.0))
    (9.0, 3.0)
    """
    plain = (forward_s + backward_s) / virtual
    filled = np.maximum(forward_s + backward_s - 2.0 * weight_backward_s, 0.0)
    return (np.asarray(stages) - 1.0) * np.where(zero_bubble, filled, plain)


def in_flight_micro_batches(
    micro_batches: Floats, stages: Floats, virtual: Floats, stage_index: Floats = 0
) -> Floats:
    """Micro-batches whose activations a stage holds at once, in whole-stage units.

    Notes
    -----
    1F1B: ``min(m, p - i)``. Interleaved: ``min(m, (p - i) + (p - 1)/v)``, the factor 1 + (p-1)/(p v) of
    Korthikanti 2022 (arXiv 2205.05198) on the first stage.
    """
    held = np.asarray(stages) - stage_index + np.where(np.asarray(virtual) > 1, (np.asarray(stages) - 1.0) / virtual, 0.0)
    return np.minimum(micro_batches, held)
