"""Exchange rates: a CSV with the columns date, currency, into, rate, source."""

from __future__ import annotations

from typing import Any

from groundplan.finops.ingest.head import Head
from groundplan.finops.ingest.importer import Importer
from groundplan.finops.ingest.staging import cell, select_rows, stage_table, unreadable
from groundplan.finops.lake.datasets import datasets
from groundplan.finops.lake.engine import literal


def _selects(connection: Any, head: Head) -> dict[str, str]:
    stage_table(connection, head)
    rates = datasets()["rates"]
    columns = {name: cell(name, kind, head.columns[name]) for name, kind in rates.columns.items()}
    columns |= {name: f"upper(trim({columns[name]}))" for name in ("currency", "into")}
    problems = [unreadable("date", "time"), unreadable("rate", "number")]
    problems.append((f"{columns['rate']} <= 0", literal("a rate is a positive number")))
    return {"rates": select_rows(rates, columns, problems)}


RATES = Importer("exchange rates", lambda head: head.has("date", "currency", "into", "rate", "source"), _selects)
