"""View of `diff`: every value that changed between two saved results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.quantities import format_number
from groundplan.render.document import Column, Document, Table, Tone
from groundplan.render.phrases import by_key
from groundplan.render.views.parts import footer

ABSENT = "-"
BRIEF_ROWS = 40


def document(result: Mapping[str, Any]) -> Document:
    """Return the differences, one row each."""
    rows = tuple(
        (str(row["path"]), _shown(row, "a"), _shown(row, "b"), _change(row.get("change"))) for row in result["rows"]
    )
    columns = (Column("what"), Column("a", right=True), Column("b", right=True), Column("change", right=True))
    headline = f"{len(rows)} values differ" if len(rows) != 1 else "1 value differs"
    body = (Table("", columns, rows, brief_rows=BRIEF_ROWS),) if rows else ()
    return Document(
        str(result["schema"]), "Differences", headline if rows else "No differences", Tone.PLAIN, body, footer(result)
    )


def _shown(row: Mapping[str, Any], side: str) -> str:
    value = row.get(side)
    return ABSENT if value is None else by_key(str(row["path"]), value)


def _change(change: float | None) -> str:
    if change is None:
        return ""
    return f"{'+' if change > 0 else ''}{format_number(100 * change, 3)} %"
