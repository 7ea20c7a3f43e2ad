"""Hold budgets against a lake: spent, burn, forecast, and what somebody must be told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from groundplan.errors import InputError
from groundplan.finops.allocation import UNKNOWN, Period, prepare
from groundplan.finops.budgets.forecast import Forecast, forecast
from groundplan.finops.budgets.reading import Budget
from groundplan.finops.lake.engine import query_text, rows
from groundplan.finops.lake.lake import Lake
from groundplan.finops.rules import TAGS, Rules

CRITICAL, WARNING = "critical", "warning"
MOST_RUNS = 20  # of a budget of single runs that are told


@dataclass(frozen=True, slots=True)
class Status:
    """One budget on a day. The forecast is None for budgets of single runs."""

    budget: Budget
    spent: float
    burn: float | None  # spent over what an even month would have spent by now
    forecast: Forecast | None
    alerts: tuple[Alert, ...]
    days: tuple[tuple[date, float], ...] = ()  # of the month so far: what was spent by the end of each


@dataclass(frozen=True, slots=True)
class Alert:
    """What somebody must be told. `kind` is ``spent`` (a share is reached), ``forecast`` or ``run``."""

    budget: Budget
    kind: str
    severity: str
    text: str
    amount: float
    share: float  # of the limit


def check(
    lake: Lake, budgets: Iterable[Budget], column: str, rules: Rules, as_of: date | None, currency: str | None = None
) -> tuple[date, str, list[Status]]:
    """Return the day that is looked at (the last one charged, unless asked), the currency, and every budget's status.

    Raises
    ------
    InputError
        The lake has no charges by that day, or a budget is of an owner that never was charged.
    """
    connection, into = prepare(lake, column, Period(), currency)
    first, last = connection.execute("SELECT min(ChargePeriodStart), max(ChargePeriodStart) FROM charges").fetchone()
    day = min(as_of or last.date(), last.date())
    if day < first.date():
        raise InputError(f"nothing was charged by {day}", f"the first charge is of {first:%Y-%m-%d}")
    daily = _Daily(connection, rules, first.date(), day)
    return (
        day,
        into,
        [_run_status(budget, daily) if budget.period == "run" else _month_status(budget, daily) for budget in budgets],
    )


class _Daily:
    """Daily costs of every scope, from the first charge to the day that is looked at."""

    def __init__(self, connection: Any, rules: Rules, first: date, day: date) -> None:
        self.first, self.day, self.rules = first, day, rules
        self.jobs = rows(connection, query_text("daily_jobs"))
        self.charges: dict[str, list[dict[str, Any]]] = {}
        for scope in (*TAGS, ""):
            paths = ['$."' + key.replace('"', '\\"') + '"' for key in rules.tags.get(scope, ())]
            connection.execute("SET VARIABLE tag_paths = ?", [paths])
            self.charges[scope] = rows(connection, query_text("daily_charges"))

    def of(self, scope: str, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the daily cost of an owner; of everything for the total."""
        series = np.zeros((self.day - self.first).days + 1)
        by_tag = scope in TAGS
        for charge in self.charges[scope if by_tag else ""]:
            owner = (
                self.rules.of_charge(scope, charge["tags"] or (), charge["account"])
                if by_tag
                else charge.get(scope, "")
            )
            if scope == "total" or (owner == name and not (by_tag and charge["of_fleet"])):
                self._add(series, charge)
        for job in self.jobs if by_tag else ():
            if (self.rules.of_job(scope, job) or UNKNOWN) == name:
                self._add(series, job)
        return series

    def runs(self, scope: str, name: str) -> dict[str, float]:
        """Return what each job of an owner cost by that day."""
        cost: dict[str, float] = defaultdict(float)
        for job in self.jobs:
            if job["day"].date() <= self.day and (scope == "total" or self.rules.of_job(scope, job) == name):
                cost[str(job["job_id"])] += float(job["cost"])
        return cost

    def _add(self, series: Any, row: dict[str, Any]) -> None:
        index = (row["day"].date() - self.first).days
        if index < len(series):
            series[index] += float(row["cost"] or 0)


def _month_status(budget: Budget, daily: _Daily) -> Status:
    series = daily.of(budget.scope, budget.of)
    if not series.any():
        raise InputError(
            f"nothing was ever charged to {budget.scope} {budget.of}", "is the name as `finops allocate` says it?"
        )
    day = daily.day
    start = day.replace(day=1)
    until = (start + timedelta(days=32)).replace(day=1)
    by_now = np.cumsum(series[-day.day :])
    spent = float(by_now[-1])
    days = tuple((day - timedelta(days=len(by_now) - 1 - n), float(amount)) for n, amount in enumerate(by_now))
    even = budget.limit_usd * day.day / (until - start).days
    path = forecast(series, day, spent, until)
    return Status(budget, spent, spent / even, path, tuple(_month_alerts(budget, spent, path)), days)


def _month_alerts(budget: Budget, spent: float, path: Forecast) -> Iterable[Alert]:
    share = spent / budget.limit_usd
    reached = max((at for at in budget.alerts if share >= at), default=None)
    if reached is not None:
        severity = CRITICAL if budget.kind == "hard" and share >= 1 else WARNING
        text = f"{budget.name}: ${spent:,.2f} spent, {100 * share:.1f} % of ${budget.limit_usd:,.2f}"
        yield Alert(budget, "spent", severity, text, spent, share)
    if share < 1 and len(path.days) and path.middle[-1] > budget.limit_usd:
        middle, soonest = path.passes(budget.limit_usd, path.middle), path.passes(budget.limit_usd, path.high)
        latest = path.passes(budget.limit_usd, path.low)
        between = f"between {soonest} and {latest}" if latest else f"not before {soonest}, perhaps not this month"
        end = path.middle[-1]
        text = (
            f"{budget.name}: will exceed ${budget.limit_usd:,.2f} on {middle} ({between}); "
            f"the month ends at ${end:,.2f} (${path.low[-1]:,.2f} to ${path.high[-1]:,.2f})"
        )
        severity = CRITICAL if budget.kind == "hard" else WARNING
        yield Alert(budget, "forecast", severity, text, float(end), float(end) / budget.limit_usd)


def _run_status(budget: Budget, daily: _Daily) -> Status:
    cost = daily.runs(budget.scope, budget.of)
    dear = sorted(((amount, job) for job, amount in cost.items() if amount > budget.limit_usd), reverse=True)
    severity = CRITICAL if budget.kind == "hard" else WARNING
    alerts = tuple(
        Alert(
            budget,
            "run",
            severity,
            f"{budget.name}: job {job} cost ${amount:,.2f}, a run may cost ${budget.limit_usd:,.2f}",
            amount,
            amount / budget.limit_usd,
        )
        for amount, job in dear[:MOST_RUNS]
    )
    return Status(budget, max(cost.values(), default=0.0), None, None, alerts)
