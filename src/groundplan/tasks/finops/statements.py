"""Task: a statement for every owner, in files, and the allocation in FOCUS columns."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundplan import __version__
from groundplan.errors import InputError
from groundplan.evidence import Result
from groundplan.finops.allocation import allocate as divide
from groundplan.finops.lake.lake import Lake
from groundplan.finops.money import money_text
from groundplan.finops.rules import read_rules
from groundplan.finops.statements import lines_of, safe_name, summary, write_allocated
from groundplan.tasks.finops.allocate import AllocateRequest, period_of

ALLOCATED = "focus-allocated.csv"


@dataclass(frozen=True, slots=True)
class Statement(Result):
    """What one owner is charged for; the lines sum to `cost_usd`."""

    schema: str
    tool_version: str
    by: str
    owner: str
    start: str | None
    end: str | None
    column: str
    currency: str
    cost_usd: str
    gpu_hours: float
    lines: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class StatementsResult(Result):
    """Which statements were written, and where."""

    schema: str
    tool_version: str
    lake: str
    out: str
    by: str
    currency: str
    total_usd: str
    statements: tuple[dict[str, Any], ...]
    allocated_rows: int


def statements(request: AllocateRequest) -> tuple[Statement, ...]:
    """Return the statement of every owner.

    Raises
    ------
    InputError, UnknownName
        As `allocate`, and for a dimension that has no statements.
    """
    rules, period, lake = read_rules(request.rules), period_of(request), Lake(request.lake)
    found = divide(lake, request.by, request.column, period, rules, request.currency)
    by_owner = lines_of(lake, request.by, request.column, period, rules, found, request.currency)
    return tuple(
        Statement(
            schema="groundplan/finops-statement/1",
            tool_version=__version__,
            by=request.by,
            owner=owner,
            start=request.start.date().isoformat() if request.start else None,
            end=request.end.date().isoformat() if request.end else None,
            column=request.column,
            currency=found.currency,
            cost_usd=money_text(summary(lines)["cost"]),
            gpu_hours=round(summary(lines)["gpu_hours"], 6),
            lines=tuple(
                {
                    "kind": line.kind,
                    "item": line.item,
                    "detail": line.detail,
                    "gpu_hours": round(line.gpu_hours, 6),
                    "cost_usd": money_text(line.cost),
                }
                for line in lines
            ),
        )
        for owner, lines in by_owner.items()
    )


def write_statements(request: AllocateRequest, out: Path, render: Any) -> StatementsResult:
    """Write every statement as HTML and CSV into a new folder, with the allocation in FOCUS columns beside them.

    Parameters
    ----------
    request : AllocateRequest
        As for `allocate`.
    out : Path
        A new folder; it appears whole or not at all.
    render : callable
        Makes text of a statement in a form: `groundplan.render.render`.

    Raises
    ------
    InputError, UnknownName
        As `statements`, and for a folder that is there and not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is not empty", "name a new folder")
    if not out.parent.is_dir():
        raise InputError(f"{out} cannot be made: there is no folder {out.parent}", "make it first")
    found = statements(request)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        written = []
        for place, statement in enumerate(found):
            name = f"{place + 1:03}-{safe_name(statement.owner)}"
            for form in ("html", "csv"):
                (partial / f"{name}.{form}").write_text(render(statement.to_dict(), form), encoding="utf-8")
            written.append({request.by: statement.owner, "cost_usd": statement.cost_usd, "file": f"{name}.html"})
        lake, period = Lake(request.lake), period_of(request)
        count = write_allocated(lake, request.column, period, partial / ALLOCATED, request.currency)
        if out.exists():
            out.rmdir()
        partial.chmod(0o755)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    total = sum((float(row["cost_usd"]) for row in written), 0.0)
    currency = found[0].currency if found else "USD"
    schema = "groundplan/finops-statements/1"
    args = (str(out), request.by, currency, f"{total:.2f}", tuple(written), count)
    return StatementsResult(schema, __version__, request.lake, *args)
