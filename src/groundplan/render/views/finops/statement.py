"""Views of a statement, and of the statements that were written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.render.document import Column, Document, Fact, Facts, Table, Tone
from groundplan.render.phrases import money
from groundplan.render.views.parts import footer


def document(result: Mapping[str, Any]) -> Document:
    """Return the lines of one statement, or the list of those that were written."""
    return _statement(result) if "lines" in result else _written(result)


def _statement(result: Mapping[str, Any]) -> Document:
    currency = result["currency"]
    amount = money(result["cost_usd"], currency)
    days = f"{result['start'] or 'the first day'} to before {result['end'] or 'the last'}"
    facts = Facts(
        "",
        (
            Fact("Period", days),
            Fact("Cost", amount, result["column"]),
            Fact("GPU hours", f"{result['gpu_hours']:,.1f}"),
        ),
    )
    columns = (
        *(Column(name) for name in ("kind", "item", "detail")),
        *(Column(name, right=True) for name in ("GPU hours", "cost")),
    )
    cells = tuple(
        (row["kind"], row["item"], row["detail"], f"{row['gpu_hours']:,.2f}" if row["gpu_hours"] else "",
         money(row["cost_usd"], currency))
        for row in result["lines"]
    )  # fmt: skip
    table = Table("Lines", columns, cells, total=("sum", "", "", f"{result['gpu_hours']:,.2f}", amount))
    title = f"Statement of {result['by']} {result['owner']}"
    headline = f"{result['owner']}: {amount}"
    return Document(result["schema"], title, headline, Tone.PLAIN, (facts, table), footer(result, predicts=False))


def _written(result: Mapping[str, Any]) -> Document:
    currency, found = result["currency"], result["statements"]
    columns = (Column(result["by"]), Column("cost", right=True), Column("file"))
    cells = tuple((row[result["by"]], money(row["cost_usd"], currency), row["file"]) for row in found)
    headline = f"{len(found)} statements over {money(result['total_usd'], currency)} written to {result['out']}"
    facts = Facts("", (Fact("FOCUS rows", f"{result['allocated_rows']:,}", "focus-allocated.csv"),))
    table = Table("Statements", columns, cells)
    return Document(result["schema"], "Statements", headline, Tone.GOOD, (facts, table), footer(result, predicts=False))
