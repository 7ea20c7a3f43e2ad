"""Tasks: list the catalog, show one row with its sources, check its integrity."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.check import check_catalog
from groundplan.catalog.names import folded
from groundplan.catalog.rows import Price, Row
from groundplan.catalog.schema import ROW_TYPES
from groundplan.errors import GroundplanError, InputError, UnknownName
from groundplan.evidence import Result, plain_json

KINDS = (*(kind for kind in ROW_TYPES if kind != "grids"), "models", "grids", "prices", "storage_prices")
"""What can be listed, in the order in which `show` looks for a name."""


@dataclass(frozen=True, slots=True)
class CatalogList(Result):
    """The rows of one kind in base units; without a kind, how many rows each kind has."""

    schema: str
    catalog_version: str
    kind: str
    rows: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class ShownFigure(Result):
    """One attribute of a row, in its base unit."""

    value: float | str | None
    unit: str
    evidence: str
    source: str
    note: str


@dataclass(frozen=True, slots=True)
class ShownRow(Result):
    """One row with the source of each of its attributes, and of a host its prices."""

    schema: str
    catalog_version: str
    kind: str
    id: str
    name: str
    aliases: tuple[str, ...]
    attributes: Mapping[str, ShownFigure]
    prices: tuple[Price, ...]


@dataclass(frozen=True, slots=True)
class ShownModel(Result):
    """One model: its published or counted size, and the architecture the counts come from."""

    schema: str
    catalog_version: str
    kind: str
    id: str
    name: str
    parameters: int
    active_parameters: int
    architecture: Mapping[str, Any]
    source: str


@dataclass(frozen=True, slots=True)
class CatalogCheck(Result):
    """How much was checked and what is wrong."""

    schema: str
    catalog_version: str
    rows: int
    figures: int
    problems: tuple[str, ...]


def catalog_list(catalog: Catalog, kind: str | None = None, text: str | None = None) -> CatalogList:
    """Return the rows of a kind whose id, name, aliases or other texts hold `text`.

    Parameters
    ----------
    catalog : Catalog
        The catalog.
    kind : str, optional
        One of `KINDS`; None counts the rows of each.
    text : str, optional
        Only rows with this text; letter case, spaces and hyphens do not matter.
    """
    schema, version = "groundplan/catalog-list/1", catalog.version
    if kind is None:
        counts = [{"kind": one, "rows": sum(1 for _ in _matching(catalog, one, text))} for one in KINDS]
        return CatalogList(schema, version, "all", tuple(counts))
    if kind not in KINDS:
        raise UnknownName("kind", kind, KINDS)
    line = partial(_model_line, catalog) if kind == "models" else _row_line
    return CatalogList(schema, version, kind, tuple(line(row) for row in _matching(catalog, kind, text)))


def _matching(catalog: Catalog, kind: str, text: str | None) -> Iterator[Any]:
    """Yield the rows of a kind, of models their raw rows, that hold the text."""
    wanted = folded(text or "")
    table = getattr(catalog, kind)
    for row in table.values() if isinstance(table, Mapping) else table:
        values = row if kind == "models" else _row_line(row) | {"aliases": getattr(row, "aliases", ())}
        texts = [values.get("id", ""), *(value for value in values.values() if isinstance(value, str))]
        if not wanted or any(wanted in folded(str(one)) for one in (*texts, *values.get("aliases", ()))):
            yield row


def _row_line(row: Any) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(row) if field.name not in ("figures", "aliases")]
    return {name: plain_json(getattr(row, name)) for name in names}


def _model_line(catalog: Catalog, raw: Mapping[str, Any]) -> dict[str, Any]:
    from groundplan.workload.models import load_model

    model = load_model(str(raw["id"]), catalog)
    return {
        "id": model.id,
        "name": model.name,
        "family": model.family,
        "parameters": model.parameters,
        "active_parameters": getattr(model, "active_parameters", model.parameters),
    }


def catalog_show(catalog: Catalog, name: str, kind: str | None = None) -> ShownRow | ShownModel:
    """Return the row that `name` means: of `kind`, or of the first kind that knows it.

    A path to a `config.json` is a model.

    Raises
    ------
    UnknownName
        With the nearest names of all kinds.
    """
    if kind is not None and kind not in (*ROW_TYPES, "models"):
        raise UnknownName("kind", kind, [*ROW_TYPES, "models"])
    if not name.strip():
        raise InputError("no name to show", "give a catalog name or a path to a config.json")
    if kind == "models" or (kind is None and _is_path(name)):
        return _shown_model(catalog, name)
    kinds = [kind] if kind else [one for one in KINDS if one in ROW_TYPES or one == "models"]
    for exact in (True, False):
        for candidate in kinds:
            found = _find(catalog, candidate, name, exact)
            if isinstance(found, Row):
                return _shown_row(catalog, candidate, found)
            if found:
                return _shown_model(catalog, found)
    valid = [one for own in kinds for one in getattr(catalog, own)]
    valid += [alias for own in kinds if own != "models" for row in catalog.table(own).values() for alias in row.aliases]
    raise UnknownName("catalog name", name, valid)


def _is_path(name: str) -> bool:
    return name.endswith(".json") or name.startswith((".", "/", "~")) or Path(name).is_dir()


def _find(catalog: Catalog, kind: str, name: str, exact: bool) -> Row | str | None:
    """Return the row, or the id of the model, that `name` means in this kind."""
    if kind == "models":
        from groundplan.workload.models import find_model

        return (name if name in catalog.models else None) if exact else find_model(name, catalog.models)
    if exact:
        return catalog.table(kind).get(name)
    try:
        return catalog.table(kind)[catalog.find(kind, name)]
    except UnknownName:
        return None


def _shown_row(catalog: Catalog, kind: str, row: Row) -> ShownRow:
    attributes = {
        name: ShownFigure(figure.value, figure.unit, figure.evidence.value, figure.source, figure.note)
        for name, figure in row.figures.items()
        if name not in ("name", "aliases")
    }
    prices = tuple(catalog.prices_of(row.id)) if kind == "hosts" else ()
    return ShownRow(
        "groundplan/catalog-show/1", catalog.version, kind, row.id, row.name, row.aliases, attributes, prices
    )


def _shown_model(catalog: Catalog, name: str) -> ShownModel:
    from groundplan.workload.models import load_model

    model = load_model(name, catalog)
    plain = plain_json(model)
    known = ("id", "name", "parameters", "active_parameters", "source")
    return ShownModel(
        "groundplan/catalog-show/1",
        catalog.version,
        "models",
        model.id,
        model.name,
        model.parameters,
        getattr(model, "active_parameters", model.parameters),
        {key: value for key, value in plain.items() if key not in known},
        model.source,
    )


def catalog_check(catalog: Catalog) -> CatalogCheck:
    """Return every problem of the catalog, the user's rows included."""
    try:
        report = check_catalog(catalog)
    except GroundplanError as error:
        return CatalogCheck("groundplan/catalog-check/1", "", 0, 0, (str(error),))
    return CatalogCheck("groundplan/catalog-check/1", catalog.version, report.rows, report.figures, report.problems)
