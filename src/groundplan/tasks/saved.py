"""Saved results: the design that one is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.errors import InputError


def saved_design(saved: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the design a saved result is about: the recommended one, else the nearest that is feasible, else itself.

    Raises
    ------
    InputError
        The result is damaged, or a plan without any design.
    """
    if "recommended" not in saved:
        return saved
    recommended, nearest = saved["recommended"], saved.get("nearest_feasible")
    if isinstance(recommended, Mapping):
        return recommended
    if recommended is not None or not isinstance(nearest, list | None):
        raise InputError("the saved plan is damaged", "make it again: groundplan plan brief.yaml --out plan.json")
    if not nearest or not isinstance(nearest[0], Mapping):
        raise InputError("this plan has no design", "loosen the goal or the candidates and plan again")
    return nearest[0]
