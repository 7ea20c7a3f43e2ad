"""FOCUS cost-and-usage exports, versions 1.0 to 1.4, as CSV or Parquet."""

from __future__ import annotations

from collections.abc import Sequence
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
    objects = [name for name, kind in known.items() if kind == "json" and head.columns[name] == "VARCHAR"]
    columns |= {name: f"CASE WHEN json_valid({quoted(name)}) THEN {quoted(name)} END" for name in objects}
    stray = [name for name in head.columns if name and name not in billing.columns]
    columns["x_extras"] = _extras(stray, objects)
    columns["BillingCurrency"] = f"upper(trim({columns['BillingCurrency']}))"
    problems = [
        unreadable(name, kind, head.columns[name]) for name, kind in known.items() if kind not in ("text", "json")
    ]
    if "ChargePeriodEnd" in known:
        start, end = columns["ChargePeriodStart"], columns["ChargePeriodEnd"]
        problems.append((f"{end} < {start}", literal("ChargePeriodEnd lies before ChargePeriodStart")))
    return {"billing": select_rows(billing, columns, problems)}


def _extras(stray: Sequence[str], objects: Sequence[str]) -> str:
    """Return the SQL of what has no column: stray columns, and tags and the like that are no JSON."""
    pairs = ", ".join(f"{literal(name)}, {quoted(name)}" for name in stray)
    plain = f"CAST(json_object({pairs}) AS VARCHAR)" if stray else "NULL"
    if not objects:
        return plain
    wrong = " OR ".join(f"(NOT json_valid({quoted(name)})) IS TRUE" for name in objects)
    texts = ", ".join(
        f"{literal(name)}, CASE WHEN NOT json_valid({quoted(name)}) THEN {quoted(name)} END" for name in objects
    )
    merged = f"CAST(json_merge_patch(coalesce({plain}, '{{}}'), json_object({texts})) AS VARCHAR)"
    return f"CASE WHEN {wrong} THEN {merged} ELSE {plain} END"


FOCUS = Importer("FOCUS", _recognises, _selects)
