"""Task: compare two saved plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundplan.errors import InputError
from groundplan.evidence import Result
from groundplan.plan.diff import Difference, differences


@dataclass(frozen=True, slots=True)
class DiffResult(Result):
    """Every value that differs."""

    schema: str
    rows: tuple[Difference, ...]


def diff(a: Mapping[str, Any], b: Mapping[str, Any]) -> DiffResult:
    """Return what changed from the saved result `a` to `b`.

    Raises
    ------
    InputError
        When the two are answers to different commands.
    """
    kinds = [str(saved.get("schema", "")).rsplit("/", 1)[0] for saved in (a, b)]
    if not all(kind.startswith("groundplan/") for kind in kinds):
        raise InputError(
            "both files must be saved results of groundplan", "save one with --format json --out plan.json"
        )
    if kinds[0] != kinds[1]:
        raise InputError(f"cannot compare {kinds[0]} with {kinds[1]}", "compare two results of the same command")
    return DiffResult("groundplan/diff/1", tuple(differences(a, b)))
