"""What differs between two results of the JSON contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from groundplan.evidence import Result

UNCOMPARED = frozenset({"explain", "tool_version"})
"""Formula trees repeat the numbers they explain; the tool's version is no property of a plan."""


@dataclass(frozen=True, slots=True)
class Difference(Result):
    """One changed value; `change` is b / a - 1 for numbers, None otherwise."""

    path: str
    a: Any
    b: Any
    change: float | None


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    """Return every leaf that differs, in the order of `a`, then what only `b` has.

    Predictions are compared by their value. A leaf that one side lacks is None there.
    """
    left, right = dict(_leaves(a, "")), dict(_leaves(b, ""))
    paths = list(left) + [path for path in right if path not in left]
    return [
        Difference(path, left.get(path), right.get(path), _change(left.get(path), right.get(path)))
        for path in paths
        if left.get(path) != right.get(path)
    ]


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        if set(value) == {"value", "low", "high"}:
            yield path, value["value"]
            return
        for key, item in value.items():
            if key not in UNCOMPARED:
                yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def _change(a: Any, b: Any) -> float | None:
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (a, b))
    return b / a - 1.0 if numbers and a else None
