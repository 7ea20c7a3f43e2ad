"""The question: which fleet, for how long, how used, how paid for, against which cloud."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Price
from groundplan.errors import InputError
from groundplan.finops.lake.lake import Lake
from groundplan.finops.tco.assumptions import Assumed, given, usual, years
from groundplan.finops.tco.demand import Usage, usage_of, usage_of_lake
from groundplan.workload.brief import read_date
from groundplan.workload.overrides import apply_sets
from groundplan.workload.reading import Reading
from groundplan.workload.schema import Quantity, Section, validate
from groundplan.workload.yaml_source import YamlSource, load_yaml, read_text

FINANCING = ("cash", "loan", "lease")
RENTED = ("on_demand", "reserved_1y", "reserved_3y", "spot")
BURST = ("on_demand", "spot")
YEARS = 4
LONGEST_YEARS = 15
MOST_ACCELERATORS = 10_000_000


@dataclass(frozen=True, slots=True)
class TcoBrief:
    """The resolved question. `step` is how many accelerators a commitment of the cloud is made of."""

    accelerators: int
    host: str
    host_accelerators: int
    months: int
    financing: str
    burst: str
    cloud_host: str | None
    step: int
    usage: Usage
    assumptions: tuple[Assumed, ...]
    as_of: str

    def values(self) -> dict[str, float]:
        """Return the assumptions that are known, by name."""
        return {one.name: one.value for one in self.assumptions if one.value is not None}


class CloudSection(Section):
    """The instance type that would be rented."""

    host: str
    region: str | None = None


class TcoSection(Section):
    """The fleet, its use, and how it is paid for."""

    accelerators: Quantity | None = None
    host: str
    years: Quantity | None = None
    utilization: Quantity | list[dict[str, Any]] | None = None
    financing: str | None = None
    burst: str | None = None
    site: str | None = None
    cloud: CloudSection | None = None


class TcoSections(Section):
    """The whole brief."""

    tco: TcoSection
    assumptions: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies it
    as_of: datetime.date | str | None = None


def read_tco_brief(
    source: str | Path | Mapping[str, Any],
    catalog: Catalog,
    sets: Sequence[str] = (),
    as_of: datetime.date | None = None,
    lake: str | None = None,
) -> TcoBrief:
    """Read a brief from a file or a mapping of the same shape; a lake's use takes the place of the brief's.

    Raises
    ------
    InputError
        Anything that cannot be understood, with the key and its line; a needed number that nobody gives.
    """
    if isinstance(source, Mapping):
        yaml = YamlSource(dict(source), {})
    else:
        yaml = load_yaml(read_text(Path(source)), str(source))
    yaml = apply_sets(yaml, sets)
    sections: TcoSections = validate(yaml, TcoSections)
    reading, asked = Reading(yaml), sections.tco
    usage, accelerators = _usage(asked, reading, lake)
    host = catalog.hosts[reading.name(asked.host, "tco.host", lambda name: catalog.host(name).id)]
    today = (as_of or read_date(sections.as_of, reading) or datetime.date.today()).isoformat()
    found = usual() | _of_catalog(asked, catalog, reading) | given(sections.assumptions, reading, today)
    burst = reading.choice(asked.burst, "tco.burst", BURST, "on_demand")
    _check(found, burst, reading)
    rented = catalog.host(asked.cloud.host) if asked.cloud else None
    return TcoBrief(
        accelerators=accelerators,
        host=host.id,
        host_accelerators=host.accelerators,
        months=_months(asked, reading),
        financing=reading.choice(asked.financing, "tco.financing", FINANCING, "cash"),
        burst=burst,
        cloud_host=rented.id if rented else None,
        step=rented.accelerators if rented else 1,
        usage=usage,
        assumptions=tuple(found.values()),
        as_of=today,
    )


def _months(asked: TcoSection, reading: Reading) -> int:
    months = 12 * (YEARS if asked.years is None else years(asked.years, reading.source.where("tco.years")))
    if not 1 <= round(months) <= LONGEST_YEARS * 12:
        mend = f"give 1 month to {LONGEST_YEARS} years"
        raise reading.wrong("tco.years", f"{months:.3g} months cannot be compared", mend)
    return round(months)


def _usage(asked: TcoSection, reading: Reading, lake: str | None) -> tuple[Usage, int]:
    """Return the use of the fleet and its accelerators, which a lake tells too."""
    accelerators = reading.whole(asked.accelerators, "tco.accelerators")
    if accelerators is not None and accelerators > MOST_ACCELERATORS:
        raise reading.wrong("tco.accelerators", f"{accelerators:,} are too many", f"give up to {MOST_ACCELERATORS:,}")
    if lake is not None:
        usage, counted = usage_of_lake(Lake(lake))
        return usage, accelerators or counted
    for key, value in (("accelerators", accelerators), ("utilization", asked.utilization)):
        if value is None:
            raise InputError(f"tco: {key!r} is missing", f"add {key}: ..., or --lake to read it from what jobs held")
    return usage_of(asked.utilization, reading, "tco.utilization"), accelerators or 1


def _of_catalog(asked: TcoSection, catalog: Catalog, reading: Reading) -> dict[str, Assumed]:
    """Return what the catalog knows: powers of the server, prices of the instance, the tariff of the site."""
    host = catalog.host(asked.host)
    accelerator = catalog.accelerators[host.accelerator]
    figures = [
        ("idle_power", accelerator.idle_w, accelerator.figures.get("idle_power")),
        ("busy_power", accelerator.tdp_w, accelerator.figures.get("tdp")),
        ("host_power", host.power_w, host.figures.get("power")),
    ]
    if asked.site is not None:
        grid = catalog.grids[reading.name(asked.site, "tco.site", lambda name: catalog.grid(name).id)]
        figures.append(("electricity", grid.usd_per_kwh, grid.figures.get("price")))
    known, found, dated = usual(), {}, catalog.version.partition("+")[0].replace(".", "-")
    for name, value, figure in figures:
        if value is not None and figure is not None:
            found[name] = known[name].known(value, figure.evidence.value, f"catalog: {figure.source}", dated)
    for price in _prices(asked, catalog, reading):
        usd = price.usd_per_hour / catalog.hosts[price.host].accelerators
        source = f"{price.host} {price.region}: {price.source}"
        found[price.option] = known[price.option].known(usd, price.evidence, source, price.date)
    return found


def _prices(asked: TcoSection, catalog: Catalog, reading: Reading) -> list[Price]:
    """Return one price for each way to rent the instance: of the region, else of the one cheapest on demand."""
    if asked.cloud is None:
        return []
    host = reading.name(asked.cloud.host, "tco.cloud.host", lambda name: catalog.host(name).id)
    prices = [price for price in catalog.prices_of(host) if price.option in RENTED]
    listed = sorted((p for p in prices if p.option == "on_demand"), key=lambda p: (p.usd_per_hour, not p.date))
    region = asked.cloud.region or (listed[0].region if listed else "")
    if not any(price.region == region for price in prices):
        places = ", ".join(sorted({price.region for price in prices})[:8]) or "none"
        raise reading.wrong("tco.cloud", f"no price of {host} in {region or 'any region'}", f"priced: {places}")
    return [price for price in prices if price.region == region]


def _check(found: Mapping[str, Assumed], burst: str, reading: Reading) -> None:
    """Refuse what cannot be counted: a number that nobody gives, work that needs less power than none."""
    for name in ("host_price", "idle_power", "busy_power", "host_power", burst):
        if found[name].value is None:
            mend = f"add assumptions: {{{name}: ...}}"
            mend += ", or cloud: {host: ..., region: ...}" if name in RENTED else ""
            raise InputError(f"nobody says {name}: {found[name].meaning}", mend)
    if (found["busy_power"].value or 0.0) < (found["idle_power"].value or 0.0):
        raise reading.wrong("assumptions.busy_power", "less than idle_power", "give both")
