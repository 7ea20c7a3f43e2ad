"""View of `finops check`: what must be told first, then every budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.render.document import Block, Chart, ChartKind, Column, Document, Notes, Table, Tone
from groundplan.render.phrases import money
from groundplan.render.views.parts import footer


def document(result: Mapping[str, Any]) -> Document:
    """Return the alerts and the state of every budget."""
    budgets, alerts, currency = result["budgets"], result["alerts"], result["currency"]
    over = len(result["problems"])
    headline = f"{len(budgets)} budget{'s' if len(budgets) != 1 else ''} on {result['day']}: "
    headline += f"{over} exceeded, or hard and about to be" if over else "none is exceeded"
    columns = (
        Column("budget"),
        *(Column(name, detail=True) for name in ("of", "kind")),
        *(Column(name, right=True) for name in ("spent", "limit", "remaining", "share")),
        Column("burn", right=True, detail=True),
        Column("month ends at", right=True),
        *(Column(name, right=True, detail=True) for name in ("from", "to")),
        Column("exceeded on"),
    )
    blocks: list[Block] = []
    if alerts:
        worst = Tone.BAD if any(alert["severity"] == "critical" for alert in alerts) else Tone.WARN
        blocks.append(Notes("Alerts", tuple(f"{alert['severity']}: {alert['text']}" for alert in alerts), worst))
    blocks.append(Table("Budgets", columns, tuple(_cells(row, currency) for row in budgets)))
    blocks += [_burn_down(row, currency) for row in budgets if len(row["days"]) + len(row["days_ahead"]) > 1]
    failed = [row for row in result["deliveries"] if row["error"]]
    sent = [row for row in result["deliveries"] if not row["error"]]
    if sent:
        blocks.append(Notes("Delivered", tuple(f"{row['delivered']} to {row['channel']} {row['to']}" for row in sent)))
    if failed:
        blocks.append(Notes("Not delivered", tuple(f"{row['channel']}: {row['error']}" for row in failed), Tone.BAD))
    tone = Tone.BAD if over else Tone.WARN if alerts else Tone.GOOD
    return Document(result["schema"], "Budgets", headline, tone, tuple(blocks), footer(result))


def _cells(row: Mapping[str, Any], currency: str) -> tuple[str, ...]:
    path = row["forecast_usd"] or {}
    return (
        row["name"],
        f"{row['scope']} {row['of']}".strip() + (" (a run)" if row["period"] == "run" else ""),
        row["kind"],
        money(row["spent_usd"], currency),
        money(row["limit_usd"], currency),
        money(row["remaining_usd"], currency) if row["remaining_usd"] else "",
        f"{100 * row['share']:.1f} %",
        "" if row["burn"] is None else f"{row['burn']:.2f}",
        *(money(path[key], currency) if path else "" for key in ("value", "low", "high")),
        row["exceeds_on"] or "",
    )


def _burn_down(row: Mapping[str, Any], currency: str) -> Chart:
    """Return the limit, what was spent by each day, and where the days ahead lead with their interval."""
    points: list[dict[str, float | str]] = [
        {"day": day["day"], "line": "spent", "value": float(day["spent_usd"])} for day in row["days"]
    ]
    if row["days_ahead"]:
        now = {"day": points[-1]["day"], **dict.fromkeys(("value", "low", "high"), points[-1]["value"])}
        ahead = (
            {name: text if name == "day" else float(text) for name, text in day.items()} for day in row["days_ahead"]
        )
        points += [{**day, "line": "forecast"} for day in (now, *ahead)]
    ends = points[0]["day"], points[-1]["day"]
    points += [{"day": day, "line": "budget", "value": float(row["limit_usd"])} for day in ends]
    return Chart(ChartKind.BURN_DOWN, f"{row['name']}: spent this month", currency, tuple(points))
