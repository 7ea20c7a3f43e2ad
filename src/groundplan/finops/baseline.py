"""What a day usually costs: a level times a factor of its weekday, and how far such days are from it.

Both are medians of logarithms over usual days, so that one odd day moves nothing; series that are alike share the
factors of the week and the least noise, which few days of one alone would not tell.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WEEK = 7
WEEKEND = (5, 6)
WEEKDAY_DAYS = 28  # before each weekday has its own factor; until then working days and weekends have one each
WINDOW_DAYS = 56  # of usual days that make the weekdays and the noise
LEVEL_DAYS = 14
NOISE_FLOOR = 0.02  # of the logarithm of cost
WITHIN_SIGMA = 0.683  # of normal values lie within one standard deviation
MEDIAN_VARIANCE = np.pi / 2  # of a median of n normal values, in units of their variance / n


@dataclass(frozen=True, slots=True)
class Baseline:
    """The usual of alike series: levels [series], the week's factors [7] and noise [series, 7], all in logarithms.

    `known` counts the usual days behind each series; 0: nothing is usual, and nothing is expected.
    """

    level: Array
    factor: Array
    noise: Array
    known: NDArray[np.int64]

    def expected(self, weekday: int) -> Array:
        """Return what a day of the week should cost, [series]."""
        cost: Array = np.where(self.known > 0, np.exp(self.level + self.factor[weekday]), 0.0)
        return cost

    @property
    def level_sigma(self) -> Array:
        """Return the error of the levels, which does not average out over days: each is a median of few."""
        error: Array = self.noise.min(axis=1) * np.sqrt(MEDIAN_VARIANCE / np.clip(self.known, 1, LEVEL_DAYS))
        return error


def baseline(cost: Array, usual: NDArray[np.bool_], weekday: NDArray[np.int64], day: int) -> Baseline:
    """Return the usual as it was known before a day.

    Parameters
    ----------
    cost : ndarray [series, days]
        Cost of each day.
    usual : ndarray of bool [series, days]
        Days that may be learnt from.
    weekday : ndarray of int [days or more]
        0 is Monday.
    day : int
        The first day that is not looked at.
    """
    window = slice(max(0, day - WINDOW_DAYS), day)
    weekend = np.isin(np.arange(WEEK), WEEKEND)
    kind_of = np.arange(WEEK) if day >= WEEKDAY_DAYS else weekend.astype(np.int64)
    kind = kind_of[weekday[window]]
    known = usual[:, window] & (cost[:, window] > 0)
    past = np.log(np.where(known, cost[:, window], np.nan))
    middle = _quantile(np.where(weekend[weekday[window]], np.nan, past))
    factor = np.zeros(WEEK)
    alike = np.ones(WEEK)  # days that made each factor
    for of in np.unique(kind):
        here = kind == of
        factor[kind_of == of] = _quantile((past - middle[:, None])[:, here].reshape(1, -1))[0]
        alike[kind_of == of] = max(int(known[:, here].sum()), 1)
    flat = past - factor[weekday[window]]
    level = np.array([_quantile(row[np.isfinite(row)][-LEVEL_DAYS:].reshape(1, -1))[0] for row in flat])
    count = known.sum(axis=1)
    free = np.maximum(count - len(np.unique(kind)), 1)  # the factors were fitted to these very days
    own = _quantile(np.abs(flat - _quantile(flat)[:, None]), WITHIN_SIGMA) * np.sqrt(np.maximum(count, 1) / free)
    pooled = float(_quantile(np.where(own > 0, own, np.nan).reshape(1, -1))[0])
    noise = np.maximum(np.maximum(own, pooled), NOISE_FLOOR)[:, None] * np.sqrt(1.0 + MEDIAN_VARIANCE / alike)
    return Baseline(level, factor, noise, count)


def _quantile(values: Array, share: float = 0.5) -> Array:
    """Return a quantile of each row over what is finite, 0 where nothing is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # rows without any
        return np.nan_to_num(np.nanquantile(values, share, axis=-1)) if values.size else np.zeros(values.shape[:-1])
