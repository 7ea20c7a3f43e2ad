"""Bills of providers on their way to FOCUS: cells as text under one name each, then one query makes charges of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from groundplan.finops.ingest.staging import cell, select_rows, unreadable
from groundplan.finops.lake.datasets import datasets
from groundplan.finops.lake.engine import literal, query_text, quoted

# The usual ways to write a time come first: trying every way takes ten times as long.
_TIME = """CASE
    WHEN written LIKE '____-__-__ __:__:__' OR written LIKE '____-__-__T__:__:__Z'
        THEN try_cast(rtrim(written, 'Z') AS TIMESTAMP)
    WHEN written LIKE '____-__-__%' THEN CAST(try_cast(written AS TIMESTAMPTZ) AS TIMESTAMP)"""


def text_of(column: str, source: str) -> str:
    """Return the SQL that reads a cell as text: what Parquet nests as JSON, floats by their shortest digits."""
    if source.startswith(("MAP", "STRUCT")) or source.endswith("]"):
        return f"CAST(to_json({column}) AS VARCHAR)"
    return f"nullif(trim(CAST({column} AS VARCHAR)), '')"


def stage_bill(connection: Any, texts: Mapping[str, str], extras: str, source: str = "raw") -> None:
    """Make the view `bill`: the named cells as text, what else a row carries as `extras`, the row itself as `raw`.

    Parameters
    ----------
    texts : mapping of str to str
        SQL over the columns of `source`, by name.
    extras : str
        SQL that gives a JSON object.
    """
    for kind in ("money", "number"):
        connection.execute(f"CREATE OR REPLACE TEMP MACRO bill_{kind}(written) AS {cell('written', kind)}")
    connection.execute(f"CREATE OR REPLACE TEMP MACRO bill_time(written) AS {_TIME} ELSE {cell('written', 'time')} END")
    cells = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in texts.items())
    carried = f"nullif({extras}, '{{}}') AS extras, raw"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW bill AS SELECT {cells}, {carried} FROM {source} AS raw")


def object_of(cells: Mapping[str, str]) -> str:
    """Return the SQL of a JSON object that holds the cells which are not NULL."""
    if not cells:
        return "'{}'"
    pairs = ", ".join(
        f"{literal(json.dumps(key) + ':')} || CAST(to_json({sql}) AS VARCHAR)" for key, sql in cells.items()
    )
    return f"('{{' || concat_ws(',', {pairs}) || '}}')"


def charges(connection: Any, query: str, provider: str, checked: Mapping[str, str]) -> dict[str, str]:
    """Run the query that makes the view `bill_rows` of the view `bill`, and return the SELECT of its charges.

    Parameters
    ----------
    query : str
        A query of `queries/`; its columns are those of billing, and `problem`, which is NULL in a good row.
    provider : str
        Whose services they are.
    checked : mapping of str to str
        Cells that must be readable where they are there: their kind, by their name in `bill`.
    """
    connection.execute(
        f"CREATE OR REPLACE TEMP MACRO bill_category(service) AS {_category(provider, 'lower(service)')}"
    )
    connection.execute(query_text(query))
    billing = datasets()["billing"]
    made = {row[0] for row in connection.execute("DESCRIBE bill_rows").fetchall()}
    columns = {name: quoted(name) for name in billing.columns if name in made}
    problems = [_unreadable(name, kind) for name, kind in checked.items()]
    return {"billing": select_rows(billing, columns, [*problems, ("problem IS NOT NULL", "problem")], "bill_rows")}


def first_named(columns: Mapping[str, str], *names: str) -> str:
    """Return the SQL of the first of some columns that a row has a value in; `columns` are their types, by name."""
    known = {name.lower(): name for name in columns}
    present = [known[name.lower()] for name in names if name.lower() in known]
    cells = [text_of(quoted(name), columns[name]) for name in present]
    return f"coalesce({', '.join([*cells, 'CAST(NULL AS VARCHAR)'])})"


def rest(columns: Mapping[str, str], used: Iterable[str]) -> dict[str, str]:
    """Return the SQL of the columns that are not used, by name."""
    left_out = {name.lower() for name in used}
    return {
        name: text_of(quoted(name), kind) for name, kind in columns.items() if name and name.lower() not in left_out
    }


def _unreadable(name: str, kind: str) -> tuple[str, str]:
    """Return `staging.unreadable` with the macro that the query reads the cell with, which then reads it once."""
    _, reason = unreadable(name, kind)
    return f"{quoted(name)} IS NOT NULL AND bill_{kind}({quoted(name)}) IS NULL", reason


def _category(provider: str, service: str) -> str:
    fits = " ".join(
        f"WHEN regexp_matches({service}, {literal(pattern)}) THEN {literal(category)}"
        for pattern, category in _services()[provider]
    )
    return f"CASE {fits} WHEN {service} IS NOT NULL THEN 'Other' END"


@cache
def _services() -> dict[str, list[tuple[str, str]]]:
    written: dict[str, list[tuple[str, str]]] = yaml.safe_load(
        Path(__file__).with_name("services.yaml").read_text(encoding="utf-8")
    )
    return written
