"""Task: which jobs are behind an owner's row."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from groundplan import __version__
from groundplan.errors import UnknownName
from groundplan.evidence import Result
from groundplan.finops.drill import jobs_of
from groundplan.finops.lake.lake import Lake
from groundplan.finops.money import money_text
from groundplan.finops.rules import read_rules
from groundplan.tasks.finops.allocate import AllocateRequest, allocate, period_of


@dataclass(frozen=True, slots=True)
class JobsResult(Result):
    """The jobs of one owner; they and what is no job sum to `cost_usd`, the amount of the owner's row."""

    schema: str
    tool_version: str
    lake: str
    by: str
    owner: str
    column: str
    currency: str
    start: str | None
    end: str | None
    cost_usd: str
    jobs_usd: str
    idle_usd: str  # accelerators that no job held: of the row (idle) alone
    other_usd: str
    divided_usd: str
    jobs: tuple[dict[str, Any], ...]
    rest: dict[str, Any]  # jobs that are not listed: how many, and what they cost


def owner_jobs(request: AllocateRequest, owner: str, most: int | None = None) -> JobsResult:
    """Return the jobs behind a row of `allocate`; of more than `most` the dearest, and the sum of the rest.

    Raises
    ------
    InputError, UnknownName
        As `allocate`, and for an owner that has no row.
    """
    found = allocate(request)
    row = next((row for row in found.rows if row[request.by] == owner), None)
    if row is None:
        raise UnknownName(request.by, owner, [row[request.by] for row in found.rows])
    period, rules = period_of(request), read_rules(request.rules)
    jobs = jobs_of(Lake(request.lake), request.by, owner, request.column, period, rules, request.currency)
    listed, rest = jobs[:most], jobs[len(jobs[:most]) :]
    of_jobs = sum((job.cost for job in jobs), Decimal(0))
    return JobsResult(
        schema="groundplan/finops-jobs/1",
        tool_version=__version__,
        lake=request.lake,
        by=request.by,
        owner=owner,
        column=request.column,
        currency=found.currency,
        start=found.start,
        end=found.end,
        cost_usd=row["cost_usd"],
        jobs_usd=money_text(of_jobs),
        idle_usd=money_text(Decimal(row["gpus_usd"]) - of_jobs),
        other_usd=row["other_usd"],
        divided_usd=row["divided_usd"],
        jobs=tuple(
            {
                "job": job.job,
                "name": job.name,
                "user": job.user,
                "start": job.start.isoformat(timespec="minutes"),
                "hours": round(job.hours, 6),
                "gpus": job.gpus,
                "cost_usd": money_text(job.cost),
                "useful": None if job.useful is None else round(job.useful, 6),
            }
            for job in listed
        ),
        rest={"jobs": len(rest), "cost_usd": money_text(sum((job.cost for job in rest), Decimal(0)))},
    )
