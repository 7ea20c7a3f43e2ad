"""Commit to what is always used: capacity by term, as a linear programme over the hours of usage on demand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from shlex import quote
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundplan.finops.recommend.rows import MONTH_HOURS, MOST, Judged, NotJudged, Recommendation

LEAST_DAYS = 28.0  # of bill: a month; less shows neither weekends nor month ends
LOWER = 0.8  # usage that the low end is told for, and that a commitment over three years may meet (assumed)
LEVELS = 400  # of usage that the programme tells apart
LEAST_SHARE = 1e-3  # of what the usage costs on demand
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Term:
    """A way to commit: its price of an hour whether used or not, and whether it outlasts the first year."""

    name: str
    price: float
    firm: bool
    source: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the time ahead: its weight, and usage as a factor of what was billed."""

    weight: float
    factor: float


# Three years: the first as billed; the two after, with even odds, as billed or lower.
STAGES = (Stage(1 / 3, 1.0), Stage(1 / 3, 1.0), Stage(1 / 3, LOWER))


@dataclass(frozen=True, slots=True)
class Usage:
    """What one instance type in one region had on demand: units at once, and for how many hours each."""

    provider: str
    region: str
    instance: str
    units: Floats
    hours: Floats
    rate: float  # paid for a unit-hour
    about: frozenset[str] = frozenset()

    @property
    def spend(self) -> float:
        """Return what it cost in 30 days."""
        return float(self.units @ self.hours / self.hours.sum()) * self.rate * MONTH_HOURS

    def less(self, units: float) -> Usage:
        """Return it without what another commitment covers."""
        left = np.maximum(self.units - units, 0.0)
        return Usage(self.provider, self.region, self.instance, left, self.hours, self.rate, self.about)


def usages(
    rows: Iterable[Mapping[str, Any]], hours: float, names: Mapping[tuple[str, str], frozenset[str]]
) -> list[Usage]:
    """Return usage by instance type, dearest first; hours of the bill without a row had none."""
    found: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["provider"] or "", row["region"] or "", row["instance"]), []).append(row)
    every = []
    for (provider, region, instance), same in found.items():
        units = np.array([0.0, *(row["units"] for row in same)])
        counted = np.array([row["hours"] for row in same], dtype=np.float64)
        weights = np.concatenate([[max(hours - counted.sum(), 0.0)], counted])
        about = names.get((instance, region), frozenset()) | {f"charge:{provider}/{region}/{instance}"}
        every.append(Usage(provider, region, instance, units, weights, same[0]["rate"], about))
    return sorted(every, key=lambda one: (-one.spend, one.instance, one.region))


def best_mix(
    units: Floats, weights: Floats, on_demand: float, terms: Sequence[Term], stages: Sequence[Stage] = STAGES
) -> dict[str, float]:
    """Return how much to commit now by term, so that the cost over all stages is least.

    Minimises ``sum_s w_s (sum_t p_t c_ts + p sum_i h_i o_si)`` with ``sum_t c_ts + o_si >= f_s u_i``: every stage `s`
    pays its commitments and, on demand, what usage exceeds them. A term that is not firm is chosen anew in each stage.

    Parameters
    ----------
    units : array
        Usage, in units at once.
    weights : array
        Hours of each; only their proportion counts.
    on_demand : float
        Price of a unit-hour.
    terms, stages : sequence

    Returns
    -------
    dict
        Term -> units.
    """
    from scipy.sparse import coo_array

    units, shares = _levels(units, weights / weights.sum())
    levels, count = len(units), len(stages)
    firm = [term for term in terms if term.firm]
    yearly = [term for term in terms if not term.firm]
    first_yearly, first_over = len(firm), len(firm) + count * len(yearly)
    prices = [term.price * sum(stage.weight for stage in stages) for term in firm]
    prices += [term.price * stage.weight for stage in stages for term in yearly]
    prices += [on_demand * stage.weight * share for stage in stages for share in shares]
    lines, columns = [], []
    for at in range(count):
        mine = [*range(len(firm)), *(first_yearly + at * len(yearly) + term for term in range(len(yearly)))]
        for level in range(levels):
            line = at * levels + level
            lines += [line] * (len(mine) + 1)
            columns += [*mine, first_over + line]
    covered = coo_array((-np.ones(len(lines)), (lines, columns)), shape=(count * levels, len(prices)))
    needed = -np.concatenate([stage.factor * units for stage in stages])
    solved = import_module("scipy.optimize").linprog(prices, A_ub=covered.tocsr(), b_ub=needed, method="highs")
    found = solved.x[: first_yearly + len(yearly)]  # firm ones, and the first stage's
    return {term.name: float(amount) for term, amount in zip([*firm, *yearly], found, strict=True)}


def hourly_cost(
    units: Floats, weights: Floats, on_demand: float, terms: Sequence[Term], mix: Mapping[str, float]
) -> float:
    """Return what an hour costs on average with commitments: they are paid always, what exceeds them on demand."""
    paid = sum(term.price * mix.get(term.name, 0.0) for term in terms)
    over = np.maximum(units - sum(mix.values()), 0.0)
    return paid + on_demand * float(over @ weights / weights.sum())


