"""View of `finops variance`: planned, the steps, billed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from groundplan.quantities import UNKNOWN, format_percent, format_usd
from groundplan.render.document import Chart, ChartKind, Column, Document, Fact, Facts, Table, Tone
from groundplan.render.views.parts import footer, notes


def document(result: Mapping[str, Any]) -> Document:
    """Return the bridge from the planned to the billed cost."""
    planned, billed = result["planned_usd"], result["billed_usd"]
    off = billed - planned
    share = f" ({abs(off) / planned:.0%})" if planned else ""
    jobs = len(result["jobs"])
    attempts = f" in {jobs} attempts" if jobs > 1 else ""
    headline = f"Run {result['run']} cost {format_usd(billed)}{attempts}, {format_usd(abs(off))}{share} "
    headline += "more than planned" if off > 0 else "less than planned"
    columns = (Column("step"), Column("USD", right=True), Column("so far", right=True), Column("meaning"))
    cells, running = [("planned", format_usd(planned), format_usd(planned), "")], planned
    points: list[dict[str, float | str]] = [{"step": "planned", "start": 0.0, "end": planned, "kind": "total"}]
    for row in result["steps"]:
        kind = "more" if row["usd"] > 0 else "less"
        points.append({"step": row["cause"], "start": running, "end": running + row["usd"], "kind": kind})
        running += row["usd"]
        cells.append((row["cause"], _signed(row["usd"]), format_usd(running), row["meaning"]))
    points.append({"step": "billed", "start": 0.0, "end": billed, "kind": "total"})
    facts = Facts("", tuple(_facts(result)))
    table = Table("From planned to billed", columns, tuple(cells), total=("billed", format_usd(billed), "", ""))
    chart = Chart(ChartKind.BRIDGE, "From planned to billed", "USD", tuple(points))
    tone = Tone.WARN if off > 0 else Tone.GOOD
    blocks = (facts, table, chart, *notes(result["notes"]))
    return Document(result["schema"], "Plan against bill", headline, tone, blocks, footer(result, predicts=False))


def _facts(result: Mapping[str, Any]) -> list[Fact]:
    forms: dict[str, tuple[str, Callable[[float], str]]] = {
        "gpu_hours": ("GPU hours", lambda value: f"{value:,.0f}"),
        "usd_per_gpu_hour": ("USD per GPU hour", lambda value: f"{value:.2f}"),
        "mfu": ("MFU", format_percent),
    }
    found = []
    for key, (name, form) in forms.items():
        then, now = result["planned"][key], result["actual"][key]
        value = UNKNOWN if now is None else form(now)
        found.append(Fact(name, value, f"planned {UNKNOWN if then is None else form(then)}"))
    return found


def _signed(usd: float) -> str:
    return f"{'+' if usd > 0 else ''}{format_usd(usd)}"
