"""View of `finops units`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.quantities import UNKNOWN, format_number, format_percent
from groundplan.render.document import Column, Document, Table, Tone
from groundplan.render.views.parts import footer


def document(result: Mapping[str, Any]) -> Document:
    """Return every figure with how it was made."""
    found = {row["name"]: row for row in result["units"]}
    known = [row for row in found.values() if row["value"] is not None]
    headline = f"{len(known)} of {len(found)} figures are known"
    useful = found.get("useful accelerator-hour", {}).get("value")
    if useful is not None:
        headline = f"A useful accelerator-hour costs {useful:,.2f} {result['currency']}; " + headline
    columns = (Column("of one"), Column("value", right=True), Column("unit"), Column("how"))
    cells = tuple((row["name"], _text(row), row["unit"], row["how"]) for row in result["units"])
    table = Table("Unit economics", columns, cells)
    return Document(result["schema"], "Unit economics", headline, Tone.PLAIN, (table,), footer(result, predicts=False))


def _text(row: Mapping[str, Any]) -> str:
    if row["value"] is None:
        return UNKNOWN
    return format_percent(row["value"]) if row["unit"] == "share" else format_number(row["value"], 4)
