"""The constants that are fitted to measured runs: few, of an architecture or a stack, with what physics expects."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from groundplan.catalog.catalog import Catalog
from groundplan.design.cluster import Setting

TABLE = Path(__file__).with_name("constants.csv")


@dataclass(frozen=True, slots=True)
class Constant:
    """One fitted attribute of one row of a catalog table, and of the rows that share it.

    `prior` and `spread` are what is expected of it before any run is seen, and how firmly; `low` and `high` what is
    possible at all. `of` is the kind of runs it is fitted on: dense, then moe.
    """

    table: str
    row: str
    shared: tuple[str, ...]
    attribute: str
    prior: float
    spread: float
    low: float
    high: float
    of: str
    reason: str

    @property
    def name(self) -> str:
        """How reports call it."""
        return f"{self.row}.{self.attribute}"

    def touches(self, setting: Setting) -> bool:
        """Whether predictions in this setting depend on it."""
        own = setting.stack.id if self.table == "stacks" else setting.architecture.id
        return own in (self.row, *self.shared)

    def value(self, catalog: Catalog) -> float:
        """Return its value in the catalog; the prior where the catalog has none."""
        rows: Mapping[str, Any] = catalog.architectures if self.table == "architectures" else catalog.stacks
        value = getattr(rows[self.row], self.attribute)
        return self.prior if value is None else float(value)


Values = Mapping[Constant, float]


@cache
def fitted_constants() -> tuple[Constant, ...]:
    """Return the constants of `constants.csv`, in its order."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(
            Constant(
                line["table"],
                line["row"],
                tuple(filter(None, line["shared"].split("|"))),
                line["attribute"],
                float(line["prior"]),
                float(line["spread"]),
                float(line["low"]),
                float(line["high"]),
                line["of"],
                line["reason"],
            )
            for line in csv.DictReader(file)
        )


def with_constants(values: Values) -> Callable[[Setting], Setting]:
    """Return a function that puts the values into the stack and the architecture of a setting."""
    by_row: dict[str, dict[str, Any]] = {}
    for constant, value in values.items():
        for row in (constant.row, *constant.shared):
            by_row.setdefault(row, {})[constant.attribute] = value

    def changed(setting: Setting) -> Setting:
        stack, architecture = by_row.get(setting.stack.id), by_row.get(setting.architecture.id)
        if stack:
            setting = replace(setting, stack=replace(setting.stack, **stack))
        if architecture:
            setting = replace(setting, architecture=replace(setting.architecture, **architecture))
        return setting

    return changed
