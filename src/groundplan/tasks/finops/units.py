"""Task: what one run, one thousand answers, one million tokens, one useful accelerator-hour cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.evidence import Result
from groundplan.finops.allocation import Period
from groundplan.finops.lake.lake import Lake
from groundplan.finops.money import EFFECTIVE
from groundplan.finops.units import unit_economics


@dataclass(frozen=True, slots=True)
class UnitsResult(Result):
    """Every figure with how it was made; `value` is null where the lake cannot tell, and `how` says what is missing."""

    schema: str
    tool_version: str
    catalog_version: str
    lake: str
    column: str
    currency: str
    units: tuple[dict[str, Any], ...]


def units(
    location: str,
    catalog: Catalog,
    column: str = EFFECTIVE,
    start: datetime | None = None,
    end: datetime | None = None,
    currency: str | None = None,
) -> UnitsResult:
    """Return the unit economics of a period.

    Raises
    ------
    InputError, UnknownName
        No lake or charges, no such column, a currency without a rate.
    """
    period = Period(start or Period().start, end or Period().end)
    into, found = unit_economics(Lake(location), column, period, catalog, currency)
    return UnitsResult(
        schema="groundplan/finops-units/1",
        tool_version=__version__,
        catalog_version=catalog.version,
        lake=location,
        column=column,
        currency=into,
        units=tuple(
            {"name": one.name, "value": one.value, "unit": one.unit.replace("USD", into), "how": one.how}
            for one in found
        ),
    )
