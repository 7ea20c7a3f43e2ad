"""Flags over the file: ``--set goal.deadline=5d`` replaces one key of a brief."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from groundplan.errors import InputError
from groundplan.workload.yaml_source import YamlSource, load_value


def apply_sets(source: YamlSource, sets: Sequence[str]) -> YamlSource:
    """Return the brief with each ``key.path=value`` put in its place; the value is read as YAML.

    A later one wins. Sections that the brief leaves out are made.

    Raises
    ------
    InputError
        No ``=``, an empty key, or a path through something that is not a section.

    Examples
    --------
    >>> brief = YamlSource({"goal": {"deadline": "3 d"}}, {})
    >>> apply_sets(brief, ["goal.deadline=5d", "goal.max_accelerators=64"]).data
    {'goal': {'deadline': '5d', 'max_accelerators': 64}}
    """
    if not sets:
        return source
    data: dict[str, Any] = copy.deepcopy(dict(source.data))
    origins = dict(source.origins)
    for text in sets:
        path, equals, value = text.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(keys):
            raise InputError(f"--set {text[:80]!r} is not key=value", "write e.g. --set goal.deadline=5d")
        section = data
        for depth, key in enumerate(keys[:-1]):
            inner = section.setdefault(key, {})
            if inner is None:
                inner = section[key] = {}
            if not isinstance(inner, dict):
                outer = ".".join(keys[: depth + 1])
                raise InputError(f"--set {path.strip()}: {outer} is not a section", f"set {outer} as a whole")
            section = inner
        section[keys[-1]] = load_value(value, f"--set {path.strip()}")
        origins[".".join(keys)] = "--set"
    return YamlSource(data, origins)
