"""The user's rows on top of the rows they are like."""

from __future__ import annotations

from collections.abc import Mapping

from groundplan.catalog.build import typed_row
from groundplan.catalog.loader import Figures
from groundplan.catalog.names import NameIndex
from groundplan.catalog.rows import Row
from groundplan.catalog.user_rows import UserRow
from groundplan.errors import CatalogError, InputError, UnknownName


def merged_rows(
    kind: str, mine: Mapping[str, UserRow], built_in: Mapping[str, Figures], index: NameIndex
) -> dict[str, Row]:
    """Return the user's rows of one kind, each with what it inherits.

    Parameters
    ----------
    kind : str
        Kind of the rows.
    mine : mapping
        The user's rows by id.
    built_in : mapping
        Figures of the built-in rows by id.
    index : NameIndex
        Names of the built-in rows, for what people write after `like:`.

    Raises
    ------
    InputError, UnknownName
        When a row is like itself or like nothing known, or lacks a required attribute; names file and line.
    """
    rows = {}
    for identity, row in mine.items():
        figures = _inherited(identity, mine, built_in, index, ())
        try:
            rows[identity] = typed_row(kind, identity, figures)
        except CatalogError as error:
            raise InputError(f"{row.where}: {error.what}", f"give it: {error.mend}") from None
    return rows


def _inherited(
    identity: str,
    mine: Mapping[str, UserRow],
    built_in: Mapping[str, Figures],
    index: NameIndex,
    seen: tuple[str, ...],
) -> Figures:
    row = mine[identity]
    if identity in seen:
        raise InputError(f"{row.where} is like itself", "name another row after like:")
    if row.like is None:
        return dict(row.figures)
    if row.like in mine and row.like != identity:
        base = _inherited(row.like, mine, built_in, index, (*seen, identity))
    else:
        try:
            base = built_in[index.find(row.like)]
        except UnknownName as error:
            raise UnknownName(f"{index.noun} after 'like:' in {row.place}:", error.name, error.nearest) from None
    return {**base, **row.figures}
