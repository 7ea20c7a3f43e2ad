"""Task: hold budgets against what was spent, tell who must be told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from groundplan import __version__
from groundplan.evidence import Result
from groundplan.finops.budgets.check import CRITICAL, Status
from groundplan.finops.budgets.check import check as hold
from groundplan.finops.budgets.deliver import Delivery, as_json
from groundplan.finops.budgets.deliver import deliver as send
from groundplan.finops.budgets.forecast import Forecast
from groundplan.finops.budgets.prometheus import metrics as as_metrics
from groundplan.finops.budgets.prometheus import rules as as_rules
from groundplan.finops.budgets.reading import read_budgets
from groundplan.finops.lake.lake import Lake
from groundplan.finops.money import EFFECTIVE
from groundplan.finops.rules import read_rules


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """Which budgets, against which lake, on which day; `deliver` sends the alerts to the channels of the file."""

    lake: str
    budgets: Path
    rules: Path | None = None
    column: str = EFFECTIVE
    currency: str | None = None
    as_of: date | None = None
    deliver: bool = False


@dataclass(frozen=True, slots=True)
class CheckResult(Result):
    """Every budget with what is spent, the forecast and the alerts; `metrics` is for Prometheus."""

    schema: str
    tool_version: str
    lake: str
    day: str
    currency: str
    budgets: tuple[dict[str, Any], ...]
    alerts: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]  # budgets exceeded, and hard ones that will be
    deliveries: tuple[dict[str, Any], ...]
    metrics: str


def check(request: CheckRequest) -> CheckResult:
    """Return the state of every budget.

    Raises
    ------
    InputError, UnknownName
        Budgets or rules that cannot be read, no lake or charges, an owner nobody ever charged.
    """
    budgets, channels = read_budgets(request.budgets)
    rules = read_rules(request.rules)
    day, into, statuses = hold(Lake(request.lake), budgets, request.column, rules, request.as_of, request.currency)
    alerts = [alert for status in statuses for alert in status.alerts]
    deliveries = send(alerts, channels, day) if request.deliver else ()
    return CheckResult(
        schema="groundplan/finops-check/1",
        tool_version=__version__,
        lake=request.lake,
        day=day.isoformat(),
        currency=into,
        budgets=tuple(_row(status) for status in statuses),
        alerts=tuple(as_json(alert, day) for alert in alerts),
        problems=tuple(
            alert.text
            for alert in alerts
            if alert.share >= 1 and (alert.kind != "forecast" or alert.severity == CRITICAL)
        ),
        deliveries=tuple(_delivery(one) for one in deliveries),
        metrics=as_metrics(statuses),
    )


def held_by(answer: Mapping[str, Any], teams: Collection[str]) -> dict[str, Any]:
    """Return what `check` says of the budgets of some teams alone; nothing of any other is left."""
    budgets = [row for row in answer["budgets"] if row["scope"] == "team" and row["of"] in teams]
    names = {row["name"] for row in budgets}
    alerts = [alert for alert in answer["alerts"] if alert["budget"] in names]
    texts = {alert["text"] for alert in alerts}
    problems = [text for text in answer["problems"] if text in texts]
    return {**answer, "budgets": budgets, "alerts": alerts, "problems": problems, "deliveries": [], "metrics": ""}


def prometheus_rules(budgets: Path) -> str:
    """Return alerting rules for the budgets of a file.

    Raises
    ------
    InputError, UnknownName
        The file cannot be read.
    """
    return as_rules(read_budgets(budgets)[0])


def _row(status: Status) -> dict[str, Any]:
    budget, path = status.budget, status.forecast
    ends = len(path.days) and path.middle[-1] == path.middle[-1] if path else False
    exceeds = path.passes(budget.limit_usd, path.middle) if path else None
    return {
        "name": budget.name,
        "scope": budget.scope,
        "of": budget.of,
        "period": budget.period,
        "kind": budget.kind,
        "limit_usd": f"{budget.limit_usd:.2f}",
        "spent_usd": f"{status.spent:.2f}",
        "share": round(status.spent / budget.limit_usd, 6),
        "burn": None if status.burn is None else round(status.burn, 6),
        "forecast_usd": {name: f"{getattr(path, at)[-1]:.2f}" for name, at in _ENDS.items()} if path and ends else None,
        "exceeds_on": exceeds.isoformat() if exceeds and status.spent <= budget.limit_usd else None,
        "remaining_usd": f"{budget.limit_usd - status.spent:.2f}" if path else None,
        "days": [{"day": day.isoformat(), "spent_usd": f"{spent:.2f}"} for day, spent in status.days],
        "days_ahead": _ahead(path) if path and ends else [],
    }


_ENDS = {"value": "middle", "low": "low", "high": "high"}


def _ahead(path: Forecast) -> list[dict[str, str]]:
    columns = [(name, getattr(path, at)) for name, at in _ENDS.items()]
    return [
        {"day": day.isoformat(), **{name: f"{values[n]:.2f}" for name, values in columns}}
        for n, day in enumerate(path.days)
    ]


def _delivery(one: Delivery) -> dict[str, Any]:
    return {"channel": one.channel, "to": one.to, "delivered": one.delivered, "error": one.error}
