"""View of `train`: one design, in full."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.quantities import format_seconds, format_usd
from groundplan.render.document import Document, Tone
from groundplan.render.phrases import interval
from groundplan.render.views import design as blocks
from groundplan.render.views.flow import flow
from groundplan.render.views.parts import assumptions, footer, warnings


def document(result: Mapping[str, Any]) -> Document:
    """Return the design: does it fit, how long, how much, what it needs."""
    fits = bool(result["memory"]["fits"])
    run, cost = interval(result["run_s"], format_seconds), interval(result.get("cost_usd"), format_usd)
    short = f"Does not fit: {blocks.memory_fit(result['memory']).note} on each device"
    headline = f"{run} and {cost} on {blocks.design_name(result)}" if fits else short
    return Document(
        str(result["schema"]),
        "Training",
        headline,
        Tone.GOOD if fits else Tone.BAD,
        (
            blocks.design_facts("Design", result),
            blocks.outcome(result),
            flow(result),
            *blocks.breakdowns(result),
            *blocks.charts(result),
            *blocks.needs(result),
            *assumptions(result.get("assumptions", ())),
            *warnings(result.get("warnings", ())),
        ),
        footer(result),
    )
