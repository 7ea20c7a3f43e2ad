"""What owning and renting are assumed to cost: each number with its range, date, class and source."""

from __future__ import annotations

import csv
import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from groundplan.errors import UnknownName
from groundplan.evidence import Evidence, Result
from groundplan.quantities import YEAR_S, parse
from groundplan.workload.reading import Reading

TABLE = Path(__file__).with_name("assumptions.csv")
EVIDENCE = tuple(one.value for one in Evidence if one is not Evidence.UNKNOWN)
LARGEST = 1e12
"""No price, power or number of people is more; sums of such stay exact to the cent."""
PARTS = ("value", "low", "high", "source", "date", "evidence")


@dataclass(frozen=True, slots=True)
class Assumed(Result):
    """One number of the comparison. `value` is None where nobody knows it; `low` and `high` bound what it may be."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    evidence: str
    source: str
    date: str
    meaning: str

    def known(self, value: float, evidence: str, source: str, date: str) -> Assumed:
        """Return it with a value, and the usual range around that."""
        low, high = rows()[self.name].range_of(value)
        return replace(self, value=value, low=low, high=high, evidence=evidence, source=source, date=date)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. `low` and `high` are factors on the value, `least` and `most` what makes sense at all."""

    key: str
    dimension: str
    unit: str
    value: float | None
    low: float
    high: float
    least: float | None
    most: float | None
    date: str
    evidence: str
    source: str
    meaning: str

    def makes_sense(self, value: float) -> bool:
        """Say whether a value is within what makes sense at all."""
        return self._bounded(value) == value and abs(value) <= LARGEST

    def range_of(self, value: float) -> tuple[float, float]:
        """Return the usual range around a value, no further than makes sense."""
        low, high = sorted(self._bounded(value * factor) + 0.0 for factor in (self.low, self.high))
        return low, high

    def _bounded(self, value: float) -> float:
        value = value if self.least is None else max(value, self.least)
        return value if self.most is None else min(value, self.most)


@cache
def rows() -> Mapping[str, Row]:
    """Return the lines of the table by key, in its order."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        found = [_row(line) for line in csv.DictReader(file)]
    return {row.key: row for row in found}


def _row(line: Mapping[str, str]) -> Row:
    numbers = {key: float(line[key]) if line[key] else None for key in ("value", "least", "most")}
    texts = {key: line[key] for key in ("key", "dimension", "unit", "date", "evidence", "source", "meaning")}
    return Row(**texts, **numbers, low=float(line["low"]), high=float(line["high"]))  # type: ignore[arg-type]


def usual() -> dict[str, Assumed]:
    """Return what is assumed where the brief says nothing."""
    found = {}
    for key, row in rows().items():
        empty = Assumed(key, None, None, None, row.unit, Evidence.UNKNOWN.value, "", "", row.meaning)
        found[key] = empty if row.value is None else empty.known(row.value, row.evidence, row.source, row.date)
    return found


def given(written: Mapping[str, Any], reading: Reading, as_of: str) -> dict[str, Assumed]:
    """Return the assumptions of a brief: a quantity, or ``{value, low, high, source, date, evidence}``.

    Raises
    ------
    UnknownName, InputError
        No such assumption or part of one, a value that is no such quantity or makes no sense, `low` above `high`.
    """
    found = {}
    for key, said in written.items():
        if key not in rows():
            raise UnknownName("assumption", key, rows())
        parts = dict(said) if isinstance(said, Mapping) else {"value": said}
        for part in parts:
            if part not in PARTS:
                raise UnknownName(f"part of {key}", str(part), PARTS)
        found[key] = _given(key, parts, reading, as_of)
    return found


def _given(key: str, parts: Mapping[str, Any], reading: Reading, as_of: str) -> Assumed:
    place = f"assumptions.{key}"
    numbers = {part: _number(key, parts[part], place, reading) for part in ("value", "low", "high") if part in parts}
    value = numbers.get("value", rows()[key].value)
    if value is None:
        raise reading.wrong(place, "there is no value", "write {value: ..., low: ..., high: ...}")
    evidence = reading.choice(parts.get("evidence"), f"{place}.evidence", EVIDENCE, "assumed")
    date = _date(parts.get("date", as_of), place, reading)
    usual_low, usual_high = rows()[key].range_of(value)
    low, high = numbers.get("low", usual_low), numbers.get("high", usual_high)
    if not low <= value <= high:
        raise reading.wrong(place, f"{value:g} is not between {low:g} and {high:g}", "give low <= value <= high")
    found = usual()[key].known(value, evidence, str(parts.get("source", "the brief")), date)
    return replace(found, low=low, high=high)


def _number(key: str, said: Any, place: str, reading: Reading) -> float:
    row, where = rows()[key], reading.source.where(place)
    if isinstance(said, str):
        _, slash, per = row.unit.partition("/")
        said = said.strip().removesuffix(slash + per)
    negative = row.least is not None and row.least < 0
    if row.dimension == "years":
        number = years(said, where)
    else:
        number = parse(said, row.dimension, where, allow_negative=negative, positive=row.least is None)
    if not row.makes_sense(number):
        least = 0.0 if row.least is None else row.least
        most = LARGEST if row.most is None else row.most
        raise reading.wrong(place, f"{number:g} makes no sense", f"give {least:g} to {most:g}")
    return number


def years(said: Any, where: str) -> float:
    """Return years: a plain number counts them, text is a duration such as ``4 y`` or ``730 d``.

    >>> years(4, ""), years("4 y", ""), years("730 d", "")
    (4.0, 4.0, 2.0)
    """
    if isinstance(said, int | float):
        return parse(said, "ratio", where, positive=True)
    return parse(said, "seconds", where, positive=True) / YEAR_S


def _date(said: Any, place: str, reading: Reading) -> str:
    try:
        return datetime.date.fromisoformat(str(said)).isoformat()
    except ValueError:
        raise reading.wrong(f"{place}.date", f"{str(said)[:40]!r} is not a date", "write e.g. 2026-01-31") from None
