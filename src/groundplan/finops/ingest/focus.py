"""FOCUS cost-and-usage exports, versions 1.0 to 1.4, as CSV or Parquet."""

from __future__ import annotations

from typing import Any

from groundplan.finops.ingest.head import Head
from groundplan.finops.ingest.importer import Importer
from groundplan.finops.ingest.staging import cell, select_rows, stage_table, unreadable
from groundplan.finops.lake.datasets import datasets
from groundplan.finops.lake.engine import literal, quoted

MARKS = ("BilledCost", "ChargePeriodStart", "BillingCurrency")


def _recognises(head: Head) -> bool:
    return head.has(*MARKS)


def _selects(connection: Any, head: Head) -> dict[str, str]:
    stage_table(connection, head)
    billing = datasets()["billing"]
    known = {name: kind for name, kind in billing.columns.items() if name in head.columns}
    columns = {name: cell(name, kind, head.columns[name]) for name, kind in known.items()}
    stray = [name for name in head.columns if name and name not in billing.columns]
    if stray:
        pairs = ", ".join(f"{literal(name)}, {quoted(name)}" for name in stray)
        columns["x_extras"] = f"CAST(json_object({pairs}) AS VARCHAR)"
    columns["BillingCurrency"] = f"upper(trim({columns['BillingCurrency']}))"
    problems = [
        unreadable(name, kind, head.columns[name]) for name, kind in known.items() if kind not in ("text", "json")
    ]
    if "ChargePeriodEnd" in known:
        start, end = columns["ChargePeriodStart"], columns["ChargePeriodEnd"]
        problems.append((f"{end} < {start}", literal("ChargePeriodEnd lies before ChargePeriodStart")))
    return {"billing": select_rows(billing, columns, problems)}


FOCUS = Importer("FOCUS", _recognises, _selects)
