"""Shifts of spend that the usual week does not explain, each with its cause: price, quantity or mix.

A day of a series (service, SKU, owner) is expected to cost its baseline, made of days that were themselves usual, so
that one shift does not hide the next. A day is unusual when it is off by a share that
matters, by money that matters, and by more than the series' own noise, alone or with the days beside it. The cause
is the largest part of

    cost - cost0 = (Q - Q0) P0  +  Q sum_c (m_c - m0_c) p0_c  +  Q sum_c m_c (p_c - p0_c)
                   quantity        mix                          price

with quantity Q, shares m_c and unit prices p_c of the ways of pricing c (on demand, committed, spot).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundplan.finops.baseline import LEVEL_DAYS, MEDIAN_VARIANCE, WEEK, WINDOW_DAYS, Array, baseline
from groundplan.finops.lake.engine import query_text, rows
from groundplan.finops.rules import Rules

HISTORY_DAYS = 14  # before a series can be judged
ACCEPT_DAYS = 21  # an unusual level that lasts so long is the new usual
LEAST_SHARE = 0.18  # of the expected cost; shifts of 25 % must be seen through noise
LEAST_OF_SPEND = 2e-4  # of a usual day's whole spend
SIGMAS_OF_DAY = 2.5  # of each day of a run
SIGMAS_OF_RUN = 4.5  # of all its days together: one day far off, or several that agree
FAR = 1e6  # sigmas of a cost where none was expected, or of none


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Days, from `start` to before `end`, on which a series cost something else than it should have."""

    start: date
    end: date
    cause: str
    provider: str
    service: str
    sku: str
    owner: str
    expected: float  # over these days
    actual: float
    sigmas: float  # of the day furthest off


@dataclass(frozen=True, slots=True)
class Series:
    """Daily cost and quantity by way of pricing, [days, categories]; NaN quantity where the bill gives none."""

    name: tuple[str, str, str, str]
    cost: Array
    quantity: Array


def find(connection: Any, rules: Rules) -> list[Anomaly]:
    """Return every anomaly in the view `charges`, the dearest first."""
    paths = ['$."' + key.replace('"', '\\"') + '"' for key in rules.tags["team"]]
    connection.execute("SET VARIABLE tag_paths = ?", [paths])
    first, series = _series(rows(connection, query_text("daily_series")))
    if not series:
        return []
    spend = float(np.median(np.sum([one.cost.sum(axis=1) for one in series], axis=0)))
    kin: dict[tuple[str, ...], list[Series]] = {}
    for one in series:
        kin.setdefault(one.name[:3], []).append(one)
    found = [anomaly for group in kin.values() for anomaly in judge(group, first, LEAST_OF_SPEND * spend)]
    return sorted(found, key=lambda anomaly: (-abs(anomaly.actual - anomaly.expected), anomaly.start))


def _series(table: list[dict[str, Any]]) -> tuple[date, list[Series]]:
    """Return the first day, and every series with its days without charges filled by zeros."""
    if not table:
        return date.min, []
    first, last = min(row["day"] for row in table), max(row["day"] for row in table)
    days = (last - first).days + 1
    categories: dict[tuple[str, ...], dict[str, int]] = {}
    for row in table:
        name = (row["provider"], row["service"], row["sku"], row["owner"])
        known = categories.setdefault(name, {})
        known.setdefault(row["category"], len(known))
    cost = {name: np.zeros((days, len(known))) for name, known in categories.items()}
    quantity = {name: np.zeros((days, len(known))) for name, known in categories.items()}
    for row in table:
        name = (row["provider"], row["service"], row["sku"], row["owner"])
        at = (row["day"] - first).days, categories[name][row["category"]]
        cost[name][at] += row["cost"]
        quantity[name][at] += np.nan if row["quantity"] is None else row["quantity"]
    return first.date(), [Series(name, cost[name], quantity[name]) for name in cost]  # type: ignore[arg-type]


