"""Where the month ends if days go on as usual, with its 80 % interval, and the day on which a limit is passed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from groundplan.finops.baseline import WEEK, Array, baseline

Z80 = 1.2816  # of a normal distribution: 80 % lie within
LEAST_DAYS = 3


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is spent by the end of each day of the rest of the month, [days]; empty on its last day."""

    days: tuple[date, ...]
    middle: Array
    low: Array
    high: Array

    def passes(self, limit: float, path: Array) -> date | None:
        """Return the first day by whose end a path is beyond a limit."""
        beyond = np.flatnonzero(path > limit)
        return self.days[int(beyond[0])] if len(beyond) else None


def forecast(daily: Array, last: date, spent: float, until: date) -> Forecast:
    """Continue a series of daily costs to the day before `until`.

    The spent so far plus, for each day to come, its baseline; the noise of days adds up as a root of squares, the
    error of the level in proportion to the days, and both are taken from the series itself.

    Parameters
    ----------
    daily : ndarray [days]
        Cost of each day up to and with `last`.
    last : date
        The last day known.
    spent : float
        What the month has cost by then.
    until : date
        The first day of the next month.
    """
    days = tuple(last + timedelta(days=n + 1) for n in range((until - last).days - 1))
    if not days or len(daily) < LEAST_DAYS:
        nothing = np.full(len(days), np.nan)
        return Forecast(days, nothing, nothing, nothing)
    first = last - timedelta(days=len(daily) - 1)
    weekday = (first.weekday() + np.arange(len(daily))) % WEEK
    usual = baseline(daily[None, :], np.ones((1, len(daily)), dtype=bool), weekday, len(daily))
    expected = np.array([usual.expected(day.weekday())[0] for day in days])
    noise = np.array([usual.noise[0, day.weekday()] for day in days]) * expected
    total = np.cumsum(expected)
    sigma = np.sqrt(np.cumsum(noise**2) + (usual.level_sigma[0] * total) ** 2)
    return Forecast(days, spent + total, spent + total - Z80 * sigma, spent + total + Z80 * sigma)
