"""Where a number comes from, how sure we are of it, and how a total is made of its terms."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.util import find_spec
from typing import Any

import numpy as np

from groundplan.errors import MissingExtra


class Evidence(StrEnum):
    """The class of a number, strongest first."""

    MEASURED = "measured"
    DATASHEET = "datasheet"
    PUBLISHED = "published"
    DERIVED = "derived"
    ASSUMED = "assumed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Figure:
    """One catalog number in base units, with its source.

    `value` is None when the number is unknown: never 0, never a guess.
    """

    value: float | str | None
    unit: str
    evidence: Evidence
    source: str
    note: str = ""


class Result:
    """Base of every result: `to_dict` is the JSON contract, `to_frame` a data frame of it."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain JSON types, in field order."""
        plain: dict[str, Any] = plain_json(self)
        return plain

    def records(self) -> list[dict[str, Any]]:
        """Return the rows of `to_frame`, as plain JSON: one, unless the result is a list of answers."""
        return [self.to_dict()]

    def to_frame(self) -> Any:
        """Return the result as a data frame of the library that is installed, polars or else pandas.

        One row per record; nested keys are joined by dots, lists and formula trees are left out.

        Raises
        ------
        MissingExtra
            When neither is installed.
        """
        return frame_of(self.records())


@dataclass(frozen=True, slots=True)
class Prediction(Result):
    """A predicted quantity with its 80 % interval, in the unit its key names."""

    value: float
    low: float
    high: float

    @classmethod
    def within(cls, value: float, spread_low: float, spread_high: float) -> Prediction:
        """Make an interval from factors: ``[value * spread_low, value * spread_high]``."""
        return cls(value, value * spread_low, value * spread_high)


@dataclass(frozen=True, slots=True)
class Assumption(Result):
    """A number the answer rests on that the user may want to change."""

    name: str
    value: float | str | None
    unit: str
    evidence: str
    source: str


@dataclass(frozen=True, slots=True)
class Term(Result):
    """A node of a formula tree: where children are present and `op` is 'sum', they sum to `value`."""

    name: str
    value: float
    unit: str
    formula: str = ""
    inputs: Mapping[str, float | str | None] = field(default_factory=dict)
    source: str = ""
    evidence: str = Evidence.DERIVED.value
    op: str = "leaf"
    children: tuple[Term, ...] = ()


def total_of(name: str, unit: str, children: tuple[Term, ...], formula: str = "") -> Term:
    """Return a term whose value is the sum of its children."""
    value = math.fsum(child.value for child in children)
    return Term(name, value, unit, formula or "sum of the parts", op="sum", children=children)


def frame_of(records: Sequence[Mapping[str, Any]]) -> Any:
    """Return rows of plain JSON as a data frame, see `Result.to_frame`."""
    rows = [dict(_scalars(record, "")) for record in records]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    table = {name: [row.get(name) for row in rows] for name in columns}
    if find_spec("narwhals") is None or not (find_spec("polars") or find_spec("pandas")):
        raise MissingExtra("to_frame", "frames")
    import narwhals

    return narwhals.from_dict(table, backend="polars" if find_spec("polars") else "pandas").to_native()


def _scalars(value: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping) and key != "explain":
            yield from _scalars(item, f"{path}{key}.")
        elif not isinstance(item, list | Mapping):
            yield f"{path}{key}", item


def plain_json(value: Any) -> Any:
    """Turn results, numpy scalars and arrays, enums and mappings into plain JSON types.

    NaN and infinities become None: unknown is said, never guessed.
    """
    if isinstance(value, StrEnum):
        return value.value
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, np.generic):
        return plain_json(value.item())
    if isinstance(value, np.ndarray):
        return [plain_json(item) for item in value.tolist()]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_json(item) for item in value]
    raise TypeError(f"cannot put {type(value).__name__} into JSON")
