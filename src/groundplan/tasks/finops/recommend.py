"""Task: what to do about waste, dearest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.evidence import Result
from groundplan.finops.allocation import prepare
from groundplan.finops.lake.engine import query_text
from groundplan.finops.lake.lake import Lake
from groundplan.finops.recommend.judge import judge
from groundplan.finops.recommend.rows import Recommendation, overlapping, together
from groundplan.tasks.finops.allocate import AllocateRequest, period_of


@dataclass(frozen=True, slots=True)
class RecommendResult(Result):
    """Recommendations, dearest first, in dollars of 30 days; and what the lake could not tell of.

    Some are about the same dollars: `together` adds up only those that are `counted`, which share none.
    """

    schema: str
    tool_version: str
    catalog_version: str
    lake: str
    column: str
    currency: str
    days: float
    together: dict[str, str]
    recommendations: tuple[dict[str, Any], ...]
    not_judged: tuple[dict[str, str], ...]


def recommend(request: AllocateRequest, catalog: Catalog) -> RecommendResult:
    """Return what would save money in a lake.

    Raises
    ------
    InputError, UnknownName
        No lake or charges, no such column, a currency without a rate.
    """
    lake = Lake(request.lake)
    connection, into = prepare(lake, request.column, period_of(request), request.currency)
    connection.execute(query_text("states"))
    days, (found, missing) = judge(lake, connection, catalog)
    found = sorted(found, key=lambda one: (-one.high_usd, one.what))
    counted = together(found)
    return RecommendResult(
        "groundplan/finops-recommend/1",
        __version__,
        catalog.version,
        request.lake,
        request.column,
        into,
        round(days, 6),
        {
            "low_usd": f"{sum(one.low_usd for one in counted):.2f}",
            "high_usd": f"{sum(one.high_usd for one in counted):.2f}",
        },
        tuple(
            _row(one, sorted({found[place].kind for place in others}), one in counted)
            for one, others in zip(found, overlapping(found), strict=True)
        ),
        tuple({"kind": one.kind, "needs": one.needs} for one in missing),
    )


def _row(one: Recommendation, overlaps: Sequence[str], counted: bool) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "what": one.what,
        "low_usd": f"{one.low_usd:.2f}",
        "high_usd": f"{one.high_usd:.2f}",
        "evidence": one.evidence,
        "risk": one.risk,
        "command": one.command,
        "overlaps": list(overlaps),
        "counted": counted,
    }
