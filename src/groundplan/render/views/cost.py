"""View of `cost`: the bill, by day and month, by term."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.quantities import format_usd
from groundplan.render.document import Document, Fact, Facts, Tone
from groundplan.render.phrases import by_key, interval, per
from groundplan.render.views.design import price_words
from groundplan.render.views.parts import assumptions, breakdown, footer, notes, shares_chart, warnings


def document(result: Mapping[str, Any]) -> Document:
    """Return the cost of the hours asked for; an unknown price stays unknown."""
    cost = interval(result["cost_usd"], format_usd)
    day, month = (by_key("usd", result.get(key)) for key in ("per_day_usd", "per_month_usd"))
    facts = Facts(
        "",
        (
            Fact("Cost", cost),
            Fact("Per day", day),
            Fact("Per month", month, "30 days round the clock"),
            Fact("Price", *price_words(result.get("price"))),
        ),
    )
    return Document(
        str(result["schema"]),
        "Cost",
        str(result.get("headline") or f"{cost}; {per(day, 'day')}, {per(month, '30 days')}"),
        Tone.PLAIN,
        (
            facts,
            breakdown("Cost by term", result["terms"], result["cost_usd"], format_usd),
            *shares_chart("Cost by term", result["terms"], "USD"),
            *notes(result.get("notes", ())),
            *assumptions(result.get("assumptions", ())),
            *warnings(result.get("warnings", ())),
        ),
        footer(result),
    )
