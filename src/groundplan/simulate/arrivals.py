"""Synthetic arrivals, drawn from a generator that the caller seeds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from groundplan.errors import InputError

DAY_S = 86_400.0

Times = NDArray[np.float64]


def poisson_arrivals(requests: int, rate_per_s: float, generator: np.random.Generator) -> Times:
    """Return times [s] of requests that arrive independently of each other, `rate_per_s` on average.

    Raises
    ------
    InputError
        When the count or the rate is not positive.
    """
    return gamma_arrivals(requests, rate_per_s, 1.0, generator)


def gamma_arrivals(requests: int, rate_per_s: float, variation: float, generator: np.random.Generator) -> Times:
    """Return times [s] whose gaps are gamma distributed.

    Parameters
    ----------
    requests : int
        How many.
    rate_per_s : float
        Mean rate [1/s].
    variation : float
        Coefficient of variation of the gaps: 1 is Poisson, above 1 comes in bursts, below 1 is more regular.

    Raises
    ------
    InputError
        When one of them is not positive.
    """
    _positive(requests=requests, rate_per_s=rate_per_s, variation=variation)
    shape = 1.0 / variation**2
    return np.cumsum(generator.gamma(shape, 1.0 / (rate_per_s * shape), requests))


def diurnal_arrivals(
    requests: int, rate_per_s: float, swing: float, generator: np.random.Generator, peak_s: float = 0.5 * DAY_S
) -> Times:
    """Return times [s] of a Poisson process whose rate is a sine of one day.

    The rate is ``rate * (1 + swing * cos(2 pi (t - peak) / day))``; times are thinned from a process at the peak rate
    (Lewis and Shedler 1979).

    Parameters
    ----------
    requests : int
        How many.
    rate_per_s : float
        Mean rate over a day [1/s].
    swing : float
        Share of the mean by which the peak is above it, from 0 to 1.
    peak_s : float
        Time of the peak [s]; noon.

    Raises
    ------
    InputError
        When count or rate is not positive or the swing lies outside 0 to 1.
    """
    _positive(requests=requests, rate_per_s=rate_per_s)
    if not 0.0 <= swing <= 1.0:
        raise InputError(f"swing is {swing:g}", "give a share from 0 to 1")
    highest = rate_per_s * (1.0 + swing)
    kept: list[Times] = []
    count, start = 0, 0.0
    while count < requests:
        times = start + np.cumsum(generator.exponential(1.0 / highest, requests))
        rate = rate_per_s * (1.0 + swing * np.cos(2.0 * np.pi * (times - peak_s) / DAY_S))
        kept.append(times[generator.random(requests) * highest < rate])
        count += len(kept[-1])
        start = float(times[-1])
    return np.concatenate(kept)[:requests]


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise InputError(f"{name} is {value:g}", "give a number above 0")
