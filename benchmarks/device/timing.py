"""Repeated timing of one callable: warm-up, repeats, median and spread, within a budget of seconds."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

WARM_UP_CALLS = 2
WARM_UP_SHARE = 0.1
"""Share of the budget spent on warm-up at least: clocks rise and caches fill in that time."""
FEWEST = 3
MOST = 50
CALLS_IN_A_SAMPLE = 1000


@dataclass(frozen=True, slots=True)
class Timing:
    """What repeated calls took."""

    seconds: float  # median of one call [s]
    spread: float  # interquartile range over median [1]
    repeats: int  # samples the median is of


def summarize(samples: list[float]) -> Timing:
    """Return median and relative interquartile range of samples [s].

    >>> summarize([1.0, 1.0, 1.2, 1.4, 9.0])
    Timing(seconds=1.2, spread=0.33333333333333326, repeats=5)
    """
    middle = statistics.median(samples)
    if len(samples) < 2:
        return Timing(middle, 0.0, len(samples))
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    return Timing(middle, (high - low) / middle, len(samples))


def repeat(
    call: Callable[[], object],
    finish: Callable[[], object],
    budget_s: float,
    sample_s: float,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Time a callable.

    Parameters
    ----------
    call
        Starts the work.
    finish
        Waits until all started work is done; a GPU runs behind the interpreter.
    budget_s
        Time for the samples after the warm-up [s]; at least `FEWEST` are taken whatever they cost.
    sample_s
        Least time of one sample [s]: short calls are made many times in a sample, so that neither the clock's
        resolution nor the wait at the end is what is measured.
    clock
        Returns seconds.
    """
    start, calls, once = clock(), 0, 0.0
    while calls < WARM_UP_CALLS or clock() - start < WARM_UP_SHARE * budget_s:
        before = clock()
        call()
        finish()
        once = clock() - before
        calls += 1
    per_sample = min(CALLS_IN_A_SAMPLE, max(1, math.ceil(sample_s / max(once, 1e-9))))
    samples: list[float] = []
    start = clock()
    while len(samples) < FEWEST or (len(samples) < MOST and clock() - start < budget_s):
        before = clock()
        for _ in range(per_sample):
            call()
        finish()
        samples.append((clock() - before) / per_sample)
    return summarize(samples)
