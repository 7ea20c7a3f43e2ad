"""Task: what a number of accelerators costs for a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Host, Price
from groundplan.errors import InputError, UnknownName
from groundplan.evidence import Evidence, Result, Term, total_of
from groundplan.plan.scoring import age_days
from groundplan.plan.warnings import STALE_DAYS

HOURS_PER_DAY = 24.0
DAYS_PER_MONTH = 30
OPTIONS = ("on_demand", "spot", "reserved_1y", "reserved_3y", "owned")


@dataclass(frozen=True, slots=True)
class CostRequest:
    """`accelerators` for `hours`, at a price per accelerator-hour or at the catalog's for what is named."""

    accelerators: int
    hours: float = 24.0
    price: float | None = None  # USD per accelerator-hour
    accelerator: str | None = None
    provider: str | None = None
    instance: str | None = None
    purchase: str = "on_demand"
    region: str | None = None
    as_of: str | None = None  # ISO date against which the price ages; None = today


@dataclass(frozen=True, slots=True)
class CostPrice(Result):
    """The price used; `usd_per_hour` is what all hosts cost together."""

    usd_per_accelerator_hour: float
    usd_per_hour: float
    instance: str | None
    provider: str | None
    region: str | None
    purchase: str
    date: str
    age_days: int | None
    evidence: str
    source: str


@dataclass(frozen=True, slots=True)
class CostResult(Result):
    """Cost for the hours asked, and round the clock for a day and for 30 days. The terms sum to `cost_usd`."""

    schema: str
    headline: str
    as_of: str
    cost_usd: float
    per_day_usd: float
    per_month_usd: float
    terms: dict[str, float]
    price: CostPrice
    warnings: tuple[str, ...]
    explain: dict[str, Term]


@dataclass(frozen=True, slots=True)
class _Bill:
    """A price, and how many accelerators it makes one pay for: whole hosts, where hosts are sold."""

    price: CostPrice
    paid: int


def cost(request: CostRequest, catalog: Catalog) -> CostResult:
    """Return the bill. Hosts are sold whole: accelerators beyond those asked for are billed as `unused`.

    Raises
    ------
    InputError, UnknownName
        When neither a price nor anything with a price is named, or sizes cannot be.
    """
    _check(request)
    as_of = request.as_of or date.today().isoformat()
    bill = _given(request) if request.price is not None else _cheapest(request, catalog, as_of)
    price, unit = bill.price, bill.price.usd_per_accelerator_hour
    parts = {"compute": request.accelerators, "unused": bill.paid - request.accelerators}
    children = tuple(
        Term(
            name,
            count * request.hours * unit,
            "USD",
            "accelerators x hours x price",
            {"accelerators": float(count), "hours": request.hours, "price [USD/h]": unit},
            price.source,
            price.evidence,
        )
        for name, count in parts.items()
        if count or name == "compute"
    )
    tree = total_of("cost_usd", "USD", children)
    day = price.usd_per_hour * HOURS_PER_DAY
    return CostResult(
        schema="groundplan/cost/1",
        headline=_headline(request, bill, tree.value),
        as_of=as_of,
        cost_usd=tree.value,
        per_day_usd=day,
        per_month_usd=day * DAYS_PER_MONTH,
        terms={child.name: child.value for child in children},
        price=price,
        warnings=_warnings(price, as_of),
        explain={"cost_usd": tree},
    )


def _check(request: CostRequest) -> None:
    if request.accelerators < 1:
        raise InputError(f"accelerators is {request.accelerators}", "give a whole number of at least 1")
    if not 0.0 <= request.hours < math.inf:
        raise InputError(f"hours is {request.hours}", "give a number of hours, e.g. 24")
    if request.price is not None and not 0.0 <= request.price < math.inf:
        raise InputError(f"price is {request.price}", "give dollars per accelerator-hour, e.g. 3")
    if request.purchase not in OPTIONS:
        raise UnknownName("purchase option", request.purchase, OPTIONS)
    if request.as_of is not None:
        try:
            date.fromisoformat(request.as_of)
        except ValueError:
            raise InputError(f"as-of {request.as_of!r} is no date", "write year-month-day, e.g. 2026-11-23") from None


