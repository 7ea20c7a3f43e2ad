"""Closed forms of pipeline-parallel schedules: idle time, step time, and what a stage must remember.

`forward_s` and `backward_s` are one micro-batch through all layers of a device, whatever the number of virtual stages.

References
----------
Narayanan et al. 2021, Efficient large-scale language model training on GPU clusters, arXiv 2104.04473.
Korthikanti et al. 2022, Reducing activation recomputation in large transformer models, arXiv 2205.05198.
Qi et al. 2023, Zero bubble pipeline parallelism, arXiv 2401.10241.
"""

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
    """Idle seconds of a device in one step of p equal stages.

    Parameters
    ----------
    micro_batches, stages, virtual : float or array
        Micro-batches m, pipeline stages p, virtual stages v of a device.
    forward_s, backward_s : float or array
        Forward f and whole backward b of one micro-batch on one device [s].
    zero_bubble : bool or array
        Schedule ZB-H1, which fills the bubble with weight gradients.
    weight_backward_s : float or array
        The part w of the backward pass that makes weight gradients [s].

    Notes
    -----
    1F1B and interleaved: ``(p - 1)(f + b) / v`` (Narayanan 2021), whatever m > 0; interleaving needs m to be a multiple
    of p. ZB-H1: ``(p - 1)(f + b - 2 w)`` (Qi 2023, with their B = b - w), never below 0.

    >>> float(bubble_s(8, 4, 1, 1.0, 2.0, False, 1.0)), float(bubble_s(8, 4, 3, 1.0, 2.0, False, 1.0))
    (9.0, 3.0)
    """
    plain = (forward_s + backward_s) / virtual
    filled = np.maximum(forward_s + backward_s - 2.0 * weight_backward_s, 0.0)
    bubble = (np.asarray(stages) - 1.0) * np.where(zero_bubble, filled, plain)
    return np.where(np.asarray(micro_batches) > 0, bubble, 0.0)


def pipeline_s(
    micro_batches: Floats,
    stages: Floats,
    virtual: Floats,
    forward_s: Floats,
    backward_s: Floats,
    p2p_s: Floats,
    zero_bubble: Floats,
    weight_backward_s: Floats,
    first_extra_s: Floats,
    last_extra_s: Floats,
) -> Floats:
    """Seconds of one pass of all micro-batches through a pipeline whose ends do more than its middle.

    Parameters
    ----------
    micro_batches, stages, virtual, forward_s, backward_s, zero_bubble, weight_backward_s : float or array
        As in `bubble_s`.
    p2p_s : float or array
        One hop d of an activation or its gradient between neighbours [s], sent while both compute.
    first_extra_s, last_extra_s : float or array
        What the embedding adds to a micro-batch on the first stage, and output head and loss on the last, forward and
        backward together [s].

    Notes
    -----
    The first micro-batch passes every stage, ``f + b + first + last + bubble + 2 (p - 1) d``; each of the others
    follows after the pace, the larger of

    - the slowest stage, ``f + b + max(first, last)``;
    - the round trip shared by the micro-batches in flight, ``(p (f + b) + first + last + 2 (p v - 1) d) / held``.

    With v = 1 the second shows ``2 d (p - 1) / p`` of hops by micro-batch; interleaving holds more and hides them.
    Exact for 1F1B where the last stage is the slowest; late where the first is, as what it adds fills bubble.

    >>> float(pipeline_s(8, 4, 1, 1.0, 2.0, 0.0, False, 1.0, 0.0, 0.0))
    33.0
    """
    p: Floats = np.asarray(stages)
    v: Floats = np.asarray(virtual)
    work: Floats = forward_s + backward_s
    ends: Floats = first_extra_s + last_extra_s
    slowest = work + np.where(p > 1, np.maximum(first_extra_s, last_extra_s), ends)
    trip = p * work + ends + 2.0 * (p * v - 1.0) * p2p_s
    pace = np.maximum(slowest, trip / _held(p, v, 0))
    bubble = bubble_s(micro_batches, p, v, forward_s, backward_s, zero_bubble, weight_backward_s)
    first: Floats = work + ends + bubble + 2.0 * (p - 1.0) * p2p_s
    return first + (micro_batches - 1.0) * pace


def in_flight_micro_batches(micro_batches: Floats, stages: Floats, virtual: Floats, stage_index: Floats = 0) -> Floats:
    """Most micro-batches whose activations stage i holds at once, in units of all layers of the device.

    Notes
    -----
    1F1B (and ZB-H1): ``min(m, p - i)``. Interleaved: ``min(m, p + (p - 1 - 2 i) / v)``, on the first stage the factor
    ``1 + (p - 1) / (p v)`` of Korthikanti 2022.

    >>> float(in_flight_micro_batches(16, 4, 1)), float(in_flight_micro_batches(16, 4, 2))
    (4.0, 5.5)
    """
    return np.minimum(micro_batches, _held(np.asarray(stages), np.asarray(virtual), stage_index))


def _held(stages: Floats, virtual: Floats, stage_index: Floats) -> Floats:
    """Micro-batches in flight where there is no lack of them."""
    interleaved = stages + (stages - 1.0 - 2.0 * stage_index) / virtual
    return np.where(np.asarray(virtual) > 1, interleaved, 1.0 * stages - stage_index)
