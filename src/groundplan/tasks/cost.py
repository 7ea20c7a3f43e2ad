"""Task: what a number of accelerators costs for a time."""

from __future__ import annotations

from dataclasses import dataclass

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Host, Price
from groundplan.errors import InputError
from groundplan.evidence import Result, Term

DAYS_PER_MONTH = 30


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


@dataclass(frozen=True, slots=True)
class CostPrice(Result):
    """The price used."""

    usd_per_accelerator_hour: float
    instance: str | None
    provider: str | None
    region: str | None
    purchase: str
    date: str
    evidence: str
    source: str


@dataclass(frozen=True, slots=True)
class CostResult(Result):
    """Cost for the hours asked, and round the clock for a day and for 30 days."""

    schema: str
    headline: str
    cost_usd: float
    per_day_usd: float
    per_month_usd: float
    terms: dict[str, float]
    price: CostPrice
    explain: dict[str, Term]


def cost(request: CostRequest, catalog: Catalog) -> CostResult:
    """Return the bill.

    Raises
    ------
    InputError
        When neither a price nor anything with a price is named, or sizes cannot be.
    """
    if request.accelerators < 1:
        raise InputError(f"accelerators is {request.accelerators}", "give a whole number of at least 1")
    if not 0.0 <= request.hours < float("inf"):
        raise InputError(f"hours is {request.hours}", "give a number of hours, e.g. 24")
    price = _price(request, catalog)
    rate = price.usd_per_accelerator_hour * request.accelerators
    total, day = rate * request.hours, rate * 24.0
    month = day * DAYS_PER_MONTH
    headline = (
        f"${total:,.2f} for {request.hours:g} h of {request.accelerators} accelerators at "
        f"${price.usd_per_accelerator_hour:,.4g}/h each; round the clock ${day:,.2f} a day, ${month:,.2f} for 30 days"
    )
    tree = Term(
        "cost_usd", total, "USD", "accelerators x hours x price",
        {"accelerators": float(request.accelerators), "hours": request.hours, "price [USD/h]": price.usd_per_accelerator_hour},
        price.source, price.evidence,
    )
    return CostResult("groundplan/cost/1", headline, total, day, month, {"compute": total}, price, {"cost_usd": tree})


def _price(request: CostRequest, catalog: Catalog) -> CostPrice:
    if request.price is not None:
        if not 0.0 <= request.price < float("inf"):
            raise InputError(f"price is {request.price}", "give dollars per accelerator-hour, e.g. 3")
        return CostPrice(request.price, None, None, None, "given", "", "assumed", "given by the user")
    hosts = _hosts(request, catalog)
    offers = [
        (price.usd_per_hour / host.accelerators, price, host)
        for host in hosts
        for price in catalog.prices_of(host.id, option=request.purchase, region=request.region)
    ]
    if not offers:
        raise InputError(
            f"no {request.purchase} price is known for {request.instance or request.accelerator}", "give --price, or another --purchase or --region"
        )
    usd, price, host = min(offers, key=lambda offer: (offer[0], offer[1].region, offer[2].id))
    return _used(usd, price, host)


def _hosts(request: CostRequest, catalog: Catalog) -> list[Host]:
    if request.instance is not None:
        return [catalog.host(request.instance)]
    if request.accelerator is None:
        raise InputError("no price and nothing with a price is named", "give --price, --accelerator or --instance")
    accelerator = catalog.accelerator(request.accelerator).id
    hosts = [
        host
        for host in catalog.hosts.values()
        if host.accelerator == accelerator and request.provider in (None, host.provider)
    ]
    if not hosts:
        raise InputError(f"no host in the catalog carries {accelerator}", "give --price or another accelerator")
    return hosts


def _used(usd: float, price: Price, host: Host) -> CostPrice:
    return CostPrice(usd, host.id, host.provider, price.region, price.option, price.date, price.evidence, price.source)