def judge(group: list[Series], first: date, least_usd: float) -> list[Anomaly]:
    """Return the anomalies of series that are alike (one SKU, several owners), walking through their days as they came.

    Series that are alike share the shape of their week and their noise, which few days of one alone would not tell.
    The walk uses no day after the one it judges: what it finds, it would have found on the day (or the day after,
    where one day alone is not enough).
    """
    cost = np.array([series.cost.sum(axis=1) for series in group])
    count, days = cost.shape
    weekday = (first.weekday() + np.arange(days)) % WEEK
    usual = np.ones((count, days), dtype=bool)
    expected, sigmas = np.zeros((count, days)), np.zeros((count, days))
    runs: list[list[int]] = [[] for _ in group]
    found: list[tuple[int, int, int]] = []
    for day in range(HISTORY_DAYS, days):
        known = baseline(cost, usual, weekday, day)
        expected[:, day], noise = known.expected(weekday[day]), known.noise[:, weekday[day]]
        off = cost[:, day] - expected[:, day]
        both = (cost[:, day] > 0) & (expected[:, day] > 0)
        ratio = np.where(both, cost[:, day], 1.0) / np.where(both, expected[:, day], 1.0)
        sigmas[:, day] = np.where(both, np.log(ratio) / noise, np.sign(off) * FAR)
        matters = np.abs(off) > np.maximum(LEAST_SHARE * expected[:, day], least_usd)
        matters &= np.abs(sigmas[:, day]) > SIGMAS_OF_DAY
        if day == days - 1:
            matters &= off > 0  # the export may have stopped within the day
        for one in range(count):
            run = runs[one]
            same_side = not run or np.sign(off[one]) == np.sign(sigmas[one, run[-1]])
            if matters[one] and same_side:
                run.append(day)
                usual[one, day] = False
            elif run:
                found += _closed(one, run, sigmas, usual)
                runs[one] = []
            if len(run) >= ACCEPT_DAYS:
                found += _closed(one, run, sigmas, usual)
                usual[one, : run[0]], usual[one, run] = False, True  # what was before is no measure any more
                runs[one] = []
    for one, run in enumerate(runs):
        found += _closed(one, run, sigmas, usual)
    return [
        _anomaly(group[one], first, begin, end, expected[one], sigmas[one], usual[one]) for one, begin, end in found
    ]


def _closed(one: int, run: list[int], sigmas: Array, usual: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """Return a run of unusual days as (series, first, after last) if they are beyond chance together, else nothing."""
    if not run:
        return []
    days = len(run)
    # Noise averages out over a run; the error of its level, a median of LEVEL_DAYS days, does not.
    if abs(float(sigmas[one, run].sum())) / np.sqrt(days + days**2 * MEDIAN_VARIANCE / LEVEL_DAYS) < SIGMAS_OF_RUN:
        usual[one, run] = True
        return []
    return [(one, run[0], run[-1] + 1)]


def _anomaly(
    series: Series, first: date, begin: int, end: int, expected: Array, sigmas: Array, usual: NDArray[np.bool_]
) -> Anomaly:
    past = np.flatnonzero(usual[:begin])[-WINDOW_DAYS:]
    of = slice(begin, end)
    return Anomaly(
        first + timedelta(days=begin),
        first + timedelta(days=end),
        cause_of(series, past, of),
        *series.name,
        expected=float(np.nansum(expected[of])),
        actual=float(series.cost[of].sum()),
        sigmas=float(np.max(np.abs(sigmas[of]))),
    )


def cause_of(series: Series, past: NDArray[np.int64], of: slice) -> str:
    """Return the largest part of the change of cost against the past days: ``price``, ``quantity`` or ``mix``."""
    before_q, now_q = series.quantity[past].sum(axis=0), series.quantity[of].sum(axis=0)
    if not np.isfinite(before_q.sum() + now_q.sum()) or before_q.sum() <= 0 or now_q.sum() <= 0:
        return "quantity"
    before_cost, now_cost = series.cost[past].sum(axis=0), series.cost[of].sum(axis=0)
    now_price = now_cost / np.where(now_q > 0, now_q, 1.0)
    before_price = np.where(before_q > 0, before_cost / np.where(before_q > 0, before_q, 1.0), now_price)
    days = of.stop - of.start
    q0, q = before_q.sum() / len(past) * days, now_q.sum()
    m0, m = before_q / before_q.sum(), now_q / now_q.sum()
    parts = {
        "quantity": (q - q0) * float(m0 @ before_price),
        "mix": q * float((m - m0) @ before_price),
        "price": q * float(m @ (now_price - before_price)),
    }
    change = sum(parts.values())
    return max(parts, key=lambda name: parts[name] * np.sign(change))
