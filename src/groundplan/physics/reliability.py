"""How often a run is interrupted."""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats

SECONDS_PER_DAY = 86_400.0
SECONDS_PER_HOUR = 3_600.0
NODE_DAYS = 1_000.0
"""Node-days that a failure rate is stated for."""


def failure_rate_per_s(
    nodes: Floats, failures_per_1000_node_days: Floats, interruptions_per_node_hour: Floats
) -> Floats:
    """Interruptions of a job per second: hardware failures and spot reclaims, independent, so their rates add.

    Parameters
    ----------
    nodes : float or array
        Nodes that must all run.
    failures_per_1000_node_days : float or array
        Failures of one node in 1,000 days [1].
    interruptions_per_node_hour : float or array
        Spot reclaims of one node [1/h]; 0 for on-demand.

    Notes
    -----
    One node's failure stops the job, so the rate grows with the nodes. Jobs of few nodes fail more often than this
    says: Meta measured 7.9 h at 1,024 GPUs, where 6.5 failures in 1,000 node-days make 28.8 h.

    References
    ----------
    Kokolis et al. 2024, Revisiting Reliability in Large-Scale Machine Learning Research Clusters, arXiv 2410.21680.
    """
    per_node = (
        failures_per_1000_node_days / (NODE_DAYS * SECONDS_PER_DAY) + interruptions_per_node_hour / SECONDS_PER_HOUR
    )
    return nodes * per_node


def mttf_s(nodes: Floats, failures_per_1000_node_days: Floats, interruptions_per_node_hour: Floats = 0.0) -> Floats:
    """Mean time to an interruption of the whole job [s]: one over the summed rate; infinite where nothing fails.

    >>> round(float(mttf_s(2048, 6.5)) / 3600, 1)
    1.8
    """
    rate = np.asarray(failure_rate_per_s(nodes, failures_per_1000_node_days, interruptions_per_node_hour), dtype=float)
    with np.errstate(divide="ignore", over="ignore"):
        return 1.0 / rate


def survival(duration_s: Floats, mtbf_s: Floats) -> Floats:
    """Probability that nothing fails for `duration_s`: ``exp(-t / M)`` (Poisson arrivals).

    >>> round(float(survival(86400.0, 86400.0)), 3)
    0.368
    """
    return np.exp(-np.asarray(duration_s) / mtbf_s)
