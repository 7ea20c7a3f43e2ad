"""What owning and renting cost month by month. Everything is linear in what is owned and rented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundplan.finops.tco.brief import TcoBrief
from groundplan.physics.energy import facility_power_w
from groundplan.physics.money import annuity_usd, balance_usd, monthly_rate, present_value_usd

HOURS = 730.0  # of a month: 8,760 / 12
WATTS_PER_KW = 1e3
CATEGORIES = (
    "hardware", "financing", "residual", "power", "colocation", "staff", "maintenance", "cloud",
)  # fmt: skip
COMMITTED_MONTHS = {"reserved_1y": 12, "reserved_3y": 36}


@dataclass(frozen=True, slots=True)
class Drivers:
    """What is owned and rented: servers, how many of their accelerators work on average, accelerators paid for.

    `site` is 1 where anything is owned.
    """

    site: float = 0.0
    hosts: float = 0.0
    working: float = 0.0
    rented: Mapping[str, float] = field(default_factory=dict)


def flows(brief: TcoBrief, values: Mapping[str, float], drivers: Drivers) -> dict[str, NDArray[Any]]:
    """Return the payments [USD] of each category at the ends of the months 0, 1, 2, ...; what comes in is negative."""
    paid = {name: np.zeros(brief.months + 1) for name in CATEGORIES}
    owned = drivers.hosts * brief.host_accelerators
    _bought(brief, values, drivers.hosts, paid)
    idle = facility_power_w(owned, values["idle_power"], drivers.hosts, values["host_power"], values["pue"])
    more = facility_power_w(drivers.working, values["busy_power"] - values["idle_power"], 0.0, 0.0, values["pue"])
    contracted = owned * values["busy_power"] + drivers.hosts * values["host_power"]
    people = drivers.site * values["staff_base"] + owned * values["staff_per_1000"] / 1000
    monthly = {
        "power": (idle + more) / WATTS_PER_KW * HOURS * values["electricity"],
        "colocation": contracted / WATTS_PER_KW * values["colocation"],
        "staff": people * values["salary"] / 12,
        "maintenance": drivers.hosts * values["host_price"] * values["maintenance_share"] / 12,
    }
    for name, usd in monthly.items():
        paid[name][1:] = usd
    for option, count in drivers.rented.items():
        paid["cloud"][1:] += count * _rent(option, values, brief.months)
    return paid


def _bought(brief: TcoBrief, values: Mapping[str, float], hosts: float, paid: dict[str, NDArray[Any]]) -> None:
    """Put in what the hardware costs: at once, by a loan that is paid off at the end at the latest, or by a lease."""
    shares = 1 + values["network_share"] + values["storage_share"] + values["spares_share"]
    capex, last = hosts * values["host_price"] * shares, brief.months
    residual, rate = capex * values["residual_share"], monthly_rate(values["financing_rate"])
    if brief.financing == "lease":
        lent = capex - residual / (1 + rate) ** last
        paid["financing"][:last] = annuity_usd(lent, rate, last) / (1 + rate)  # in advance
        return
    paid["hardware"][0], paid["residual"][last] = capex, -residual
    if brief.financing == "loan":
        term = round(values["financing_years"] * 12)
        paid["financing"][0] = -capex
        paid["financing"][1 : min(term, last) + 1] += annuity_usd(capex, rate, term)
        paid["financing"][last] += balance_usd(capex, rate, term, last)


def _rent(option: str, values: Mapping[str, float], months: int) -> NDArray[Any]:
    """Return what an accelerator costs in each month; a commitment keeps its price for its term."""
    term = COMMITTED_MONTHS.get(option, 1)
    priced = np.arange(months) // term * term
    falls = (1 + values["price_change"]) ** (priced / 12)
    hours = HOURS * (1 + (values["spot_overhead"] if option == "spot" else 0.0))
    return np.asarray(values[option] * falls * hours * (1 + values["cloud_overhead"]))


def present_usd(brief: TcoBrief, values: Mapping[str, float], drivers: Drivers) -> float:
    """Return the present value of all payments [USD]."""
    total = np.sum([*flows(brief, values, drivers).values()], axis=0)
    return float(present_value_usd(total, monthly_rate(values["discount_rate"])))
