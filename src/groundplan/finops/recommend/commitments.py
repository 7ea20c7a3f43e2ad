"""Commitments: how many machines to reserve and for how long, as a linear programme over the hours of usage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Price
from groundplan.errors import MissingExtra, UnknownName
from groundplan.finops.recommend.rows import NotJudged, Recommendation

LEAST_DAYS = 28.0  # of usage; a shorter history says little of a year
FALL = 0.2  # of usage, for the low end
TERMS = {"reserved_1y": "1 year", "reserved_3y": "3 years"}
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Usage:
    """Machines of one type bought on demand in each hour of `hours`, and their mean price. [machines, USD/h]"""

    sku: str
    provider: str
    region: str
    machines: Array
    usd_per_hour: float


def commitments(
    hourly: Sequence[Mapping[str, Any]], catalog: Catalog, days: float, per_month: float
) -> tuple[list[Recommendation], list[NotJudged]]:
    """Return what to reserve of each type of machine.

    Parameters
    ----------
    hourly : sequence of mapping
        sku, provider, region, hour, hours, cost: what was bought on demand.
    catalog : Catalog
        Whose prices tell what a commitment costs, as a share of the price on demand.
    days : float
        That the bill covers.
    per_month : float
        Months in the bill, inverted.
    """
    if days < LEAST_DAYS:
        return [], [NotJudged("commitment", f"{LEAST_DAYS:.0f} days of bill: it has {days:.0f}")]
    found: list[Recommendation] = []
    unknown: list[str] = []
    hours = round(days * 24)
    for usage in _usages(hourly, hours):
        shares = committed_shares(usage, catalog)
        if not shares:
            unknown.append(usage.sku)
            continue
        committed = {term: price.share * usage.usd_per_hour for term, price in shares.items()}
        try:
            best = commit(usage.machines, usage.usd_per_hour, committed)
        except MissingExtra as error:
            return [], [NotJudged("commitment", f"a solver of linear programmes: {error.mend}")]
        found += _recommended(usage, shares, best, per_month)
    missing = (
        [NotJudged("commitment", f"reserved prices of {', '.join(unknown[:5])} in the catalog")] if unknown else []
    )
    return found, missing


@dataclass(frozen=True, slots=True)
class CommittedPrice:
    """Price under a commitment as a share of that on demand, both of the catalog."""

    share: float
    price: Price


def committed_shares(usage: Usage, catalog: Catalog) -> dict[str, CommittedPrice]:
    """Return term -> the cheapest committed price, as a share of the one on demand in the same region."""
    try:
        host = catalog.find("hosts", usage.sku)
    except UnknownName:
        return {}
    on_demand = {price.region: price.usd_per_hour for price in catalog.prices_of(host, "on_demand")}
    found: dict[str, CommittedPrice] = {}
    for term in TERMS:
        offers = [price for price in catalog.prices_of(host, term) if on_demand.get(price.region)]
        here = [price for price in offers if price.region == usage.region] or offers
        if here:
            cheapest = min(here, key=lambda price: price.usd_per_hour / on_demand[price.region])
            found[term] = CommittedPrice(cheapest.usd_per_hour / on_demand[cheapest.region], cheapest)
    return found


def commit(machines: Array, usd_per_hour: float, committed: Mapping[str, float]) -> dict[str, int]:
    """Return how many machines to commit to for each term.

    minimise  sum_h on_demand max(q_h - sum_t x_t, 0) + H sum_t price_t x_t
    where     x of terms longer than a year, together, never exceed the least usage seen: they outlast what is known

    Parameters
    ----------
    machines : array
        Machines used in each hour, q_h.
    usd_per_hour : float
        On demand.
    committed : mapping
        Term -> dollars an hour of each machine, used or not.

    Returns
    -------
    dict
        Term -> machines; whole, as the programme's corners are for whole usage.

    Raises
    ------
    MissingExtra
        scipy is not installed.
    """
    try:
        from scipy.optimize import linprog
    except ImportError as error:
        raise MissingExtra("the plan of commitments", "calibrate") from error
    levels, weights = np.unique(np.floor(machines), return_counts=True)
    terms = list(committed)
    count, uncovered = len(terms), len(levels)
    cost = np.concatenate([[committed[term] * len(machines) for term in terms], usd_per_hour * weights])
    covers = np.hstack([np.full((uncovered, count), -1.0), -np.eye(uncovered)])  # -x - y_l <= -q_l
    limit = -levels
    long = [1.0 if term != "reserved_1y" else 0.0 for term in terms]
    covers = np.vstack([covers, [*long, *np.zeros(uncovered)]])
    solved = linprog(cost, A_ub=covers, b_ub=[*limit, float(levels.min())], method="highs")
    return {term: int(np.floor(x + 1e-6)) for term, x in zip(terms, solved.x[:count], strict=True)}


def saving(machines: Array, usd_per_hour: float, committed: Mapping[str, float], bought: Mapping[str, int]) -> float:
    """Return what commitments would have saved over the hours of usage. [USD]"""
    covered = sum(bought.values())
    on_demand = usd_per_hour * np.minimum(machines, covered).sum()
    return float(on_demand - len(machines) * sum(committed[term] * number for term, number in bought.items()))


def _usages(hourly: Sequence[Mapping[str, Any]], hours: int) -> list[Usage]:
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in hourly:
        grouped[row["sku"], row["region"]].append(row)
    found = []
    for (sku, region), rows in grouped.items():
        used = np.zeros(max(hours, len(rows)))  # hours without a charge used none
        used[: len(rows)] = [row["hours"] for row in rows]
        price = sum(row["cost"] for row in rows) / sum(row["hours"] for row in rows)
        found.append(Usage(sku, str(rows[0]["provider"] or ""), region, used, price))
    return found


def _recommended(
    usage: Usage, shares: Mapping[str, CommittedPrice], bought: Mapping[str, int], per_month: float
) -> list[Recommendation]:
    committed = {term: price.share * usage.usd_per_hour for term, price in shares.items()}
    high = saving(usage.machines, usage.usd_per_hour, committed, bought) * per_month
    low = saving(usage.machines * (1.0 - FALL), usage.usd_per_hour, committed, bought) * per_month
    if not any(bought.values()) or high <= 0.0:
        return []
    parts = [f"{number} for {TERMS[term]}" for term, number in bought.items() if number]
    prices = "; ".join(
        f"{TERMS[term]} at {shares[term].share:.0%} of on demand ({shares[term].price.evidence}: "
        f"{shares[term].price.source})"
        for term, number in bought.items()
        if number
    )
    return [
        Recommendation(
            "commitment",
            f"commit to {' and '.join(parts)} x {usage.sku} in {usage.region or 'its region'}",
            low,
            high,
            f"{usage.machines.min():g} to {usage.machines.max():g} on demand at ${usage.usd_per_hour:.2f}/h; {prices}",
            f"paid used or not; low: with {FALL:.0%} less usage; three years cover only what usage never fell below",
            _command(usage, bought),
        )
    ]


def _command(usage: Usage, bought: Mapping[str, int]) -> str:
    """Return the command that buys the longest of the commitments."""
    term = max((term for term, number in bought.items() if number), key=lambda term: list(TERMS).index(term))
    number, seconds = bought[term], 31_536_000 * (3 if term == "reserved_3y" else 1)
    provider = usage.provider.lower()
    if "aws" in provider or "amazon" in provider:
        offer = (
            f"aws ec2 describe-reserved-instances-offerings --instance-type {usage.sku} --max-duration {seconds} "
            "--query 'ReservedInstancesOfferings[0].ReservedInstancesOfferingId' --output text"
        )
        buy = f"aws ec2 purchase-reserved-instances-offering --instance-count {number}"
        return f"{buy} --reserved-instances-offering-id $({offer})"
    years = "36-month" if term == "reserved_3y" else "12-month"
    if "google" in provider or "gcp" in provider:
        return f"gcloud compute commitments create NAME --region={usage.region} --plan={years} --resources=..."
    return f"ask the provider for {number} x {usage.sku}, {TERMS[term]}"
