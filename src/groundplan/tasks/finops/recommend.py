"""Task: what to do about waste, dearest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.evidence import Result
from groundplan.finops.allocation import prepare
from groundplan.finops.lake.engine import query_text, rows
from groundplan.finops.lake.lake import Lake
from groundplan.finops.recommend.bill import off_hours, storage_tier, transfer
from groundplan.finops.recommend.commitments import commitments
from groundplan.finops.recommend.jobs import idle, idle_policy, oversized, spot
from groundplan.finops.recommend.rows import NotJudged, Recommendation
from groundplan.finops.recommend.runs import early_stop, repeated
from groundplan.tasks.finops.allocate import AllocateRequest, period_of
from groundplan.tasks.finops.quantise import quantise

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
    note: str


OVERLAP = (
    "Two kinds may be about the same dollars (a job idle and too large, a machine to commit to or to switch off): "
    "do one, and ask again; savings are not to be added up."
)
FORMAT = NotJudged("format", "the formats of what is stored (CSV, JSON, Parquet), which no bill names")


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
    days = _days(connection)
    per_month = MONTH_DAYS / days if days else 0.0
    found: list[Recommendation] = []
    missing: list[NotJudged] = []
    for some, unknown in (
        *_of_jobs(lake, connection, per_month),
        *_of_the_bill(connection, catalog, days, per_month),
        *_of_runs(lake, connection, per_month),
        quantise(
            rows(connection, query_text("services")),
            rows(connection, query_text("service_hardware")),
            catalog,
            per_month,
        ),
    ):
        found, missing = found + some, missing + unknown
    found.sort(key=lambda one: (-one.high_usd, one.what))
    return RecommendResult(
        "groundplan/finops-recommend/1",
        __version__,
        request.lake,
        request.column,
        into,
        round(days, 6),
        tuple(_row(one) for one in found),
        tuple({"kind": one.kind, "needs": one.needs} for one in (*missing, FORMAT)),
        OVERLAP,
    )


Found = tuple[list[Recommendation], list[NotJudged]]


def _days(connection: Any) -> float:
    """Return the days that the charges of the period cover."""
    (first, last) = connection.execute(query_text("period_bounds")).fetchone()
    return (last - first).total_seconds() / 86400 if first else 0.0


def _of_jobs(lake: Lake, connection: Any, per_month: float) -> Iterator[Found]:
    jobs = rows(connection, query_text("job_use"))
    if jobs and lake.holds("telemetry"):
        yield idle_policy(jobs, per_month) + idle(jobs, per_month) + oversized(jobs, per_month), []
    else:
        needs = "jobs and telemetry of a fleet that the bill knows"
        yield [], [NotJudged(kind, needs) for kind in ("idle", "right-size")]
    yield spot(jobs, rows(connection, query_text("spot_prices")), per_month)


def _of_the_bill(connection: Any, catalog: Catalog, days: float, per_month: float) -> Iterator[Found]:
    yield commitments(rows(connection, query_text("committable")), catalog, days, per_month)
    yield off_hours(rows(connection, query_text("quiet_hours")))
    yield storage_tier(rows(connection, query_text("stored")), per_month)
    yield transfer(rows(connection, query_text("transfers")), per_month), []


def _of_runs(lake: Lake, connection: Any, per_month: float) -> Iterator[Found]:
    if not lake.holds("runs"):
        yield (
            [],
            [NotJudged(kind, "tracked runs (MLflow) with the job they ran in") for kind in ("duplicate", "early-stop")],
        )
        return
    yield repeated(rows(connection, query_text("repeated_runs")), per_month), []
    yield early_stop(rows(connection, query_text("run_courses")), per_month)


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
