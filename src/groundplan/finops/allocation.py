"""Who pays: the fleet's bill divided over the jobs that held it, everything else by its tags; parts sum to the bill."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from groundplan.errors import GroundplanError, InputError, UnknownName
from groundplan.finops.lake.engine import DUCKDB, query_text, rows
from groundplan.finops.lake.lake import Lake
from groundplan.finops.money import charges
from groundplan.finops.rules import DIMENSIONS, Rules
from groundplan.finops.states import State

IDLE, SHARED, UNKNOWN, UNUSED = "(idle)", "(shared)", "(unknown)", "(unused commitment)"
SPECIAL = (IDLE, SHARED, UNKNOWN, UNUSED)
# From where on an accelerator counts as what (assumed: between what contexts, notebooks, loaders, collectives show).
THRESHOLDS = {
    "idle_engine": 0.01,  # share of time with a kernel
    "process_bytes": 400 * 2.0**20,  # a CUDA context alone holds about as much
    "low_engine": 0.24,
    "starved_engine": 0.80,
    "communication_tensor": 0.20,
    "communication_dram": 0.26,
    "communication_bytes_per_s": 20e9,
}


@dataclass(frozen=True, slots=True)
class Period:
    """From an instant to before another."""

    start: datetime = datetime(1970, 1, 1)
    end: datetime = datetime(9999, 1, 1)


@dataclass(frozen=True, slots=True)
class Share:
    """What one owner pays: for accelerators its jobs held, for everything else, and what was divided among all."""

    owner: str
    gpus: Decimal
    other: Decimal
    divided: Decimal
    gpu_hours: float

    @property
    def cost(self) -> Decimal:
        """Return the whole."""
        return self.gpus + self.other + self.divided


@dataclass(frozen=True, slots=True)
class Allocation:
    """Every charge of a period with its owner: the shares sum to `total`, exactly."""

    dimension: str
    currency: str
    total: Decimal
    shares: tuple[Share, ...]
    state_cost: dict[State, Decimal]  # of accelerators, all states: sums to what the fleet cost
    state_gpu_hours: dict[State, float]


def allocate(
    lake: Lake,
    dimension: str,
    column: str,
    period: Period,
    rules: Rules,
    currency: str | None = None,
    engine: str = DUCKDB,
) -> Allocation:
    """Divide the charges of a period.

    A node's charge is divided over the jobs on it by accelerator-seconds; what no job held is idle. Other charges
    belong to whom their tags name, else to everybody (no resource, tax, credits) or to nobody known.

    Raises
    ------
    UnknownName
        No such dimension or column.
    InputError
        Nothing was charged in the period, or a currency has no rate.
    GroundplanError
        The parts do not sum to the bill.
    """
    if dimension not in DIMENSIONS:
        raise UnknownName("dimension", dimension, DIMENSIONS)
    connection, into = prepare(lake, column, period, currency, engine)
    (total,) = connection.execute(query_text("period_total")).fetchone()
    if total is None:
        raise InputError(
            f"nothing was charged from {period.start:%Y-%m-%d} to {period.end:%Y-%m-%d}", "widen the period"
        )
    connection.execute(query_text("states"))
    (fleet,) = connection.execute("SELECT coalesce(sum(cost), 0) FROM fleet").fetchone()
    gpus, hours = _of_jobs(connection, dimension, rules)
    other = _of_charges(connection, dimension, rules)
    gpus[IDLE] += fleet - sum(gpus.values(), Decimal(0))
    state_cost, state_hours = _states(connection, gpus[IDLE], fleet)
    hours[IDLE] += state_hours[State.UNALLOCATED]
    shares = _divided(gpus, other, hours, rules)
    if sum((share.cost for share in shares), Decimal(0)) != total:
        raise GroundplanError("the parts do not sum to the bill", "please report this, with the lake's manifest")
    return Allocation(dimension, into, total, shares, state_cost, state_hours)


def prepare(
    lake: Lake, column: str, period: Period, currency: str | None = None, engine: str = DUCKDB
) -> tuple[Any, str]:
    """Return an engine on which the fleet's bill of a period is divided into pieces of jobs, and the currency.

    Raises
    ------
    InputError, UnknownName
        No charges, no such column, or a currency without a rate.
    """
    connection = lake.connect(engine)
    into = charges(lake, connection, column, currency)
    for name, value in {"period_start": period.start, "period_end": period.end, **THRESHOLDS}.items():
        connection.execute(f"SET VARIABLE {name} = ?", [value])
    connection.execute(query_text("fleet"))
    return connection, into


def _of_jobs(connection: Any, dimension: str, rules: Rules) -> tuple[dict[str, Decimal], dict[str, float]]:
    """Return cost and accelerator-hours of the fleet by owner of the jobs that held it."""
    cost: dict[str, Decimal] = defaultdict(Decimal)
    hours: dict[str, float] = defaultdict(float)
    for job in rows(connection, query_text("job_costs")):
        owner = rules.of_job(dimension, job) or UNKNOWN
        cost[owner] += job["cost"]
        hours[owner] += job["gpu_s"] / 3600
    return cost, hours


def _of_charges(connection: Any, dimension: str, rules: Rules) -> dict[str, Decimal]:
    """Return what is no node of the fleet by owner."""
    paths = ['$."' + key.replace('"', '\\"') + '"' for key in rules.tags.get(dimension, ())]
    connection.execute("SET VARIABLE tag_paths = ?", [paths])
    cost: dict[str, Decimal] = defaultdict(Decimal)
    for charge in rows(connection, query_text("other_charges")):
        owner = rules.of_charge(dimension, charge["tags"] or (), charge["account"])
        if owner is None and charge["unused"]:
            owner = UNUSED
        elif owner is None:
            everybody = not charge["has_resource"] or charge["category"] in ("Tax", "Credit", "Adjustment", "Purchase")
            owner = SHARED if everybody else UNKNOWN
        cost[owner] += charge["cost"] or Decimal(0)
    return cost


def _states(connection: Any, idle: Decimal, fleet: Decimal) -> tuple[dict[State, Decimal], dict[State, float]]:
    """Return cost and accelerator-hours by state; rounding goes to the largest state, so that they sum to the fleet."""
    found = rows(connection, query_text("state_sums"))
    cost = {state: Decimal(0) for state in State}
    hours = dict.fromkeys(State, 0.0)
    for row in found:
        cost[State(row["state"])] = Decimal(repr(row["cost"])).quantize(Decimal("1e-12"))
        hours[State(row["state"])] = row["gpu_s"] / 3600
    (capacity,) = connection.execute(
        "SELECT coalesce(sum(gpus * (epoch(until) - epoch(since))), 0) FROM fleet"
    ).fetchone()
    hours[State.UNALLOCATED] = capacity / 3600 - sum(hours.values())
    cost[State.UNALLOCATED] = idle
    largest = max(cost, key=lambda state: cost[state])
    cost[largest] += fleet - sum(cost.values(), Decimal(0))
    return cost, hours


def _divided(
    gpus: Mapping[str, Decimal], other: Mapping[str, Decimal], hours: Mapping[str, float], rules: Rules
) -> tuple[Share, ...]:
    """Return the shares, dearest first; shared and idle cost divided as the rules say, to the last digit."""
    names = [*dict.fromkeys([*gpus, *other])]
    owners = sorted(name for name in names if name not in SPECIAL)
    gpus, other = dict(gpus), dict(other)
    divided: dict[str, Decimal] = defaultdict(Decimal)
    basis = {name: gpus.get(name, Decimal(0)) + other.get(name, Decimal(0)) for name in owners}
    for special, way in ((IDLE, rules.idle), (SHARED, rules.shared)):
        amount = gpus.get(special, Decimal(0)) + other.get(special, Decimal(0))
        if way == "own" or not owners:
            continue
        gpus.pop(special, None)
        other.pop(special, None)
        for name, part in split(amount, basis if way == "proportional" else dict.fromkeys(owners, Decimal(1))).items():
            divided[name] += part
    present = [name for name in names if name in gpus or name in other or name in divided]
    shares = [
        Share(name, gpus.get(name, Decimal(0)), other.get(name, Decimal(0)), divided[name], hours.get(name, 0.0))
        for name in present
    ]
    return tuple(sorted(shares, key=lambda share: (-share.cost, share.owner)))


def split(amount: Decimal, basis: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Divide an amount in proportion to a basis so that the parts sum to it exactly; the largest takes the rounding.

    >>> split(Decimal("100"), {"a": Decimal(1), "b": Decimal(2)})
    {'a': Decimal('33.333333333333'), 'b': Decimal('66.666666666667')}
    """
    positive = {name: max(part, Decimal(0)) for name, part in basis.items()}
    whole = sum(positive.values(), Decimal(0))
    if not whole:
        positive, whole = dict.fromkeys(basis, Decimal(1)), Decimal(len(basis))
    parts = {name: (amount * part / whole).quantize(Decimal("1e-12")) for name, part in positive.items()}
    largest = max(parts, key=lambda name: parts[name])
    parts[largest] += amount - sum(parts.values(), Decimal(0))
    return parts
