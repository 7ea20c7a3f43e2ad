"""Money over time, and how much of a varying demand is worth committing to. Costs are positive, periods are equal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundplan.physics.arrays import Floats

MONTHS_PER_YEAR = 12.0


def monthly_rate(rate_per_year: Floats) -> Floats:
    """Rate of a month that compounds to the rate of a year: ``(1 + R)^(1/12) - 1``.

    >>> round(float((1 + monthly_rate(0.08)) ** 12), 12)
    1.08
    """
    return np.expm1(np.log1p(rate_per_year) / MONTHS_PER_YEAR)


def annuity_usd(principal_usd: Floats, rate: Floats, periods: Floats) -> Floats:
    """Equal payment at the end of each of `periods` that pays a loan back [USD].

    Parameters
    ----------
    principal_usd : float or array
        What is lent [USD].
    rate : float or array
        Interest of one period [share]; 0 is allowed.
    periods : float or array
        Number of payments [1].

    Notes
    -----
    ``P r / (1 - (1 + r)^-n)``, and ``P / n`` without interest.

    Examples
    --------
    >>> round(float(annuity_usd(1000.0, 0.01, 12)), 2), float(annuity_usd(1200.0, 0.0, 12))
    (88.85, 100.0)
    """
    rate = np.asarray(rate, dtype=float)
    charged = np.where(rate == 0, 1.0, rate)
    factor = np.where(rate == 0, 1.0 / np.asarray(periods), charged / -np.expm1(-periods * np.log1p(charged)))
    return principal_usd * factor


def balance_usd(principal_usd: Floats, rate: Floats, periods: Floats, paid: Floats) -> Floats:
    """What is still owed of a loan after `paid` of its `periods` equal payments [USD]; never less than 0.

    >>> float(balance_usd(1200.0, 0.0, 12, 3)), float(balance_usd(1000.0, 0.01, 12, 12))
    (900.0, 0.0)
    """
    left = np.maximum(np.asarray(periods) - paid, 0)
    rate = np.asarray(rate, dtype=float)
    charged = np.where(rate == 0, 1.0, rate)
    annuities = np.where(rate == 0, left, (1.0 - np.exp(-left * np.log1p(charged))) / charged)
    return annuity_usd(principal_usd, rate, periods) * annuities


def present_value_usd(flow_usd: NDArray[Any], rate: Floats) -> Floats:
    """Present value of flows at the ends of the periods 0, 1, 2, ... along the last axis [USD].

    ``sum over t of F_t (1 + r)^-t``.

    >>> round(float(present_value_usd(np.array([100.0, 110.0]), 0.10)), 9)
    200.0
    """
    when = np.arange(np.shape(flow_usd)[-1])
    discounted = flow_usd * np.exp(-when * np.log1p(np.asarray(rate, dtype=float))[..., None])
    return np.asarray(np.sum(discounted, axis=-1))


def break_even_utilization(fixed_usd: Floats, owned_usd: Floats, rented_usd: Floats) -> Floats:
    """Utilisation at which owning costs as much as renting what is used; NaN where renting is never dearer.

    Owning costs ``F + o u`` and renting ``p u``, so ``u = F / (p - o)``. Above 1 it cannot be reached.

    Parameters
    ----------
    fixed_usd : float or array
        Cost of owning without any use [USD].
    owned_usd, rented_usd : float or array
        What full use adds to owning, and what it costs rented [USD].

    Examples
    --------
    >>> float(break_even_utilization(50.0, 10.0, 110.0))
    0.5
    """
    saved = np.asarray(rented_usd, dtype=float) - owned_usd
    return np.where(saved > 0, np.asarray(fixed_usd) / np.where(saved > 0, saved, 1.0), np.nan)


def mean_within(demand: NDArray[Any], weights: NDArray[Any], base: Floats) -> Floats:
    """Mean of a demand as far as a base covers it: ``sum w min(D, b)``. What is beyond is the mean less this.

    Parameters
    ----------
    demand, weights : array
        Values of the demand, and the share of the time of each; the shares sum to 1.
    base : float or array
        What is owned or committed, in the unit of the demand.

    Examples
    --------
    >>> float(mean_within(np.array([2.0, 10.0]), np.array([0.5, 0.5]), 4.0))
    3.0
    """
    covered = np.minimum(demand, np.asarray(base, dtype=float)[..., None])
    return np.asarray(np.sum(weights * covered, axis=-1))


def best_base(demand: NDArray[Any], weights: NDArray[Any], base_usd: Floats, burst_usd: Floats) -> Floats:
    """Base that makes a varying demand cheapest, the rest bought as it comes.

    Parameters
    ----------
    demand, weights : array
        Values of the demand, and the share of the time of each; the shares sum to 1.
    base_usd : float or array
        One unit of the base for the whole time, used or not [USD].
    burst_usd : float or array
        What one unit that is used all the time costs more when it is bought as it comes [USD].

    Notes
    -----
    ``b a + p E[max(D - b, 0)]`` is convex in b and falls as long as ``P(D > b) > a / p``: the critical ratio of the
    newsvendor. So the best b is the smallest value of the demand that is exceeded no more than that; 0 where a >= p.

    References
    ----------
    Arrow, Harris, Marschak 1951, Optimal Inventory Policy, Econometrica 19(3).

    Examples
    --------
    >>> demand, weights = np.array([10.0, 20.0, 30.0]), np.array([0.5, 0.3, 0.2])
    >>> best_base(demand, weights, np.array([1.0, 3.0, 9.0]), 8.0).tolist()
    [30.0, 20.0, 0.0]
    """
    order = np.argsort(demand, kind="stable")
    levels = np.concatenate([[0.0], np.asarray(demand, dtype=float)[order]])
    exceeded = np.concatenate([[1.0], 1.0 - np.cumsum(np.asarray(weights, dtype=float)[order])])
    exceeded[-1] = 0.0
    burst = np.asarray(burst_usd, dtype=float)
    ratio = np.where(burst > 0, np.asarray(base_usd) / np.where(burst > 0, burst, 1.0), np.inf)
    return np.asarray(levels[np.argmax(exceeded <= ratio[..., None], axis=-1)])
