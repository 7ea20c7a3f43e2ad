"""Queues in closed form: requests arrive at random, wait for a server, are served.

A is the law of the gaps between arrivals, B that of the service, c the servers: A/B/c. M is exponential, D constant, G
any. Where requests arrive faster than they can be served, waits are infinite.

References
----------
[1] Kleinrock 1975, Queueing Systems I, chapters 3 and 5.
[2] Erlang 1917, Solution of some problems in the theory of probabilities.
[3] Lee and Longton 1959, Queueing processes associated with airline passenger check-in: M/G/c from M/M/c.
"""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats


def offered_load(arrival_per_s: Floats, service_s: Floats) -> Floats:
    """Servers that would be busy if nobody had to wait: ``a = lambda s`` [erlang].

    >>> offered_load(4.0, 0.5)
    2.0
    """
    return arrival_per_s * service_s


def erlang_b(load: Floats, servers: Floats) -> Floats:
    """Probability that all servers are busy when nobody waits and who finds none goes away (M/G/c/c) [2].

    Parameters
    ----------
    load : float or array
        Offered load [erlang].
    servers : float or array
        Whole number of servers.

    Notes
    -----
    ``B(0) = 1, B(k) = a B(k-1) / (k + a B(k-1))``, which neither overflows nor cancels.

    >>> round(float(erlang_b(2.0, 3)), 4)
    0.2105
    """
    a, c = np.broadcast_arrays(np.asarray(load, dtype=float), servers)
    blocked = np.ones(a.shape)
    for k in range(1, int(np.max(c, initial=0)) + 1):
        blocked = np.where(k <= c, a * blocked / (k + a * blocked), blocked)
    return blocked[()]


def erlang_c(load: Floats, servers: Floats) -> Floats:
    """Probability that a request has to wait (M/M/c): ``C = c B / (c - a (1 - B))`` [2]; 1 where the load is too high.

    Parameters
    ----------
    load : float or array
        Offered load [erlang].
    servers : float or array
        Whole number of servers.

    >>> round(float(erlang_c(2.0, 3)), 4)
    0.4444
    """
    blocked = erlang_b(load, servers)
    with np.errstate(divide="ignore", invalid="ignore"):
        waits = servers * blocked / (servers - load * (1.0 - blocked))
    return np.where(np.asarray(load) < servers, waits, 1.0)[()]


def mmc_wait_s(arrival_per_s: Floats, service_s: Floats, servers: Floats) -> Floats:
    """Mean wait before service with c servers (M/M/c): ``W = C / (c / s - lambda)`` [1].

    Parameters
    ----------
    arrival_per_s : float or array
        Mean rate of arrivals [1/s].
    service_s : float or array
        Mean time of service [s].
    servers : float or array
        Whole number of servers.

    >>> round(float(mmc_wait_s(2.0, 1.0, 3)), 4)
    0.4444
    """
    spare = servers / np.asarray(service_s, dtype=float) - arrival_per_s
    return np.where(spare > 0, erlang_c(offered_load(arrival_per_s, service_s), servers) / _positive(spare), np.inf)[()]


def mmc_wait_quantile_s(arrival_per_s: Floats, service_s: Floats, servers: Floats, probability: Floats) -> Floats:
    """Wait before service that a share of requests stays under (M/M/c): ``ln(C / (1 - p)) / (c / s - lambda)`` [1].

    Parameters
    ----------
    arrival_per_s : float or array
        Mean rate of arrivals [1/s].
    service_s : float or array
        Mean time of service [s].
    servers : float or array
        Whole number of servers.
    probability : float or array
        Share of requests p, below 1; 0 s where fewer than ``1 - p`` have to wait.

    >>> round(float(mmc_wait_quantile_s(2.0, 1.0, 3, 0.95)), 3)
    2.185
    """
    spare = servers / np.asarray(service_s, dtype=float) - arrival_per_s
    waits = erlang_c(offered_load(arrival_per_s, service_s), servers)
    beyond = np.maximum(waits / (1.0 - np.asarray(probability)), 1.0)
    return np.where(spare > 0, np.log(beyond) / _positive(spare), np.inf)[()]