def commitments(
    found: Sequence[Usage], prices: Mapping[tuple[str, str], Sequence[Term]], days: float, held: float = 0.0
) -> Judged:
    """Return what to commit to.

    Parameters
    ----------
    found : sequence of Usage
    prices : mapping
        (instance, region) -> terms, their price as a part of the price on demand.
    days : float
        Of bill.
    held : float
        Dollars an hour of commitments that no row of the bill shows yet; they cover usage of each type in proportion.
    """
    if not sum(one.spend for one in found):
        return [], [NotJudged("commitment", "compute charges on demand with an instance type and a quantity in hours")]
    if days < LEAST_DAYS:
        return [], [NotJudged("commitment", f"30 days of bill; the lake has {days:.1f}")]
    if find_spec("scipy") is None:
        return [], [NotJudged("commitment", "scipy: pip install 'groundplan[calibrate]'")]
    whole = sum(one.spend for one in found)
    known = [(one, prices[one.instance, one.region]) for one in found if prices.get((one.instance, one.region))]
    made = []
    for one, terms in known[:MOST]:
        priced = [Term(term.name, term.price * one.rate, term.firm, term.source) for term in terms]
        spared = held * one.spend / whole / min(term.price for term in priced)
        row = _recommended(one.less(spared), priced, days, spared)
        if row is not None and row.high_usd > LEAST_SHARE * whole:
            made.append(row)
    unknown = [one for one in found if not prices.get((one.instance, one.region))]
    return made, _unpriced(unknown, whole)


def _recommended(usage: Usage, terms: Sequence[Term], days: float, spared: float) -> Recommendation | None:
    mix = _whole(best_mix(usage.units, usage.hours, usage.rate, terms))
    if not mix:
        return None
    saved = [
        MONTH_HOURS
        * (
            hourly_cost(usage.units * factor, usage.hours, usage.rate, terms, {})
            - hourly_cost(usage.units * factor, usage.hours, usage.rate, terms, mix)
        )
        for factor in (LOWER, 1.0)
    ]
    total = sum(mix.values())
    used = float(np.minimum(usage.units, total) @ usage.hours / usage.hours.sum()) / total
    of_price = ", ".join(f"{term.name} at {term.price / usage.rate:.0%} of on demand ({term.source})" for term in terms)
    earlier = f"; {spared:.1f} that other commitments cover are taken off" if spared else ""
    return Recommendation(
        "commitment",
        f"{usage.instance} in {usage.region or 'any region'}: commit to "
        + " and ".join(f"{amount} for {name}" for name, amount in mix.items()),
        min(saved),
        max(saved),
        f"{days:.0f} days on demand, {usage.units.max():.0f} at most at once; {used:.0%} of the committed hours would "
        f"have been used; {of_price}{earlier}",
        f"paid whether used or not; the low end is with usage {1 - LOWER:.0%} lower; idle machines are worth more off",
        _command(usage, mix),
        usage.about,
    )


def _whole(mix: Mapping[str, float]) -> dict[str, int]:
    """Return a mix in whole units, no more than it: each term rounds down what those before it leave."""
    found: dict[str, int] = {}
    reached = 0.0
    for name, amount in mix.items():
        reached += amount
        found[name] = math.floor(reached + 1e-6) - sum(found.values())
    return {name: whole for name, whole in found.items() if whole > 0}


def _unpriced(unknown: Sequence[Usage], whole: float) -> list[NotJudged]:
    worth = [one for one in unknown if one.spend > LEAST_SHARE * whole]
    if not worth:
        return []
    names = ", ".join(one.instance for one in worth[:3]) + (f" and {len(worth) - 3} more" if len(worth) > 3 else "")
    needs = f"reserved prices of {names}: import a price list with reserved_1y_usd_per_hour, reserved_3y_usd_per_hour"
    return [NotJudged("commitment", needs)]


def _command(usage: Usage, mix: Mapping[str, int]) -> str:
    provider, instance, region = usage.provider.lower(), quote(usage.instance), quote(usage.region)
    years = 3 if any("3" in name for name in mix) and len(mix) == 1 else 1
    count = sum(mix.values())
    if "aws" in provider or "amazon" in provider:
        return (
            f"aws ec2 describe-reserved-instances-offerings --instance-type {instance} --region {region}; "
            f"aws ec2 purchase-reserved-instances-offering --instance-count {count} --reserved-instances-offering-id ID"
        )
    if "microsoft" in provider or "azure" in provider:
        return (
            f"az reservations reservation-order calculate --sku {instance} --location {region} "
            f"--reserved-resource-type VirtualMachines --quantity {count} --term P{years}Y --billing-scope SUBSCRIPTION"
        )
    if "google" in provider or "gcp" in provider:
        return f"gcloud compute commitments create NAME --region {region} --plan {12 * years}-month --type TYPE"
    return f"ask {usage.provider or 'the provider'} for a reservation of {count} x {usage.instance}"


def _levels(units: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Return usage as no more than `LEVELS` values that keep its mean."""
    values, place = np.unique(units, return_inverse=True)
    weights = np.bincount(place, shares).astype(np.float64)
    if len(values) <= LEVELS:
        return values, weights
    group = np.minimum((np.cumsum(weights) - weights / 2) * LEVELS, LEVELS - 1).astype(np.int64)
    heavy = np.bincount(group, weights).astype(np.float64)
    mean = np.bincount(group, weights * values) / np.where(heavy > 0, heavy, 1.0)
    return mean[heavy > 0], heavy[heavy > 0]
