"""Task: who pays, and what was idle."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from groundplan import __version__
from groundplan.errors import UnknownName
from groundplan.evidence import Result
from groundplan.finops.allocation import THRESHOLDS, Period, Share
from groundplan.finops.allocation import allocate as divide
from groundplan.finops.lake.engine import DUCKDB
from groundplan.finops.lake.lake import Lake
from groundplan.finops.money import EFFECTIVE, money_text
from groundplan.finops.rules import read_rules
from groundplan.finops.states import IDLE, State


@dataclass(frozen=True, slots=True)
class AllocateRequest:
    """Whose costs, of which lake, column and period, by which rules."""

    lake: str
    by: str = "team"
    column: str = EFFECTIVE
    start: datetime | None = None
    end: datetime | None = None
    rules: Path | None = None
    currency: str | None = None
    engine: str = DUCKDB


@dataclass(frozen=True, slots=True)
class AllocateResult(Result):
    """The bill by owner; rows sum to `total_usd`, states to what the fleet cost."""

    schema: str
    tool_version: str
    lake: str
    by: str
    column: str
    currency: str
    start: str | None
    end: str | None
    total_usd: str
    rows: tuple[dict[str, Any], ...]
    idle_usd: dict[str, str]
    states: tuple[dict[str, Any], ...]
    rules: dict[str, Any]
    thresholds: dict[str, float]


def allocate(request: AllocateRequest) -> AllocateResult:
    """Divide the bill of a period by team, project, user, experiment, model or job.

    Raises
    ------
    InputError, UnknownName
        As `finops.allocation.allocate`, and for rules that cannot be read.
    """
    rules = read_rules(request.rules)
    lake = Lake(request.lake)
    found = divide(lake, request.by, request.column, period_of(request), rules, request.currency, request.engine)
    return AllocateResult(
        schema="groundplan/finops-allocate/1",
        tool_version=__version__,
        lake=request.lake,
        by=request.by,
        column=request.column,
        currency=found.currency,
        start=_day(request.start),
        end=_day(request.end),
        total_usd=money_text(found.total),
        rows=tuple(_row(request.by, share) for share in found.shares),
        idle_usd={state.value: money_text(found.state_cost[state]) for state in IDLE},
        states=tuple(
            {
                "state": state.value,
                "cost_usd": money_text(found.state_cost[state]),
                "gpu_hours": round(found.state_gpu_hours[state], 6),
            }
            for state in State
        ),
        rules={"shared": rules.shared, "idle": rules.idle},
        thresholds=dict(THRESHOLDS),
    )


def narrowed(answer: Mapping[str, Any], only: Collection[str]) -> dict[str, Any]:
    """Return an allocation of which some rows alone are shown; every total stays what it was.

    Parameters
    ----------
    answer : mapping
        The result of `allocate`, as JSON.
    only : collection of str
        Owners, states, or both; where none of a kind is named, all of it is shown.

    Raises
    ------
    UnknownName
        A name is neither the owner of a row nor a state.
    """
    by, rows, states = answer["by"], answer["rows"], answer["states"]
    known = [*(row[by] for row in rows), *(row["state"] for row in states)]
    for name in only:
        if name not in known:
            raise UnknownName(f"{by} or state", name, known)
    kept = [row for row in rows if row[by] in only] or list(rows)
    of_states = [row for row in states if row["state"] in only] or list(states)
    shown = {
        "usd": money_text(sum((Decimal(row["cost_usd"]) for row in kept), Decimal(0))),
        "states_usd": money_text(sum((Decimal(row["cost_usd"]) for row in of_states), Decimal(0))),
        "fleet_usd": money_text(sum((Decimal(row["cost_usd"]) for row in states), Decimal(0))),
    }
    return {**answer, "rows": kept, "states": of_states, **({"shown": shown} if only else {})}


def period_of(request: AllocateRequest) -> Period:
    """Return the period asked for; open where nothing is said."""
    return Period(request.start or Period().start, request.end or Period().end)


def _row(by: str, share: Share) -> dict[str, Any]:
    parts = {"gpus_usd": share.gpus, "other_usd": share.other, "divided_usd": share.divided}
    return {
        by: share.owner,
        "cost_usd": money_text(share.cost),
        **{name: money_text(amount) for name, amount in parts.items()},
        "gpu_hours": round(share.gpu_hours, 6),
    }


def _day(at: datetime | None) -> str | None:
    return at.date().isoformat() if at else None
