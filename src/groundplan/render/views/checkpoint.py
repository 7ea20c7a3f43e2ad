"""View of `checkpoint`: how often to save, and what failures leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.quantities import format_count, format_percent, format_seconds
from groundplan.render.document import Document, Fact, Facts, Tone
from groundplan.render.views.design import checkpoint_rows
from groundplan.render.views.parts import assumptions, footer, notes, warnings


def document(result: Mapping[str, Any]) -> Document:
    """Return the checkpoint interval and the goodput under failures."""
    interval = format_seconds(result["interval_s"])
    composed = f"Save every {interval}: {format_percent(result['goodput'])} of the time trains"
    rules = Facts(
        "By rule",
        (
            Fact("Young", format_seconds(result.get("young_s")), "sqrt(2 x stall x MTBF)"),
            Fact("Daly", format_seconds(result.get("daly_s")), "Young's with the higher-order terms"),
            Fact("Nodes", format_count(result.get("nodes"))),
        ),
    )
    return Document(
        str(result["schema"]),
        "Checkpoints",
        str(result.get("headline") or composed),
        Tone.PLAIN,
        (
            Facts("", checkpoint_rows(result)),
            rules,
            *notes(result.get("notes", ())),
            *assumptions(result.get("assumptions", ())),
            *warnings(result.get("warnings", ())),
        ),
        footer(result),
    )