def mm1_wait_s(arrival_per_s: Floats, service_s: Floats) -> Floats:
    """Mean wait before service with one server (M/M/1): ``W = rho s / (1 - rho)``, rho the load [1].

    >>> float(mm1_wait_s(0.5, 1.0))
    1.0
    """
    return mg1_wait_s(arrival_per_s, service_s, 1.0)


def md1_wait_s(arrival_per_s: Floats, service_s: Floats) -> Floats:
    """Mean wait before service that always takes as long (M/D/1): ``W = rho s / (2 (1 - rho))``, rho the load [1].

    >>> float(md1_wait_s(0.5, 1.0))
    0.5
    """
    return mg1_wait_s(arrival_per_s, service_s, 0.0)


def mg1_wait_s(arrival_per_s: Floats, service_s: Floats, service_variation: Floats) -> Floats:
    """Mean wait before service with one server, whatever the law of the service (M/G/1).

    Parameters
    ----------
    arrival_per_s : float or array
        Mean rate of arrivals [1/s].
    service_s : float or array
        Mean time of service [s].
    service_variation : float or array
        Coefficient of variation of the service time: its standard deviation over its mean.

    Notes
    -----
    Pollaczek and Khinchine: ``W = rho s (1 + v**2) / (2 (1 - rho))``, rho the load [1].

    >>> float(mg1_wait_s(0.5, 1.0, 2.0))
    2.5
    """
    load = np.asarray(offered_load(arrival_per_s, service_s), dtype=float)
    mean = load * service_s * (1.0 + np.asarray(service_variation) ** 2) / (2.0 * _positive(1.0 - load))
    return np.where(load < 1.0, mean, np.inf)[()]


def batch_wait_s(arrival_per_s: Floats, service_s: Floats, batch_s: Floats, each_s: Floats, servers: Floats) -> Floats:
    """Mean wait before service with c servers that each take all that waits for them at once, up to a largest batch.

    Parameters
    ----------
    arrival_per_s : float or array
        Mean rate of arrivals [1/s].
    service_s : float or array
        Time of service of a request alone [s].
    batch_s : float or array
        Time of service of a mean batch at that rate [s].
    each_s : float or array
        Time of service of the largest batch, over its requests [s]: its inverse is the most that a server answers.
    servers : float or array
        Whole number of servers.

    Notes
    -----
    ``W = C(c, lambda s) batch (1 / (c + 1) + rho / (2 c (1 - rho)))`` with ``rho = lambda each / c``: who finds all
    servers busy waits for the first of c batches to end, which is ``batch / (c + 1)`` away on average, and for the
    batches before. One server and batches of one give M/D/1; near saturation half of M/M/c, as for constant service
    [3].

    >>> float(batch_wait_s(0.5, 1.0, 1.0, 1.0, 1)), float(md1_wait_s(0.5, 1.0))
    (0.5, 0.5)
    >>> round(float(batch_wait_s(2.0, 1.0, 1.0, 0.1, 1)), 3)
    0.625
    """
    load = np.asarray(offered_load(arrival_per_s, each_s), dtype=float) / servers
    busy = erlang_c(offered_load(arrival_per_s, service_s), servers)
    first = 1.0 / (np.asarray(servers, dtype=float) + 1.0)
    mean = busy * batch_s * (first + load / (2.0 * np.asarray(servers) * _positive(1.0 - load)))
    return np.where(load < 1.0, mean, np.inf)[()]


def _positive(spare: Floats) -> Floats:
    """Return capacity to spare, 1 where there is none: what is divided by it is not used there."""
    return np.where(np.asarray(spare) > 0, spare, 1.0)
