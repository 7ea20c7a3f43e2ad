"""The jobs behind an owner's row: each with what it cost and how much of its time was useful."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from groundplan.finops.allocation import UNKNOWN, Period, prepare
from groundplan.finops.lake.engine import query_text, rows
from groundplan.finops.lake.lake import Lake
from groundplan.finops.rules import Rules


@dataclass(frozen=True, slots=True)
class OwnersJob:
    """One job in a period. `useful` is the share of its measured time that was busy, None where nothing was measured.

    `hours` is how long it ran, the periods before and after included; `cost` is of the period alone.
    """

    job: str
    name: str
    user: str
    start: datetime
    hours: float
    gpus: int
    cost: Decimal
    useful: float | None


def jobs_of(
    lake: Lake, dimension: str, owner: str, column: str, period: Period, rules: Rules, currency: str | None
) -> list[OwnersJob]:
    """Return the jobs that an owner's accelerators were charged for, dearest first.

    Raises
    ------
    InputError, UnknownName
        No charges, no such column, or a currency without a rate.
    """
    connection, _ = prepare(lake, column, period, currency)
    connection.execute(query_text("states"))
    ran = {row["job_id"]: row for row in rows(connection, query_text("owner_jobs"))}
    found = [
        OwnersJob(
            str(job["job_id"]),
            job["name"] or "",
            job["user"] or "",
            ran[job["job_id"]]["start"],
            ran[job["job_id"]]["hours"],
            int(ran[job["job_id"]]["gpus"]),
            job["cost"],
            ran[job["job_id"]]["useful"],
        )
        for job in rows(connection, query_text("job_costs"))
        if (rules.of_job(dimension, job) or UNKNOWN) == owner
    ]
    return sorted(found, key=lambda job: (-job.cost, job.job))
