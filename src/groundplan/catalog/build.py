"""Make typed rows of figures: what the schema says goes where."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Any

from groundplan.catalog.loader import known
from groundplan.catalog.rows import Row
from groundplan.catalog.schema import ROW_TYPES, Attribute, schema
from groundplan.errors import CatalogError
from groundplan.evidence import Figure


def typed_row(kind: str, identity: str, figures: Mapping[str, Figure]) -> Row:
    """Return the typed row of `figures`.

    An unknown attribute takes the schema's default, else the field's own, else None.

    Raises
    ------
    CatalogError
        When a required attribute is missing or unknown.
    """
    values: dict[str, Any] = {}
    for attribute in schema()[kind].values():
        if not attribute.field:
            continue
        value = _typed(attribute, known(figures, attribute.name))
        if value is None and attribute.required:
            raise CatalogError(f"{kind} {identity}: {attribute.name} is missing", attribute.description)
        field, _, key = attribute.field.partition(".")
        if key:
            entries = values.setdefault(field, {})
            if value is not None:
                entries[key] = value
        elif value is not None:
            values[field] = value
    for field in _fields_without_default(kind):
        values.setdefault(field, None)
    values["aliases"] = values["aliases"] or ()
    return ROW_TYPES[kind](**{**values, "id": identity, "figures": figures})


def _typed(attribute: Attribute, value: float | str | None) -> Any:
    if value is None:
        if not attribute.default:
            return "" if attribute.type == "text" and attribute.name == "region" else None
        value = attribute.default if attribute.type in ("text", "list") else float(attribute.default)
    if attribute.type == "list":
        return tuple(part.strip() for part in str(value).split("|") if part.strip())
    if attribute.type == "integer":
        return int(value)
    if attribute.type == "flag":
        return bool(value)
    return value


@cache
def _fields_without_default(kind: str) -> tuple[str, ...]:
    return tuple(
        field.name
        for field in dataclasses.fields(ROW_TYPES[kind])
        if field.default is dataclasses.MISSING and field.name not in ("id", "figures")
    )
