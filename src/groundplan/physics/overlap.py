"""How much of a collective shows when it runs beside compute."""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats


def exposed_s(communication_s: Floats, compute_s: Floats, hideable_share: Floats, slowdown: Floats) -> Floats:
    """Seconds a collective adds to the compute it may run beside.

    Parameters
    ----------
    communication_s, compute_s : float or array
        Each alone [s].
    hideable_share : float or array
        Share of the traffic that may run beside compute; first and last buckets cannot.
    slowdown : float or array
        Factor by which compute slows while both run, as they share memory and multiprocessors; at least 1.

    Notes
    -----
    ``hidden = min(share x communication, compute)``; added: ``communication - hidden + (slowdown - 1) x hidden``, the
    part that waits and what the compute beside the rest loses.

    >>> round(float(exposed_s(3.0, 10.0, 1.0, 1.1)), 9), float(exposed_s(3.0, 2.0, 1.0, 1.0))
    (0.3, 1.0)
    """
    hidden = np.minimum(hideable_share * communication_s, compute_s)
    return communication_s + (slowdown - 2.0) * hidden
