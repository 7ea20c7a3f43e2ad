"""Task: to own, to rent, or both."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from groundplan import __version__
from groundplan.catalog.catalog import Catalog, load_catalog
from groundplan.evidence import Result
from groundplan.finops.tco.assumptions import Assumed
from groundplan.finops.tco.brief import TcoBrief, read_tco_brief
from groundplan.finops.tco.compare import Case, Swing, Way, swings
from groundplan.finops.tco.demand import UsageSummary
from groundplan.finops.tco.flows import CATEGORIES, HOURS, flows

CENT = Decimal("0.01")
OLD_DAYS = 180


@dataclass(frozen=True, slots=True)
class TcoRequest:
    """A brief (a file, or a mapping of the same shape), and a lake to read the use from."""

    brief: str | Path | Mapping[str, Any]
    sets: tuple[str, ...] = ()
    lake: str | None = None
    as_of: datetime.date | None = None


@dataclass(frozen=True, slots=True)
class TcoResult(Result):
    """All ways, cheapest present value first; where owning and renting meet; what each assumption does."""

    schema: str
    tool_version: str
    catalog_version: str
    as_of: str
    brief: dict[str, Any]
    best: str
    best_firm: str | None
    utilization: UsageSummary
    options: tuple[dict[str, Any], ...]
    break_even: tuple[dict[str, Any], ...]
    sensitivity: tuple[dict[str, Any], ...]
    assumptions: tuple[Assumed, ...]
    notes: tuple[str, ...]


def tco(request: TcoRequest, catalog: Catalog | None = None) -> TcoResult:
    """Compare owning a fleet, renting it, and owning its base.

    Raises
    ------
    InputError, UnknownName
        A brief that cannot be understood, a number that nobody gives, a lake that does not tell the use.
    """
    catalog = catalog or load_catalog()
    brief = read_tco_brief(request.brief, catalog, request.sets, request.as_of, request.lake)
    case = Case(brief, brief.values())
    ways = case.ways()
    owned = case.on_premise()
    return TcoResult(
        schema="groundplan/finops-tco/1",
        tool_version=__version__,
        catalog_version=catalog.version,
        as_of=brief.as_of,
        brief={
            "accelerators": brief.accelerators,
            "host": brief.host,
            "host_accelerators": brief.host_accelerators,
            "months": brief.months,
            "financing": brief.financing,
            "burst": brief.burst,
            "cloud_host": brief.cloud_host,
        },
        best=ways[0].name,
        best_firm=next((way.name for way in ways if way.firm), None),
        utilization=brief.usage.summary(),
        options=tuple(_option(case, way) for way in ways),
        break_even=tuple(_break_even(case, owned, option) for option in case.options()),
        sensitivity=tuple(_swing(swing, case.saved_usd()) for swing in swings(brief)),
        assumptions=tuple(one for one in brief.assumptions if one.value is not None),
        notes=tuple(_notes(case, owned, catalog)),
    )


def _option(case: Case, way: Way) -> dict[str, Any]:
    months = _table(case, way)
    hours = case.mean * HOURS * case.brief.months
    total = months[-1]
    return {
        "name": way.name,
        "owned_hosts": way.hosts,
        "owned_accelerators": way.hosts * case.brief.host_accelerators,
        "committed_accelerators": way.committed,
        "own_share": way.drivers.working / case.mean if case.mean else None,
        "npv_usd": str(_cents(way.npv_usd)),
        "total_usd": total["total"],
        "usd_per_used_hour": float(total["total"]) / hours if hours else None,
        "total": {name: total[name] for name in CATEGORIES},
        "years": _years(months[:-1]),
        "months": months[:-1],
    }


def _table(case: Case, way: Way) -> list[dict[str, Any]]:
    """Return the cash flows by month to the cent, and their total last: rows and columns sum exactly."""
    paid = flows(case.brief, case.values, way.drivers)
    rows = [{name: _cents(paid[name][month]) for name in CATEGORIES} for month in range(case.brief.months + 1)]
    totals = {name: sum((row[name] for row in rows), Decimal(0)) for name in CATEGORIES}
    numbered = [*({"month": month} for month in range(len(rows))), {}]
    return [{**number, **_said(row)} for number, row in zip(numbered, [*rows, totals], strict=True)]


def _years(months: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the cash flows by year; year 0 is what is paid at the start."""
    years: dict[int, dict[str, Decimal]] = {}
    for row in months:
        year = years.setdefault(-(-row["month"] // 12), dict.fromkeys(CATEGORIES, Decimal(0)))
        for name in CATEGORIES:
            year[name] += Decimal(row[name])
    return [{"year": year, **_said(row)} for year, row in years.items()]


def _said(row: Mapping[str, Decimal]) -> dict[str, str]:
    return {**{name: str(usd) for name, usd in row.items()}, "total": str(sum(row.values(), Decimal(0)))}


def _cents(usd: float | np.floating[Any]) -> Decimal:
    return Decimal(repr(float(usd))).quantize(CENT) + Decimal(0)


def _break_even(case: Case, owned: Way, option: str) -> dict[str, Any]:
    """Return where owning all and renting meet; a commitment is paid for used or not, so only its month is told."""
    use = case.break_even_utilization(option) if option in ("on_demand", "spot") else math.nan
    return {
        "against": option,
        "utilization": use if math.isfinite(use) else None,
        "month": case.break_even_month(owned, option),
        "hybrid_month": case.break_even_month(case.hybrid(), option),
    }


def _swing(swing: Swing, saved: float) -> dict[str, Any]:
    return {
        "name": swing.name,
        "low": swing.low,
        "high": swing.high,
        "saved_usd": str(_cents(saved)),
        "saved_at_low_usd": str(_cents(swing.saved_at_low)),
        "saved_at_high_usd": str(_cents(swing.saved_at_high)),
        "hosts_at_low": swing.hosts_at_low,
        "hosts_at_high": swing.hosts_at_high,
        "turns": min(saved, swing.saved_at_low, swing.saved_at_high)
        < 0
        < max(saved, swing.saved_at_low, swing.saved_at_high),
    }


def _notes(case: Case, owned: Way, catalog: Catalog) -> list[str]:
    brief: TcoBrief = case.brief
    said = ["no taxes; depreciation is no payment"]
    if "reserved_3y" in case.options() and brief.months % 36:
        said.append("a commitment that outlasts the comparison is counted by the months inside it")
    if owned.drivers.rented[brief.burst] > 0:
        said.append(f"the demand exceeds the fleet at times: on_premise rents the rest ({brief.burst})")
    ours, theirs = (catalog.hosts[host].accelerator if host else None for host in (brief.host, brief.cloud_host))
    if theirs is not None and theirs != ours:
        said.append(f"{theirs} is rented in place of {ours}: hours of one are taken for hours of the other")
    day = datetime.date.fromisoformat(brief.as_of)
    for one in brief.assumptions:
        dated = one.name in case.options() and one.value is not None
        if dated and not one.date:
            said.append(f"the {one.name} price has no date: check it")
        elif dated and (day - datetime.date.fromisoformat(one.date)).days > OLD_DAYS:
            said.append(f"the {one.name} price is of {one.date}: check it")
    return said
