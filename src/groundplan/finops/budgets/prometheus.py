"""Budgets for Prometheus: their state as metrics for a textfile collector, and alerting rules over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from groundplan.finops.budgets.check import Status
from groundplan.finops.budgets.reading import Budget

METRICS = {
    "limit": "What may be spent in a month.",
    "spent": "What has been spent this month.",
    "forecast": "What the month will have cost, if days go on as usual.",
    "forecast_low": "Low end of the 80 % interval of the forecast.",
    "forecast_high": "High end of the 80 % interval of the forecast.",
}
HOLD = "15m"  # an alert must hold so long: a textfile that is being replaced is no alarm


def metrics(statuses: Sequence[Status]) -> str:
    """Return the state of monthly budgets in the text format of Prometheus."""
    lines: list[str] = []
    for name, meaning in METRICS.items():
        full = f"groundplan_budget_{name}_usd"
        lines += [f"# HELP {full} {meaning}", f"# TYPE {full} gauge"]
        values = [(status.budget, _value(status, name)) for status in statuses]
        lines += [f"{full}{_labels(budget)} {value!r}" for budget, value in values if value is not None]
    return "\n".join(lines) + "\n"


def rules(budgets: Sequence[Budget]) -> str:
    """Return alerting rules for monthly budgets, as `promtool check rules` accepts them."""
    found: list[dict[str, Any]] = []
    for budget in budgets:
        if budget.period != "monthly":
            continue
        of = f'{{budget="{_escaped(budget.name)}"}}'
        spent, limit = f"groundplan_budget_spent_usd{of}", f"groundplan_budget_limit_usd{of}"
        for share in budget.alerts:
            severity = "critical" if budget.kind == "hard" and share >= 1 else "warning"
            text = f"{budget.name}: {share:.0%} of the budget is spent"
            found.append(_rule("BudgetSpent", f"{spent} / {limit} >= {share!r}", budget, severity, text, share))
        severity = "critical" if budget.kind == "hard" else "warning"
        expression = f"groundplan_budget_forecast_usd{of} > {limit} and {spent} < {limit}"
        found.append(
            _rule("BudgetForecast", expression, budget, severity, f"{budget.name}: will be exceeded this month")
        )
    return yaml.safe_dump({"groups": [{"name": "groundplan-budgets", "rules": found}]}, sort_keys=False, width=120)


def _rule(
    alert: str, expression: str, budget: Budget, severity: str, text: str, share: float | None = None
) -> dict[str, Any]:
    threshold = {"share": f"{share:.0%}"} if share is not None else {}
    return {
        "alert": alert,
        "expr": expression,
        "for": HOLD,
        "labels": {
            "severity": severity,
            "budget": budget.name,
            "scope": budget.scope,
            "of": budget.of or "all",
            **threshold,
        },
        "annotations": {"summary": text.replace("{{", "{ {")},
    }


def _value(status: Status, name: str) -> float | None:
    path = status.forecast
    if path is None:
        return None
    if name == "limit":
        return status.budget.limit_usd
    if name == "spent" or not len(path.days):
        return round(status.spent, 6)
    values = {"forecast": path.middle, "forecast_low": path.low, "forecast_high": path.high}[name]
    return round(float(values[-1]), 6) if values[-1] == values[-1] else None


def _labels(budget: Budget) -> str:
    pairs = {"budget": budget.name, "scope": budget.scope, "of": budget.of or "all"}
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs.items()) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
