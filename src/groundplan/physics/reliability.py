"""How often a run is interrupted."""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats

SECONDS_PER_DAY = 86_400.0


def failure_rate_per_s(nodes: Floats, failures_per_1000_node_days: Floats, interruptions_per_node_hour: Floats) -> Floats:
    """Interruptions of a job per second: hardware failures and spot reclaims, independent, so their rates add.

    Parameters
    ----------
    nodes : float or array
        Nodes that must all run.
    failures_per_1000_node_days : float or array
        Failures of one node in 1,000 days [1].
    interruptions_per_node_hour : float or array
        Spot reclaims of one node [1/h]; 0 for on-demand.

    References
    ----------
    Kokolis et al. 2024, Revisiting Reliability in Large-Scale Machine Learning Research Clusters, arXiv 2410.21680.
    """
    per_node = failures_per_1000_node_days / 1000.0 / SECONDS_PER_DAY + interruptions_per_node_hour / 3600.0
    return nodes * per_node


def mttf_s(nodes: Floats, failures_per_1000_node_days: Floats, interruptions_per_node_hour: Floats = 0.0) -> Floats:
    """Mean time to an interruption of the whole job [s]: one over the summed rate; infinite where nothing fails.

    >>> round(float(mttf_s(2048, 6.5)) / 3600, 1)
    1.8
    """
    rate = np.asarray(failure_rate_per_s(nodes, failures_per_1000_node_days, interruptions_per_node_hour), dtype=float)
    with np.errstate(divide="ignore"):
        return 1.0 / rate


def survival(duration_s: Floats, mtbf_s: Floats) -> Floats:
    """Probability that nothing fails for `duration_s`: ``exp(-t / M)`` (Poisson arrivals)."""
    return np.exp(-np.asarray(duration_s) / mtbf_s)
