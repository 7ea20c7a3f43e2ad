"""Many records of one kind as one record of columns, which the laws take as they take a single one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

LABELS = frozenset({"id", "name", "family", "source", "sustained_source", "resolved"})
"""Fields that no law reads."""


def structure(record: Any, zeros: bool = True) -> Hashable:
    """Return what must agree for records to become columns: all that is no number.

    With `zeros`, also which numbers are zero: models say with a zero that a part is not there.
    """
    if is_dataclass(record) and not isinstance(record, type):
        return (
            type(record).__name__,
            *(structure(getattr(record, field.name), zeros) for field in fields(record) if field.name not in LABELS),
        )
    if isinstance(record, bool | str | Enum | tuple) or record is None:
        return record
    return record == 0 if zeros else True


def stacked(records: Sequence[T]) -> T:
    """Return one record whose numbers are columns [len(records)]; the first one's for all that is no number.

    Records must have the same `structure`.
    """
    first: Any = records[0]
    columns: dict[str, Any] = {}
    for field in fields(first):
        values = [getattr(record, field.name) for record in records]
        head = values[0]
        if field.name in LABELS or head is None or isinstance(head, str | tuple) or _is_switch(head):
            continue
        columns[field.name] = stacked(values) if is_dataclass(head) else np.asarray(values, dtype=float)
    result: T = replace(first, **columns)
    return result


def _is_switch(value: object) -> bool:
    return isinstance(value, bool) or (isinstance(value, Enum) and not isinstance(value, int))
