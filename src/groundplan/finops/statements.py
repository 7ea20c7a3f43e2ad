"""What each owner is charged for, line by line; the lines of a statement sum to the owner's share of the bill."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from groundplan.errors import UnknownName
from groundplan.finops.allocation import IDLE, SHARED, SPECIAL, UNKNOWN, Allocation, Period, prepare
from groundplan.finops.lake.engine import literal, query_text, rows
from groundplan.finops.lake.lake import Lake
from groundplan.finops.rules import TAGS, Rules

DIVIDED = "its part of shared and idle cost"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a statement: a job, or a service."""

    kind: str  # job, service, divided
    item: str
    detail: str
    gpu_hours: float
    cost: Decimal


def lines_of(
    lake: Lake, dimension: str, column: str, period: Period, rules: Rules, allocation: Allocation, currency: str | None
) -> Mapping[str, list[Line]]:
    """Return the lines of every owner that is no special row, dearest first.

    Raises
    ------
    UnknownName
        Statements are of owners that tags or jobs name.
    """
    if dimension not in TAGS:
        raise UnknownName("owner of statements", dimension, TAGS)
    connection, _ = prepare(lake, column, period, currency)
    found: dict[str, list[Line]] = defaultdict(list)
    for job in rows(connection, query_text("job_costs")):
        owner = rules.of_job(dimension, job) or UNKNOWN
        detail = " ".join(part for part in (job["name"], job["user"]) if part)
        found[owner].append(Line("job", str(job["job_id"]), detail, job["gpu_s"] / 3600, job["cost"]))
    services: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    paths = ['$."' + key.replace('"', '\\"') + '"' for key in rules.tags.get(dimension, ())]
    connection.execute("SET VARIABLE tag_paths = ?", [paths])
    for row in rows(connection, query_text("owner_charges")):
        charged = rules.of_charge(dimension, row["tags"] or (), row["account"])
        if charged is not None:
            services[(charged, row["service"], row["sku"])] += row["cost"] or Decimal(0)
    for (owner, service, sku), cost in services.items():
        found[owner].append(Line("service", service, sku, 0.0, cost))
    for share in allocation.shares:
        if share.divided:
            found[share.owner].append(Line("divided", DIVIDED, f"{IDLE} {SHARED}", 0.0, share.divided))
    return {
        owner: sorted(lines, key=lambda line: (-line.cost, line.item))
        for owner, lines in sorted(found.items())
        if owner not in SPECIAL
    }


def write_allocated(lake: Lake, column: str, period: Period, target: Path, currency: str | None) -> int:
    """Write the fleet's charges split over jobs, in FOCUS columns, as CSV; return how many rows."""
    connection, _ = prepare(lake, column, period, currency)
    connection.execute("SET preserve_insertion_order = true")
    connection.execute(query_text("as_text"))
    sql = query_text("allocated")
    found = connection.execute(f"COPY ({sql}) TO {literal(str(target))} (FORMAT csv, HEADER)").fetchone()
    return int(found[0])


def safe_name(owner: str) -> str:
    """Return a file name for an owner: letters, digits, dots and dashes.

    >>> safe_name("../Vision & Speech")
    'Vision-Speech'
    """
    kept = "".join(mark if mark.isalnum() or mark in "-_" else " " for mark in owner)
    return "-".join(kept.split()) or "owner"


def summary(lines: list[Line]) -> dict[str, Any]:
    """Return what a statement's lines add up to."""
    return {"cost": sum((line.cost for line in lines), Decimal(0)), "gpu_hours": sum(line.gpu_hours for line in lines)}
