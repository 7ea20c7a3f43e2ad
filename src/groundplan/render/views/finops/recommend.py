"""View of `finops recommend`: what to do, for how much, how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.render.document import Block, Column, Document, Notes, Table, Tone
from groundplan.render.phrases import money
from groundplan.render.views.parts import footer


def document(result: Mapping[str, Any]) -> Document:
    """Return the recommendations, dearest first, and what could not be judged."""
    found, currency = result["recommendations"], result["currency"]
    columns = (
        Column("kind"),
        Column("what"),
        *(Column(name, right=True) for name in ("saves a month, from", "to")),
        *(Column(name, detail=True) for name in ("evidence", "risk")),
        Column("command", detail=True),
        Column("same dollars as", detail=True),
    )
    cells = tuple(
        (
            row["kind"],
            row["what"],
            *(money(row[key], currency) for key in ("low_usd", "high_usd")),
            *(row[key] for key in ("evidence", "risk", "command")),
            ", ".join(row["overlaps"]),
        )
        for row in found
    )
    blocks: list[Block] = [Table("What to do", columns, cells)] if found else []
    missing = tuple(f"{row['kind']}: needs {row['needs']}" for row in result["not_judged"])
    if missing:
        blocks.append(Notes("Not judged", missing))
    low, high = (money(result["together"][key], currency) for key in ("low_usd", "high_usd"))
    saved = (
        f": together they save {low} to {high} a month, dollars that several are about counted once" if found else ""
    )
    headline = f"{len(found)} recommendation{'s' if len(found) != 1 else ''}{saved}"
    tone = Tone.WARN if found else Tone.GOOD
    return Document(result["schema"], "Recommendations", headline, tone, tuple(blocks), footer(result, predicts=False))
