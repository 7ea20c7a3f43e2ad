"""Read catalog data files: one number a line, with its unit, evidence class and source."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from groundplan.catalog.rows import Price, StoragePrice
from groundplan.catalog.schema import Attribute, attributes_by_any_name
from groundplan.catalog.units import to_base
from groundplan.errors import CatalogError
from groundplan.evidence import Evidence, Figure

COLUMNS = ("id", "attribute", "value", "unit", "evidence", "source", "note")
PRICE_COLUMNS = ("host", "provider", "region", "option", "usd_per_hour", "date", "evidence", "source")
STORAGE_PRICE_COLUMNS = (
    "product",
    "provider",
    "region",
    "quantity",
    "usd",
    "unit",
    "date",
    "evidence",
    "source",
)
FLAGS = {"yes": 1.0, "no": 0.0}

Figures = dict[str, Figure]
"""Attribute name -> its figure, of one row."""


def read_figures(path: Path, kind: str) -> dict[str, Figures]:
    """Return id -> attribute -> figure, in base units, of a long CSV file.

    Raises
    ------
    CatalogError
        When a line breaks the schema; names file and line.
    """
    attributes = attributes_by_any_name(kind)
    evidence = {item.value: item for item in Evidence}
    rows: dict[str, Figures] = {}
    for number, line in _lines(path, COLUMNS):
        identity, name, value, unit, evidence_class, source, note = line
        attribute = attributes.get(name)
        where = f"{path.name}:{number}"
        if attribute is None:
            raise CatalogError(f"{where}: {kind} have no attribute {name!r}", "add it to schema.csv")
        if evidence_class not in evidence:
            raise CatalogError(f"{where}: {evidence_class!r} is no evidence class", "use " + ", ".join(evidence))
        figures = rows.setdefault(identity, {})
        if attribute.name in figures:
            raise CatalogError(f"{where}: {identity} {name} is given twice", "keep one line")
        figures[attribute.name] = Figure(
            _base_value(attribute, value, unit, where), attribute.unit, evidence[evidence_class], source, note
        )
    return rows


def _base_value(attribute: Attribute, value: str, unit: str, where: str) -> float | str | None:
    """Return the value in its base unit; an empty cell is unknown."""
    if not value:
        return None
    if attribute.type in ("text", "list"):
        return value
    if attribute.type == "flag":
        if value not in FLAGS:
            raise CatalogError(f"{where}: {attribute.name} is {value!r}", "write yes or no")
        return FLAGS[value]
    try:
        number = to_base(float(value), "" if unit == "1" else unit, attribute.unit)
    except ValueError:
        raise CatalogError(f"{where}: {attribute.name} {value!r} is no number", "leave it empty if unknown") from None
    if number is None:
        raise CatalogError(f"{where}: unit {unit!r} of {attribute.name}", f"use a unit of {attribute.unit}")
    return number


def read_prices(path: Path) -> tuple[Price, ...]:
    """Return the host prices of a file, in its order."""
    return tuple(
        Price(host, provider, region, option, _usd(usd, path, number), date, evidence, source)
        for number, (host, provider, region, option, usd, date, evidence, source) in _lines(path, PRICE_COLUMNS)
    )


def read_storage_prices(path: Path) -> tuple[StoragePrice, ...]:
    """Return the prices of storage and of moving data, in the file's order."""
    return tuple(
        StoragePrice(product, provider, region, quantity, _usd(usd, path, number), unit, date, evidence, source)
        for number, (product, provider, region, quantity, usd, unit, date, evidence, source) in _lines(
            path, STORAGE_PRICE_COLUMNS
        )
    )


def _usd(text: str, path: Path, number: int) -> float:
    try:
        return float(text)
    except ValueError:
        raise CatalogError(f"{path.name}:{number}: price {text!r} is no number", "leave the line out") from None


def _lines(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of a CSV file with exactly these columns; nothing when there is no file."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        if tuple(header) != columns:
            raise CatalogError(f"{path.name}: columns {','.join(header)}", f"write {','.join(columns)}")
        for cells in reader:
            if len(cells) != len(columns):
                raise CatalogError(f"{path.name}:{reader.line_num}: {len(cells)} cells", f"write {len(columns)}")
            yield reader.line_num, cells


def known(figures: Mapping[str, Figure], name: str) -> float | str | None:
    """Return the value of an attribute, None when it is absent or unknown."""
    figure = figures.get(name)
    return None if figure is None else figure.value
