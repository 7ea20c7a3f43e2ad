"""The datasets of the lake and their columns, read from `datasets.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

# Money has 15 decimals: providers print unit costs to 14, and a sum of a billion rows of a million still fits.
SQL_TYPES = {
    "text": "VARCHAR",
    "json": "VARCHAR",
    "money": "DECIMAL(38, 15)",
    "number": "DOUBLE",
    "integer": "BIGINT",
    "time": "TIMESTAMP",
}
PROBLEM = "x_problem"  # why a row is quarantined; NULL in a good one
RAW = "x_raw"  # a quarantined row as it came, JSON


@dataclass(frozen=True, slots=True)
class Dataset:
    """One kind of row: its columns with their types, the one that dates it, and what one thing or row is."""

    name: str
    meaning: str
    time: str
    columns: dict[str, str]
    required: tuple[str, ...]
    key: tuple[str, ...] = ()
    merge: tuple[str, ...] = ()

    def sql_type(self, column: str) -> str:
        """Return the SQL type of a column."""
        return SQL_TYPES[self.columns[column]]

    @property
    def money(self) -> tuple[str, ...]:
        """Return the columns that hold money."""
        return tuple(name for name, kind in self.columns.items() if kind == "money")


@cache
def datasets() -> dict[str, Dataset]:
    """Return every dataset by its name.

    >>> datasets()["billing"].sql_type("BilledCost")
    'DECIMAL(38, 15)'
    """
    written = yaml.safe_load(Path(__file__).with_name("datasets.yaml").read_text(encoding="utf-8"))
    return {
        name: Dataset(
            name,
            row["meaning"],
            row["time"],
            row["columns"],
            tuple(row["required"]),
            tuple(row.get("key", ())),
            tuple(row.get("merge", ())),
        )
        for name, row in written.items()
    }
