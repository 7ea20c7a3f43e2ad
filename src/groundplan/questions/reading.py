"""From flags to a task's typed request: text with units becomes numbers in base units, by each field's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import date
from typing import Any, TypeVar

from groundplan.errors import InputError, UnknownName
from groundplan.quantities import HOUR_S, parse, parse_whole

Request = TypeVar("Request")

LARGEST = 2**53
TRUE, FALSE = ("yes", "true", "on", "1"), ("no", "false", "off", "0")
DIMENSIONS = (
    ("bytes_per_s", "bytes_per_s"),
    ("per_s", "per_second"),
    ("per_second", "per_second"),
    ("node_days", "count"),
    ("fraction", "fraction"),
    ("utilization", "fraction"),
    ("acceptance", "fraction"),
    ("price", "usd_per_hour"),
    ("usd", "usd"),
    ("bytes", "bytes"),
    ("_s", "seconds"),
)
"""How the end of a field's name says what it measures."""


def build(
    request_type: type[Request],
    flags: Mapping[str, object],
    sets: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
) -> Request:
    """Return the request with the flags that were given and the ``--set`` values on top; the rest by default.

    Parameters
    ----------
    request_type : type
        A frozen dataclass of `groundplan.tasks`.
    flags : mapping
        Field name -> what the flag said; None = not given.
    sets : sequence of str
        ``field=value``; a field may be written with hyphens.
    labels : mapping, optional
        Field name -> what messages call it; else the name with hyphens.

    Raises
    ------
    UnknownName, InputError
        For a ``--set`` without such a field, a value that does not parse, or a required field that is missing.
    """
    known = {field.name: field for field in fields(request_type)}  # type: ignore[arg-type]
    given: dict[str, object] = {name: value for name, value in flags.items() if value is not None}
    for name, value in names_set(sets).items():
        if name not in known:
            raise UnknownName("key of --set", name, known)
        given[name] = value
    called = {name: name.replace("_", "-") for name in known} | dict(labels or {})
    values = {name: typed(value, name, str(known[name].type), called[name]) for name, value in given.items()}
    missing = [
        name
        for name, field in known.items()
        if name not in values and field.default is MISSING and field.default_factory is MISSING
    ]
    if missing:
        flags_missing = ", ".join("--" + called[name].removeprefix("--") for name in missing)
        raise InputError(f"missing {flags_missing}", "see --help for what it means")
    return request_type(**values)


def names_set(sets: Sequence[str]) -> dict[str, str]:
    """Return field name -> value of what ``--set`` says.

    Raises
    ------
    InputError
        For a text that is not ``key=value``.
    """
    found: dict[str, str] = {}
    for text in sets:
        key, equals, value = text.partition("=")
        name = key.strip().replace("-", "_")
        if not equals or not name:
            raise InputError(f"--set {text[:80]!r} is not key=value", "write e.g. --set micro_batch=2")
        found[name] = value.strip()
    return found


def typed(value: object, name: str, annotation: str, label: str) -> Any:
    """Return a value as its field wants it: text stays where text is allowed, units are read where numbers are.

    >>> typed("20 GB", "bytes", "float", "--bytes"), typed("5 min", "write_s", "float | None", "--write")
    (20000000000.0, 300.0)
    >>> typed("bf16", "precision", "str", "p"), typed("yes", "offload", "bool", "o"), typed("6", "hours", "float", "h")
    ('bf16', True, 6.0)
    """
    if not isinstance(value, str):
        return _bounded(value, label)
    if "None" in annotation and value.lower() in ("none", "null", ""):
        return None
    if name == "as_of":
        return _date(value, label)
    if "str" in annotation:
        return value
    if "bool" in annotation:
        if value.lower() not in TRUE + FALSE:
            raise InputError(f"{label}: {value!r} is neither yes nor no", "write yes or no")
        return value.lower() in TRUE
    if "int" in annotation:
        return _bounded(parse_whole(value, label, minimum=0), label)
    return _number(value, name, label)


def _bounded(value: object, label: str) -> object:
    """Return a value that is no whole number beyond what arrays count exactly.

    Raises
    ------
    InputError
        It is.
    """
    if isinstance(value, int) and abs(value) > LARGEST:
        raise InputError(f"{label} is larger than {LARGEST:.0e}", "give a number of this world")
    return value


def _date(text: str, label: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise InputError(f"{label}: {text[:40]!r} is no date", "write year-month-day, e.g. 2026-11-23") from None


def _number(text: str, name: str, label: str) -> float:
    if name == "hours":
        return parse(text, "ratio", label) if _is_bare(text) else parse(text, "seconds", label) / HOUR_S
    dimension = next((dimension for ending, dimension in DIMENSIONS if name.endswith(ending)), "ratio")
    return parse(text, dimension, label)


def _is_bare(text: str) -> bool:
    """Say whether a text is a number without a unit."""
    try:
        float(text.replace(",", ""))
    except ValueError:
        return False
    return True