def _given(request: CostRequest) -> _Bill:
    unit = request.price or 0.0
    whole = unit * request.accelerators
    price = CostPrice(unit, whole, None, None, None, "given", "", None, Evidence.ASSUMED.value, "given by the user")
    return _Bill(price, request.accelerators)


def _cheapest(request: CostRequest, catalog: Catalog, as_of: str) -> _Bill:
    """Find the hosts that carry the accelerators for least, whole hosts counted."""
    offers = [
        (price.usd_per_hour * _hosts_needed(request, host), price.region, host.id, price, host)
        for host in _hosts(request, catalog)
        for price in catalog.prices_of(host.id, option=request.purchase, region=request.region)
    ]
    if not offers:
        named = request.instance or request.accelerator
        where = f" in {request.region}" if request.region else ""
        raise InputError(
            f"no {request.purchase} price is known for {named}{where}",
            "give --price, or another --purchase or --region",
        )
    total, _, _, price, host = min(offers, key=lambda offer: offer[:3])
    return _Bill(_used(price, host, total, as_of), _hosts_needed(request, host) * host.accelerators)


def _hosts_needed(request: CostRequest, host: Host) -> int:
    return math.ceil(request.accelerators / host.accelerators)


def _hosts(request: CostRequest, catalog: Catalog) -> list[Host]:
    if request.instance is not None:
        return [catalog.host(request.instance)]
    if request.accelerator is None:
        raise InputError("no price and nothing with a price is named", "give --price, --accelerator or --instance")
    accelerator = catalog.accelerator(request.accelerator).id
    carrying = [host for host in catalog.hosts.values() if host.accelerator == accelerator]
    hosts = [host for host in carrying if request.provider in (None, host.provider)]
    if hosts:
        return hosts
    if carrying:
        offering = ", ".join(sorted({host.provider for host in carrying}))
        raise InputError(f"{request.provider} offers no {accelerator}", f"it is offered by {offering}")
    raise InputError(f"no host in the catalog carries {accelerator}", "give --price or another accelerator")


def _used(price: Price, host: Host, total: float, as_of: str) -> CostPrice:
    return CostPrice(
        usd_per_accelerator_hour=price.usd_per_hour / host.accelerators,
        usd_per_hour=total,
        instance=host.id,
        provider=host.provider,
        region=price.region,
        purchase=price.option,
        date=price.date,
        age_days=age_days(price, as_of),
        evidence=price.evidence,
        source=price.source,
    )


def _headline(request: CostRequest, bill: _Bill, total: float) -> str:
    price = bill.price
    month = price.usd_per_hour * HOURS_PER_DAY * DAYS_PER_MONTH
    asked = f"{request.accelerators} accelerator{'s' if request.accelerators > 1 else ''}"
    if bill.paid > request.accelerators:
        asked += f" (whole hosts: {bill.paid} are paid for)"
    return (
        f"${total:,.2f} for {request.hours:g} h of {asked} at ${price.usd_per_accelerator_hour:,.4g}/h each; "
        f"round the clock ${price.usd_per_hour * HOURS_PER_DAY:,.2f} a day, ${month:,.2f} for {DAYS_PER_MONTH} days"
    )


def _warnings(price: CostPrice, as_of: str) -> tuple[str, ...]:
    if price.instance is None:
        return ()
    if price.age_days is None:
        return (f"the {price.purchase} price of {price.instance} carries no date",)
    if price.age_days > STALE_DAYS:
        return (f"the {price.purchase} price of {price.instance} is {price.age_days} days old on {as_of}",)
    return ()
