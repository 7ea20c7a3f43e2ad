"""View of `finops anomalies`: what shifted, when, why, for how much."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from groundplan.render.document import Block, Chart, ChartKind, Column, Document, Table, Tone
from groundplan.render.phrases import money
from groundplan.render.views.parts import footer

FAR = 1e6  # sigmas of a cost where none was expected, or of none where one was


def document(result: Mapping[str, Any]) -> Document:
    """Return the shifts, the dearest first."""
    found, currency = result["anomalies"], result["currency"]
    excess = sum((Decimal(row["excess_usd"]) for row in found), Decimal(0))
    headline = (
        f"{len(found)} shift{'s' if len(found) != 1 else ''} of spend, {money(str(excess), currency)} beyond the usual"
    )
    columns = (
        *(Column(name) for name in ("from", "to before", "cause")),
        *(Column(name, right=True) for name in ("beyond the usual", "usual")),
        *(Column(name) for name in ("service", "SKU", "team")),
        Column("sigmas", right=True, detail=True),
    )
    cells = tuple(
        (
            *(row[key] for key in ("start", "end", "cause")),
            *(money(row[key], currency) for key in ("excess_usd", "expected_usd")),
            *(row[key] or "" for key in ("service", "sku", "team")),
            f"{row['sigmas']:.1f}" if abs(row["sigmas"]) < FAR else "new" if row["sigmas"] > 0 else "gone",
        )
        for row in found
    )
    chart = _time_line(result)
    if not found:
        nothing = "No shift of spend that the usual week does not explain"
        return Document(result["schema"], "Anomalies", nothing, Tone.GOOD, tuple(chart), footer(result, predicts=False))
    table = Table("Shifts", columns, cells)
    return Document(result["schema"], "Anomalies", headline, Tone.WARN, (*chart, table), footer(result, predicts=False))


def _time_line(result: Mapping[str, Any]) -> list[Block]:
    """Return spend by day with the shifts marked, where there are days enough to draw."""
    if len(result["daily"]) < 2:
        return []
    days = [{"day": row["day"], "value": float(row["cost_usd"])} for row in result["daily"]]
    shifts = [{"start": row["start"], "end": row["end"], "cause": row["cause"]} for row in result["anomalies"]]
    title = "Spend a day" + (", with its shifts" if shifts else "")
    return [Chart(ChartKind.TIME_LINE, title, result["currency"], (*days, *shifts))]
