"""Source tables as SQL: raw rows read as text, cells turned into typed columns, bad rows named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from groundplan.finops.ingest.head import Head
from groundplan.finops.lake.datasets import PROBLEM, RAW, Dataset
from groundplan.finops.lake.engine import literal, quoted

NULLS = ("", "NULL", "null", "N/A", "NaN", "nan", "None", "\\N")
# Beside ISO: month/day/year is what spreadsheets make of it, and what FOCUS's own examples carry.
TIME_FORMATS = ("%m/%d/%y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%m/%d/%y", "%m/%d/%Y", "%Y/%m/%d", "%Y%m%d")
NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UINTEGER", "UBIGINT", "FLOAT", "DOUBLE")
# Rows whose cells do not fit the header: DuckDB keeps them apart, with their line.
REJECTS = "reject_errors"


def stage_table(connection: Any, head: Head) -> None:
    """Make the view `raw` of a CSV or Parquet file: one column a column of the file, CSV cells as text.

    Lines of a CSV whose cells do not fit the header go to the table `reject_errors` when the view is read.
    """
    if head.form == "parquet":
        connection.execute(f"CREATE OR REPLACE TEMP VIEW raw AS SELECT * FROM read_parquet({literal(str(head.path))})")
        return
    quote = "" if head.delimiter == "|" else '"'  # what prints bars, as sacct does, quotes nothing
    options = [
        literal(str(head.path)),
        "header = true",
        "all_varchar = true",
        f"delim = {literal(head.delimiter)}",
        f"quote = {literal(quote)}",
        f"escape = {literal(quote)}",
        f"encoding = {literal(head.encoding)}",
        f"nullstr = [{', '.join(map(literal, NULLS))}]",
        "store_rejects = true",
        "rejects_limit = 0",
        "strict_mode = true",
    ]
    connection.execute(f"CREATE OR REPLACE TEMP VIEW raw AS SELECT * FROM read_csv({', '.join(options)})")


def cell(name: str, kind: str, source: str = "VARCHAR") -> str:
    """Return the SQL that reads a column as money, number, integer, time, text or json; NULL where it cannot be.

    Times with an offset become UTC; times without one are taken as UTC.
    """
    column = quoted(name)
    if source != "VARCHAR":
        return _typed_cell(column, kind, source)
    if kind in ("text", "json"):
        return column
    text = f"trim({column})"
    if kind == "time":
        formats = ", ".join(map(literal, TIME_FORMATS))
        iso = f"CAST(try_cast({text} AS TIMESTAMPTZ) AS TIMESTAMP)"  # which reads 4/1/26 as a day of the year 4
        # Most cells are ISO: the list of formats, five times as slow, is tried on the others alone.
        other = f"coalesce(try_strptime({text}, [{formats}]), {iso})"
        return f"CASE WHEN {text} LIKE '____-__-__%' THEN {iso} ELSE {other} END"
    sql = {"money": "DECIMAL(38, 15)", "number": "DOUBLE", "integer": "BIGINT"}[kind]
    return f"try_cast({text} AS {sql})"


def instant(name: str, source: str = "VARCHAR") -> str:
    """Return the SQL that reads a time which may also be counted from 1970: in seconds, or in ms from 12 digits on."""
    count = f"try_cast({quoted(name)} AS DOUBLE)"
    seconds = f"CASE WHEN {count} >= 1e11 THEN {count} / 1000 ELSE {count} END"
    counted = f"make_timestamp(CAST(round(({seconds}) * 1e6) AS BIGINT))"
    if source in NUMBERS:
        return counted
    if source != "VARCHAR":
        return cell(name, "time", source)
    text = f"trim({quoted(name)})"
    return (
        f"CASE WHEN {text} LIKE '____-__-__T__:__:__' THEN try_cast({text} AS TIMESTAMP) "  # the usual, without a zone
        f"WHEN regexp_full_match({text}, '[0-9]{{9,13}}([.][0-9]*)?') THEN {counted} ELSE {cell(name, 'time')} END"
    )


def stage_columns(connection: Any, table: str, columns: Mapping[str, Sequence[Any] | np.ndarray[Any, Any]]) -> None:
    """Make a temporary table of columns read in Python: numpy arrays as they are, anything else as text or NULL."""
    arrays = {name: _array(values) for name, values in columns.items()}
    texts = [name for name, values in arrays.items() if values.dtype == object]
    cells = ", ".join(
        f"CAST(nullif({quoted(name)}, '') AS VARCHAR) AS {quoted(name)}" if name in texts else quoted(name)
        for name in arrays
    )
    if len(next(iter(arrays.values()))):
        connection.register("staged_columns", arrays)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(table)} AS SELECT {cells} FROM staged_columns")
        connection.unregister("staged_columns")
        return
    empty = ", ".join(f"{quoted(name)} {'VARCHAR' if name in texts else 'DOUBLE'}" for name in arrays)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(table)} ({empty})")


def _array(values: Sequence[Any] | np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if isinstance(values, np.ndarray):
        return values
    return np.array(["" if value is None else str(value) for value in values], dtype=object)


def _typed_cell(column: str, kind: str, source: str) -> str:
    if kind == "time":
        stamp = column if source.startswith("TIMESTAMP") else f"try_cast({column} AS TIMESTAMPTZ)"
        return f"CAST({stamp} AS TIMESTAMP)"
    if (kind == "json" and source.startswith(("MAP", "STRUCT"))) or source.endswith("]"):
        return f"CAST(to_json({column}) AS VARCHAR)"
    sql = {"money": "DECIMAL(38, 15)", "number": "DOUBLE", "integer": "BIGINT", "text": "VARCHAR", "json": "VARCHAR"}
    return f"try_cast({column} AS {sql[kind]})"


def select_rows(
    dataset: Dataset,
    columns: Mapping[str, str],
    problems: Sequence[tuple[str, str]] = (),
    source: str = "raw",
) -> str:
    """Return the SELECT that makes rows of a dataset out of raw ones.

    Parameters
    ----------
    columns : mapping of str to str
        SQL expression over the raw columns, by column of the dataset; what is not named is NULL.
    problems : sequence of (condition, reason)
        SQL conditions under which a row is quarantined, each with a SQL text expression that says why. Missing
        `required` columns are added here.
    source : str
        The raw table.
    """
    mapped = ", ".join(
        f"CAST({columns.get(name, 'NULL')} AS {dataset.sql_type(name)}) AS {quoted(name)}" for name in dataset.columns
    )
    missing = [(f"{columns.get(name, 'NULL')} IS NULL", literal(f"{name} is missing")) for name in dataset.required]
    branches = " ".join(f"WHEN {condition} THEN {reason}" for condition, reason in (*problems, *missing))
    problem = f"CASE {branches} END" if branches else "CAST(NULL AS VARCHAR)"
    inner = f"SELECT {mapped}, {problem} AS {PROBLEM}, raw AS raw_row FROM {source} AS raw"
    kept = ", ".join(quoted(name) for name in dataset.columns)
    raw_row = f"CASE WHEN {PROBLEM} IS NOT NULL THEN CAST(to_json(raw_row) AS VARCHAR) END AS {RAW}"
    return f"SELECT {kept}, {PROBLEM}, {raw_row} FROM ({inner})"


def unreadable(name: str, kind: str, source: str = "VARCHAR") -> tuple[str, str]:
    """Return the condition that a cell is there but cannot be read as its type, and the reason to give."""
    words = {"money": "no number", "number": "no number", "integer": "no whole number", "time": "no time"}[kind]
    column = f"CAST({quoted(name)} AS VARCHAR)"
    reason = f"{literal(name + ' ')} || left({column}, 40) || {literal(' is ' + words)}"
    return f"{column} IS NOT NULL AND {cell(name, kind, source)} IS NULL", reason
