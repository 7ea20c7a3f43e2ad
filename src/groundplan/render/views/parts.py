"""Blocks that several commands share: breakdowns, assumptions, warnings, the footer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from groundplan.quantities import UNKNOWN
from groundplan.render.document import Block, Breakdown, Chart, ChartKind, Column, Notes, Part, Table, Tone
from groundplan.render.phrases import Format, interval, label, value_of, with_unit, words

BRIEF_ROWS = 12


def breakdown(title: str, terms: Mapping[str, float], total: Any, form: Format) -> Breakdown:
    """Return terms, largest first, with their shares of `total` (a prediction or a number)."""
    whole = value_of(total)
    parts = tuple(
        Part(words(name), form(value), value / whole if whole and value is not None else None)
        for name, value in sorted(terms.items(), key=lambda item: -(item[1] or 0.0))
    )
    return Breakdown(title, parts, interval(total, form))


def shares_chart(title: str, terms: Mapping[str, float], unit: str) -> list[Block]:
    """Return a bar chart of the terms, or nothing where there is nothing to draw."""
    points: tuple[Mapping[str, float | str], ...] = tuple(
        {"term": words(name), "value": float(value)} for name, value in terms.items() if value
    )
    return [Chart(ChartKind.SHARES, title, unit, points)] if len(points) > 1 else []


def assumptions(rows: Iterable[Mapping[str, Any]]) -> list[Block]:
    """Return the table of assumptions, with source and evidence class."""
    cells = tuple(
        (
            label(str(row["name"])),
            with_unit(row.get("value"), str(row.get("unit", ""))),
            str(row.get("evidence", "")),
            str(row.get("source", "")),
        )
        for row in rows
    )
    columns = (Column("assumption"), Column("value", right=True), Column("evidence"), Column("source"))
    return [Table("Assumptions", columns, cells)] if cells else []


def warnings(items: Sequence[str]) -> list[Block]:
    """Return the warnings, or nothing."""
    return [Notes("Warnings", tuple(items), Tone.WARN)] if items else []


def notes(items: Sequence[str]) -> list[Block]:
    """Return remarks, or nothing."""
    return [Notes("Notes", tuple(items))] if items else []


def footer(result: Mapping[str, Any], predicts: bool = True) -> str:
    """Say which tool and catalog gave the answer, and against which date prices age; accounts predict nothing."""
    said = [f"groundplan {result['tool_version']}" if result.get("tool_version") else "groundplan"]
    if result.get("catalog_version"):
        said.append(f"catalog {result['catalog_version']}")
    if result.get("as_of"):
        said.append(f"as of {result['as_of']}")
    return ", ".join(said) + f"; {result['schema']}" + ("; intervals are 80 %" if predicts else "")


def have_and_need(have: float | None, need: float | None, form: Format) -> str:
    """Say need against have: ``needs 315 Gb/s, has 200 Gb/s``."""
    return f"needs {form(need)}, has {form(have)}"


def text_or_unknown(value: Any) -> str:
    """Print text; nothing is unknown."""
    return UNKNOWN if value in (None, "") else str(value)


def price_source(price: Mapping[str, Any] | None) -> str:
    """Return whose price is reckoned with, and of when."""
    if price is None:
        return "no price known; give --price"
    if price["instance"] is None:
        return str(price["source"])
    dated = f", {price['date']}" if price["date"] else ""
    where = f" {price['region']}" if price["region"] else ""
    return f"{price['hosts']} x {price['instance']} ({price['provider']}{where}, {price['option']}{dated})"


def sizes(split: Mapping[str, Any]) -> str:
    """Return the parallel sizes of a replica."""
    return ", ".join(f"{name} {split[name]}" for name in ("tp", "pp", "dp", "ep"))
