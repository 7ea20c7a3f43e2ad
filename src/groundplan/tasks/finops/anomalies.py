"""Task: which days cost what nobody expected, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from groundplan import __version__
from groundplan.evidence import Result
from groundplan.finops.anomalies import find
from groundplan.finops.lake.engine import DUCKDB, query_text, rows
from groundplan.finops.lake.lake import Lake
from groundplan.finops.money import EFFECTIVE, charges, money_text
from groundplan.finops.rules import read_rules


@dataclass(frozen=True, slots=True)
class FoundAnomaly(Result):
    """One shift: the days from `start` to before `end`, its cause, its series, and what it cost beyond the usual."""

    start: str
    end: str
    cause: str
    provider: str
    service: str
    sku: str
    team: str | None
    expected_usd: str
    actual_usd: str
    excess_usd: str
    sigmas: float


@dataclass(frozen=True, slots=True)
class AnomaliesResult(Result):
    """Every shift, the dearest first."""

    schema: str
    tool_version: str
    lake: str
    column: str
    currency: str
    anomalies: tuple[FoundAnomaly, ...]
    daily: tuple[dict[str, str], ...]  # day, cost_usd: what usage cost

    @property
    def problems(self) -> tuple[FoundAnomaly, ...]:
        """Return what makes the answer no."""
        return self.anomalies


def anomalies(
    location: str,
    column: str = EFFECTIVE,
    rules: Path | None = None,
    currency: str | None = None,
    engine: str = DUCKDB,
) -> AnomaliesResult:
    """Return the shifts of spend in a lake.

    Raises
    ------
    InputError, UnknownName
        No lake, no charges, no such column, currencies without a rate, rules that cannot be read.
    """
    lake = Lake(location)
    connection = lake.connect(engine)
    into = charges(lake, connection, column, currency)
    found = tuple(
        FoundAnomaly(
            anomaly.start.isoformat(),
            anomaly.end.isoformat(),
            anomaly.cause,
            anomaly.provider,
            anomaly.service,
            anomaly.sku,
            anomaly.owner or None,
            f"{anomaly.expected:.2f}",
            f"{anomaly.actual:.2f}",
            f"{anomaly.actual - anomaly.expected:.2f}",
            round(min(anomaly.sigmas, 1e6), 2),
        )
        for anomaly in find(connection, read_rules(rules))
    )
    daily = tuple(
        {"day": row["day"].isoformat(), "cost_usd": money_text(row["cost"])}
        for row in rows(connection, query_text("daily_usage"))
    )
    return AnomaliesResult("groundplan/finops-anomalies/1", __version__, location, column, into, found, daily)
