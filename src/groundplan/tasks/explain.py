"""Task: show how one number of a saved plan was computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundplan.errors import InputError, UnknownName
from groundplan.evidence import Result
from groundplan.tasks.saved import saved_design


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
    design = saved_design(saved)
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
