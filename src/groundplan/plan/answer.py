"""From scored candidates to an answer: what is feasible, what wins, what nearly does, and what binds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from groundplan.estimate.results import DesignResult, Relaxed
from groundplan.evidence import Result
from groundplan.quantities import format_count, format_seconds, format_usd
from groundplan.workload.job import Goal, Objective

INFINITE = float("inf")


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of the goal and how a design measures against it."""

    constraint: str
    unit: str
    bound: float
    of: Callable[[DesignResult], float]

    def excess(self, design: DesignResult) -> float:
        """Needed over allowed; at most 1 where the limit is kept."""
        return self.of(design) / self.bound

    def text(self, needed: float) -> str:
        """Say by how much the limit is missed, or kept."""
        return f"{self.constraint}: needs {_shown(self.unit, needed)}, the limit is {_shown(self.unit, self.bound)}"


@dataclass(frozen=True, slots=True)
class Binding(Result):
    """What keeps the plan from being feasible, or what decided it."""

    constraint: str
    needed: float | None
    limit: float | None
    unit: str
    text: str


def limits_of(goal: Goal) -> list[Limit]:
    """Return the goal's limits in the order a user reads them."""
    limits = []
    if goal.deadline_s is not None:
        limits.append(Limit("deadline", "s", goal.deadline_s, lambda d: d.run_s.value))
    if goal.budget_usd is not None:
        limits.append(Limit("budget", "USD", goal.budget_usd, _cost))
    if goal.max_accelerators is not None:
        limits.append(Limit("max_accelerators", "accelerators", goal.max_accelerators, lambda d: float(d.accelerators)))
    return limits


def _cost(design: DesignResult) -> float:
    """Cost, infinite where no price is known: an unknown cost keeps no budget."""
    return design.cost_usd.value if design.cost_usd is not None else INFINITE


def objective_of(design: DesignResult, objective: Objective) -> float:
    """Return the number the search makes small; unknown is infinite."""
    if objective is Objective.TIME:
        return design.run_s.value
    if objective is Objective.ENERGY:
        return design.energy_j.value if design.energy_j else INFINITE
    if objective is Objective.CARBON:
        return design.carbon_kg.value if design.carbon_kg else INFINITE
    return _cost(design)


def ranked(designs: Sequence[DesignResult], objective: Objective) -> list[DesignResult]:
    """Return the designs best first; ties go to the faster, then to the smaller, then by name."""
    return sorted(
        designs,
        key=lambda d: (
            objective_of(d, objective),
            d.run_s.value,
            d.accelerators,
            d.instance,
            d.purchase,
            d.layout.precision,
        ),
    )


def feasible(designs: Sequence[DesignResult], limits: Sequence[Limit]) -> list[DesignResult]:
    """Return the designs that keep every limit."""
    return [d for d in designs if all(limit.excess(d) <= 1.0 for limit in limits)]


def pareto_front(designs: Sequence[DesignResult]) -> list[DesignResult]:
    """Return the designs that no other beats in both run time and cost, fastest first.

    >>> pareto_front([])
    []
    """
    front: list[DesignResult] = []
    cheapest = INFINITE
    for design in sorted(designs, key=lambda d: (d.run_s.value, _cost(d))):
        if _cost(design) < cheapest:
            front.append(design)
            cheapest = _cost(design)
    return front


def nearest(
    designs: Sequence[DesignResult], limits: Sequence[Limit], objective: Objective
) -> list[tuple[DesignResult, Relaxed]]:
    """Return, for each limit, the best design that misses only that one; then those that miss it least.

    Where giving up one limit is not enough, the design that misses them all least is returned, and they are named.
    """
    found: list[tuple[DesignResult, Relaxed]] = []
    for limit in limits:
        others = [other for other in limits if other is not limit]
        keeping = feasible(designs, others)
        if keeping:
            best = min(keeping, key=lambda d: (limit.excess(d), objective_of(d, objective), d.instance))
        elif designs:
            best = min(designs, key=lambda d: (*_missed(d, limits), objective_of(d, objective), d.instance))
        else:
            continue
        missed = tuple(other.text(other.of(best)) for other in others if other.excess(best) > 1.0)
        needed = limit.of(best)
        found.append((best, Relaxed(limit.constraint, limit.bound, needed, needed / limit.bound, limit.unit, missed)))
    # Answers that relax one limit only come first.
    return sorted(found, key=lambda pair: (len(pair[1].also), pair[1].by))


def _missed(design: DesignResult, limits: Sequence[Limit]) -> tuple[int, float]:
    """Distance from feasible: how many limits are missed, and by what in all, as the logarithm of the product."""
    excesses = [min(limit.excess(design), 1e300) for limit in limits if limit.excess(design) > 1.0]
    return len(excesses), sum(math.log(excess) for excess in excesses)


def _shown(unit: str, value: float) -> str:
    if value == INFINITE:
        return "unknown"
    if unit == "s":
        return format_seconds(value)
    if unit == "USD":
        return format_usd(value)
    if unit in ("tokens", "samples"):
        return f"{format_count(value)} {unit}"
    return f"{value:,.0f} {unit}"
