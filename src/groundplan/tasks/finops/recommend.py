"""Task: what to do about waste, dearest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from groundplan import __version__
from groundplan.evidence import Result
from groundplan.finops.allocation import prepare
from groundplan.finops.lake.engine import query_text, rows
from groundplan.finops.lake.lake import Lake
from groundplan.finops.recommend.jobs import idle, oversized, repeated, spot
from groundplan.finops.recommend.rows import NotJudged, Recommendation
from groundplan.tasks.finops.allocate import AllocateRequest, period_of

MONTH_DAYS = 30.0


@dataclass(frozen=True, slots=True)
class RecommendResult(Result):
    """Recommendations, dearest first, in dollars of 30 days; and what the lake could not tell of."""

    schema: str
    tool_version: str
    lake: str
    column: str
    currency: str
    days: float
    recommendations: tuple[dict[str, Any], ...]
    not_judged: tuple[dict[str, str], ...]


def recommend(request: AllocateRequest) -> RecommendResult:
    """Return what would save money in a lake.

    Raises
    ------
    InputError, UnknownName
        No lake or charges, no such column, a currency without a rate.
    """
    lake = Lake(request.lake)
    connection, into = prepare(lake, request.column, period_of(request), request.currency)
    connection.execute(query_text("states"))
    (days,) = connection.execute("SELECT epoch(max(until) - min(since)) / 86400 FROM fleet").fetchone()
    per_month = MONTH_DAYS / days if days else 0.0
    jobs = rows(connection, query_text("job_use"))
    found: list[Recommendation] = []
    missing: list[NotJudged] = []
    if jobs and lake.holds("telemetry"):
        found += idle(jobs, per_month) + oversized(jobs, per_month)
    else:
        missing += [
            NotJudged(kind, "jobs and telemetry of a fleet that the bill knows") for kind in ("idle", "right-size")
        ]
    spots, unknown = spot(jobs, rows(connection, query_text("spot_prices")), per_month)
    found, missing = found + spots, missing + unknown
    if lake.holds("runs"):
        found += repeated(rows(connection, query_text("repeated_runs")), per_month)
    else:
        missing.append(NotJudged("duplicate", "tracked runs (MLflow) with the job they ran in"))
    found.sort(key=lambda one: (-one.high_usd, one.what))
    return RecommendResult(
        "groundplan/finops-recommend/1",
        __version__,
        request.lake,
        request.column,
        into,
        round(days or 0.0, 6),
        tuple(_row(one) for one in found),
        tuple({"kind": one.kind, "needs": one.needs} for one in missing),
    )


def _row(one: Recommendation) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "what": one.what,
        "low_usd": f"{one.low_usd:.2f}",
        "high_usd": f"{one.high_usd:.2f}",
        "evidence": one.evidence,
        "risk": one.risk,
        "command": one.command,
    }
