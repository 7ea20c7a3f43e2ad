"""How much of a collective shows when it runs beside compute."""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats


def exposed_s(communication_s: Floats, compute_s: Floats, hideable_share: Floats, slowdown: Floats) -> Floats:
    """Seconds a collective adds to compute it may run beside.

    Parameters
    ----------
    communication_s, compute_s : float or array
        Each alone [s].
    hideable_share : float or array
        Share of the traffic that may run beside compute (first and last buckets cannot).
    slowdown : float or array
        Factor by which compute slows while both run (they share memory and multiprocessors).

    Notes
    -----
    ``hidden = min(share x communication, compute)``; added = communication - hidden + (slowdown - 1) hidden.
    """
    hidden = np.minimum(hideable_share * communication_s, compute_s)
    return communication_s - hidden + (slowdown - 1.0) * hidden
