"""Charges in one currency: as billed, or converted at a dated rate of the lake; never at a guessed one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from groundplan.errors import InputError, UnknownName
from groundplan.finops.lake.datasets import datasets
from groundplan.finops.lake.engine import query_text, quoted, rows
from groundplan.finops.lake.lake import Lake

EFFECTIVE = "EffectiveCost"
BILLED = "BilledCost"


def money_text(amount: Decimal | None) -> str:
    """Return an amount exactly, without exponent or idle zeros.

    >>> money_text(Decimal("12.340000000000000"))
    '12.34'
    """
    exact = Decimal(0) if amount is None else amount.normalize()
    return format(exact if exact else Decimal(0), "f")


def charges(lake: Lake, connection: Any, column: str, currency: str | None = None) -> str:
    """Make the view `charges`: billing with the asked money column as `cost`, all in one currency; return which.

    Raises
    ------
    UnknownName
        No column of money has the name.
    InputError
        The lake has no charges, or several currencies and not the rates to make one of them.
    """
    billing = datasets()["billing"]
    if column not in billing.money:
        raise UnknownName("money column", column, billing.money)
    lake.need("billing", "a billing export")
    found = [row[0] for row in connection.execute("SELECT DISTINCT BillingCurrency FROM billing ORDER BY 1").fetchall()]
    into = (currency or (found[0] if len(found) == 1 else "USD")).upper()
    connection.execute("SET VARIABLE into_currency = ?", [into])
    connection.execute(query_text("charges").replace(":cost", quoted(column)))
    if found == [into]:
        return into
    missing = rows(connection, query_text("missing_rates"))
    if missing:
        lacking = ", ".join(f"{row['currency']} from {row['first']:%Y-%m-%d}" for row in missing)
        raise InputError(
            f"the charges are in {', '.join(found)}, and the lake has no dated rate into {into} for {lacking}",
            "import a CSV with the columns date, currency, into, rate, source",
        )
    return into
