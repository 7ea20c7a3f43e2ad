"""What answers the queries: DuckDB, offline, bounded in memory, in UTC; or Spark. Values bound, names quoted."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from groundplan.errors import GroundplanError

MEMORY = os.environ.get("GROUNDPLAN_LAKE_MEMORY", "3GB")
QUERIES = Path(__file__).parents[1] / "queries"
IMPORT = "x_import"  # number of the commit that brought a row
DUCKDB = "duckdb"


class Cursor(Protocol):
    """Rows of a statement."""

    @property
    def description(self) -> Any:
        """Return a sequence a column; its name is first."""

    def fetchone(self) -> Any:
        """Return the next row; None after the last."""

    def fetchall(self) -> Any:
        """Return the rows that are left."""


class Engine(Protocol):
    """What a query needs of what answers it. Statements are in the dialect of DuckDB, whose
    connection is one."""

    def execute(self, sql: str, values: Any = None) -> Cursor:
        """Run statements with bound values and return the rows of the last."""


def connect(work: Path | None = None) -> Any:
    """Return a DuckDB connection in memory that spills to `work`, loads nothing from the network and thinks in UTC."""
    try:
        import duckdb
    except ImportError:  # pragma: no cover - a core dependency
        raise GroundplanError("the accounts need DuckDB", "pip install duckdb") from None
    settings: dict[str, Any] = {
        "memory_limit": MEMORY,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": False,
    }
    if work is not None:
        settings["temp_directory"] = str(work / "spill")
    connection = duckdb.connect(config=settings)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def quoted(name: str) -> str:
    """Return a column or table name as SQL writes it.

    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return text as a SQL literal, for the places where SQL takes no bound value (COPY, views).

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def query_text(name: str) -> str:
    """Return the text of a query kept in `queries/`."""
    return (QUERIES / f"{name}.sql").read_text(encoding="utf-8")


def rows(connection: Any, sql: str, values: Mapping[str, Any] | Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Run a statement with bound values and return its rows as dictionaries."""
    found = connection.execute(sql, values or None)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
