"""The ways to get the accelerators, each as cheap as it can be, and what would change the order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from groundplan.finops.tco.brief import RENTED, TcoBrief
from groundplan.finops.tco.flows import COMMITTED_MONTHS, Drivers, flows, present_usd
from groundplan.physics.money import best_base, break_even_utilization, mean_within

ON_PREMISE, HYBRID = "on_premise", "hybrid"
LEAST_USD = 0.01
"""An assumption that moves less than a cent says nothing."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way: servers owned, accelerators committed in the cloud, what follows, and its present value."""

    name: str
    hosts: int
    committed: int
    drivers: Drivers
    npv_usd: float

    @property
    def firm(self) -> bool:
        """Whether nobody can take the accelerators away."""
        return not self.drivers.rented.get("spot")


@dataclass(frozen=True, slots=True)
class Swing:
    """What one assumption does at the ends of its range: present value that owning saves over renting, best split."""

    name: str
    low: float
    high: float
    saved_at_low: float
    saved_at_high: float
    hosts_at_low: int
    hosts_at_high: int

    @property
    def size(self) -> float:
        """How far the saving moves."""
        return abs(self.saved_at_high - self.saved_at_low)


class Case:
    """The question under one set of assumptions."""

    def __init__(self, brief: TcoBrief, values: Mapping[str, float]) -> None:
        self.brief = brief
        self.values = values
        self.demand = brief.usage.used * brief.accelerators * values["demand_factor"]
        self.weights = brief.usage.weights
        self.mean = float(mean_within(self.demand, self.weights, np.inf))

    def owning(self, name: str, hosts: int) -> Way:
        """Return owning so many servers, the rest of the demand rented as it comes."""
        working = float(mean_within(self.demand, self.weights, hosts * self.brief.host_accelerators))
        rest = max(self.mean - working, 0.0)
        return self._way(name, hosts, 0, Drivers(float(hosts > 0), hosts, working, {self.brief.burst: rest}))

    def renting(self, option: str) -> Way:
        """Return renting by one option; a commitment covers the base that makes it cheapest."""
        if option not in COMMITTED_MONTHS:
            return self._way(option, 0, 0, Drivers(rented={option: self.mean}))
        base, burst = (present_usd(self.brief, self.values, Drivers(rented={o: 1.0})) for o in (option, "on_demand"))
        best = float(best_base(self.demand, self.weights, base, burst))
        tried = [self._committing(option, count) for count in _around(best, self.brief.step)]
        return min(tried, key=lambda way: way.npv_usd)

    def hybrid(self) -> Way:
        """Return owning the base and renting the rest, split where it is cheapest.

        The present value is convex in the servers, so the best whole number of them is beside the best fraction;
        what a site costs however small is saved only by owning nothing.
        """
        host = present_usd(self.brief, self.values, Drivers(hosts=1.0))
        working = present_usd(self.brief, self.values, Drivers(working=1.0))
        rented = present_usd(self.brief, self.values, Drivers(rented={self.brief.burst: 1.0}))
        size = self.brief.host_accelerators
        best = float(best_base(self.demand, self.weights, host / size, rented - working))
        tried = [self.owning(HYBRID, 0), *(self.owning(HYBRID, count // size) for count in _around(best, size))]
        return min(tried, key=lambda way: way.npv_usd)

    def on_premise(self) -> Way:
        """Return owning the whole fleet."""
        return self.owning(ON_PREMISE, -(-self.brief.accelerators // self.brief.host_accelerators))

    def ways(self) -> list[Way]:
        """Return all ways that have a price, cheapest first."""
        rented = [self.renting(option) for option in self.options()]
        return sorted([self.on_premise(), self.hybrid(), *rented], key=lambda way: way.npv_usd)

    def options(self) -> list[str]:
        """Return the options to rent that have a price; commitments need one for what is beyond them."""
        priced = [option for option in RENTED if option in self.values]
        return [option for option in priced if option not in COMMITTED_MONTHS or "on_demand" in priced]

    def saved_usd(self) -> float:
        """Return the present value that owning the whole fleet saves over renting as it comes."""
        return self.renting(self.brief.burst).npv_usd - self.on_premise().npv_usd

    def break_even_utilization(self, option: str) -> float:
        """Return the steady utilisation of the whole fleet at which owning and renting it cost the same."""
        hosts = self.on_premise().hosts
        fixed = present_usd(self.brief, self.values, Drivers(1.0, hosts))
        owned = present_usd(self.brief, self.values, Drivers(working=self.brief.accelerators))
        rented = present_usd(self.brief, self.values, Drivers(rented={option: self.brief.accelerators}))
        return float(break_even_utilization(fixed, owned, rented))

    def break_even_month(self, way: Way, option: str) -> int | None:
        """Return the first month from which on `way` has cost less, in sum, than renting; None where it never has."""
        own, rent = (
            np.cumsum(np.sum([*flows(self.brief, self.values, one.drivers).values()], axis=0))
            for one in (way, self.renting(option))
        )
        dearer = np.flatnonzero(own > rent)
        first = 0 if not len(dearer) else int(dearer[-1]) + 1
        return first if first <= self.brief.months else None

    def _committing(self, option: str, count: int) -> Way:
        rest = self.mean - float(mean_within(self.demand, self.weights, count))
        return self._way(option, 0, count, Drivers(rented={option: count, "on_demand": max(rest, 0.0)}))

    def _way(self, name: str, hosts: int, committed: int, drivers: Drivers) -> Way:
        return Way(name, hosts, committed, drivers, present_usd(self.brief, self.values, drivers))


def _around(count: float, step: int) -> Iterable[int]:
    """Return the multiples of a step on both sides of a count."""
    below = int(count // step) * step
    return below, below + step


def swings(brief: TcoBrief) -> list[Swing]:
    """Return what each assumption does between its low and its high, all others as they are; largest first."""
    values, found = brief.values(), []
    for one in brief.assumptions:
        if one.value is None or one.low is None or one.high is None or one.low == one.high:
            continue
        low, high = (Case(brief, values | {one.name: end}) for end in (one.low, one.high))
        found.append(
            Swing(
                one.name, one.low, one.high, low.saved_usd(), high.saved_usd(), low.hybrid().hosts, high.hybrid().hosts
            )
        )
    moved = [swing for swing in found if swing.size >= LEAST_USD or swing.hosts_at_low != swing.hosts_at_high]
    return sorted(moved, key=lambda swing: (-swing.size, swing.name))
