"""View of `finops allocate`: who pays, then what accelerators did with the money."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from groundplan.render.document import Block, Column, Document, Fact, Facts, Table, Tone
from groundplan.render.phrases import money
from groundplan.render.views.parts import footer, shares_chart

NOTES = {
    "unallocated": "no job held it",
    "allocated-no-process": "held by a job with nothing on it",
    "loaded-but-idle": "memory in use, no kernels",
    "low": "kernels now and then",
    "starved": "kernels waited for input or the host",
    "communication-bound": "kernels waited for other accelerators",
    "busy": "",
    "unmeasured": "held by a job, no telemetry",
}


def document(result: Mapping[str, Any]) -> Document:
    """Return the bill by owner, largest first, and by state."""
    currency, total = result["currency"], result["total_usd"]
    idle = sum((Decimal(amount) for amount in result["idle_usd"].values()), Decimal(0))
    shown = result.get("shown")
    fleet = sum((Decimal(row["cost_usd"]) for row in result["states"]), Decimal(0))
    fleet = Decimal(shown["fleet_usd"]) if shown else fleet
    days = f"{result['start'] or 'the first day'} to {result['end'] or 'the last'}"
    headline = f"{money(total, currency)} allocated by {result['by']}"
    if fleet:
        headline += f"; {_percent(idle, fleet)} of the accelerators' {money(str(fleet), currency)} bought no work"
    facts = Facts("", (Fact("Period", days), Fact("Column", result["column"]), *_sums(result)))
    columns = (
        Column(result["by"]),
        *(Column(name, right=True) for name in ("cost", "share", "accelerators", "other")),
        Column("divided", right=True, detail=True),
        Column("GPU hours", right=True),
    )
    cells = tuple(
        (
            str(row[result["by"]]),
            money(row["cost_usd"], currency),
            _percent(Decimal(row["cost_usd"]), Decimal(total)),
            *(money(row[key], currency) for key in ("gpus_usd", "other_usd", "divided_usd")),
            f"{row['gpu_hours']:,.0f}",
        )
        for row in result["rows"]
    )
    last = ("total", money(total, currency), "100 %", "", "", "", "")
    states = tuple(
        (row["state"], money(row["cost_usd"], currency), _percent(Decimal(row["cost_usd"]), fleet),
         f"{row['gpu_hours']:,.0f}", NOTES[row["state"]])
        for row in result["states"]
        if Decimal(row["cost_usd"])
    )  # fmt: skip
    state_columns = (Column("state"), Column("cost", right=True), Column("share", right=True),
                     Column("GPU hours", right=True), Column("meaning"))  # fmt: skip
    points = {row["state"]: float(row["cost_usd"]) for row in result["states"]}
    blocks: list[Block] = [facts, Table(f"By {result['by']}", columns, cells, total=last, brief_rows=30)]
    if fleet:
        blocks.append(Table("What the accelerators did", state_columns, states))
        blocks += shares_chart("What the accelerators did", points, currency)
    return Document(result["schema"], "Allocation", headline, Tone.PLAIN, tuple(blocks), footer(result, predicts=False))


def _sums(result: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Return what the rows sum to; of rows that were chosen, also which part of the total they are."""
    currency, total, shown = result["currency"], result["total_usd"], result.get("shown")
    if not shown:
        return (Fact("Rows sum to", money(total, currency)),)
    found = [Fact("Shown", f"{money(shown['usd'], currency)} of total {money(total, currency)}")]
    if shown["states_usd"] != shown["fleet_usd"]:
        of = f"{money(shown['states_usd'], currency)} of total {money(shown['fleet_usd'], currency)}"
        found.append(Fact("Shown of the accelerators", of))
    return tuple(found)


def _percent(part: Decimal, whole: Decimal) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
