"""One flat table per result. The first column is the schema, so that a file says what wrote it.

Numbers stay in base units with the unit in the column name; a prediction becomes three columns.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

from groundplan.render.document import one_line
from groundplan.render.views import command_of

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
AMOUNT = re.compile(r"-\d+(\.\d+)?")  # money comes as text; a credit is a number to a spreadsheet too
PREDICTION = frozenset({"value", "low", "high"})
PLAN_ROLES = ("recommended", "alternatives", "nearest_feasible")
LEFT_OUT = frozenset({"explain", "schema", "assumptions", "warnings", "notes", "brief", "fixes"})
# Results that are one table: the key it is under.
TABLES = {
    "catalog-list": "rows",
    "diff": "rows",
    "finops-import": "files",
    "finops-total": "by_provider",
    "finops-quarantine": "rows",
    "finops-allocate": "rows",
    "finops-anomalies": "anomalies",
    "finops-check": "budgets",
    "finops-variance": "steps",
    "finops-jobs": "jobs",
    "finops-units": "units",
    "finops-recommend": "recommendations",
    "finops-statement": "lines",
    "finops-statements": "statements",
}

Row = dict[str, Any]


def write(result: Mapping[str, Any]) -> str:
    """Return the result's table as CSV.

    A plan has one row per design, a mission one per option; memory, cost and AllReduce one per term; storage one per
    product; the catalog, a validation, a difference, a formula tree and the accounts one per row or node; a training
    design and a checkpoint plan one row; owning against renting one per option and month.
    """
    rows = list(_rows(command_of(result), result))
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["schema", *columns])
    for row in rows:
        writer.writerow([result["schema"], *(_cell(row.get(name)) for name in columns)])
    return text.getvalue()


def _rows(command: str, result: Mapping[str, Any]) -> Iterator[Row]:
    if command == "plan":
        for role in PLAN_ROLES:
            designs = result[role]
            for design in designs if isinstance(designs, list) else [designs] if designs else []:
                yield {"role": role} | dict(flat(design))
    elif command == "mission":
        for option in result["options"]:
            yield dict(flat({key: value for key, value in option.items() if key != "misses"}))
    elif command in ("memory", "cost", "allreduce"):
        scalars = dict(flat({key: value for key, value in result.items() if key != "terms"}))
        for name, value in (result.get("terms") or {"total": None}).items():
            yield {"term": name, "value": value} | scalars
    elif command == "storage":
        need = {key: value for key, value in result.items() if key != "products"}
        for product in result["products"]:
            yield dict(flat(product)) | {f"need_{key}": value for key, value in flat(need)}
    elif command in TABLES:
        yield from (dict(flat(row)) for row in result[TABLES[command]])
    elif command == "finops-tco":
        yield from ({"option": option["name"]} | row for option in result["options"] for row in option["months"])
    elif command == "catalog-check":
        yield from ({"problem": _cell_text(problem)} for problem in result["problems"])
    elif command == "validate":
        yield from (dict(row) | {"reason": None} for row in result["rows"])
        yield from (
            {"id": row["id"], "source": row["source"], "reason": row["reason"]} for row in result["unpredictable"]
        )
    elif command == "explain":
        yield from _nodes(result.get("term") or result, "")
    else:
        yield dict(flat(result))


def flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield ``layout.tp``-like paths and their values; predictions as value, low and high.

    >>> dict(flat({"step_s": {"value": 1.0, "low": 0.9, "high": 1.2}, "layout": {"tp": 8}}))
    {'step_s': 1.0, 'step_s_low': 0.9, 'step_s_high': 1.2, 'layout.tp': 8}
    """
    for key, item in value.items():
        if not prefix and key in LEFT_OUT:
            continue
        path = f"{prefix}{key}"
        if isinstance(item, Mapping) and set(item) == PREDICTION:
            yield path, item["value"]
            yield f"{path}_low", item["low"]
            yield f"{path}_high", item["high"]
        elif isinstance(item, Mapping):
            yield from flat(item, f"{path}.")
        elif not (isinstance(item, list) and any(isinstance(element, Mapping) for element in item)):
            yield path, item


def _nodes(term: Mapping[str, Any], path: str) -> Iterator[Row]:
    own = f"{path}{term['name']}"
    yield {"path": own} | {key: term.get(key) for key in ("value", "unit", "formula", "evidence", "source", "op")}
    for child in term.get("children", ()):
        yield from _nodes(child, f"{own}.")


def _cell(value: Any) -> str | float | int:
    """Return a cell; text that a spreadsheet would run as a formula is made plain."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    text = one_line(_cell_text(value))
    formula = text.startswith(FORMULA_STARTS) and not AMOUNT.fullmatch(text)
    return f"'{text}" if formula else text


def _cell_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {_cell_text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(_cell_text(item) for item in value)
    return str(value)
