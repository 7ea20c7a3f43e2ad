"""Task: show how one number of a saved plan was computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundplan.errors import InputError, UnknownName
from groundplan.evidence import Result


@dataclass(frozen=True, slots=True)
class ExplainResult(Result):
    """The formula tree of one metric of one design."""

    schema: str
    metric: str
    design: str
    term: Mapping[str, Any]


def explain(saved: Mapping[str, Any], metric: str) -> ExplainResult:
    """Return the formula tree of `metric` from a saved `plan`, `train` or `memory` result.

    Of an infeasible plan the nearest feasible answer is explained.

    Raises
    ------
    InputError, UnknownName
    """
    if not str(saved.get("schema", "")).startswith("groundplan/"):
        raise InputError(
            "not a saved result of groundplan", "save one with: groundplan plan brief.yaml --out plan.json"
        )
    design = _design(saved)
    trees = design.get("explain") or {}
    if not trees:
        raise InputError("this result carries no formula trees", "explain a saved plan, train or memory result")
    if not isinstance(trees, Mapping):
        raise InputError("the saved plan is damaged", "make it again: groundplan plan brief.yaml --out plan.json")
    if metric not in trees:
        raise UnknownName("metric", metric, trees)
    name = " ".join(
        str(design[key]) for key in ("provider", "instance", "accelerators", "accelerator") if design.get(key)
    )
    return ExplainResult("groundplan/explain/1", metric, name, trees[metric])


def _design(saved: Mapping[str, Any]) -> Mapping[str, Any]:
    if "recommended" not in saved:
        return saved
    recommended, nearest = saved["recommended"], saved.get("nearest_feasible")
    if isinstance(recommended, Mapping):
        return recommended
    if recommended is not None or not isinstance(nearest, list | None):
        raise InputError("the saved plan is damaged", "make it again: groundplan plan brief.yaml --out plan.json")
    if not nearest or not isinstance(nearest[0], Mapping):
        raise InputError("this plan has no design to explain", "loosen the goal or the candidates and plan again")
    return nearest[0]
