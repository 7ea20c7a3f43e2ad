"""Plans over the web: a brief and what replaces values of it, from an address or a typed request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError, UnknownName
from groundplan.questions.briefs import plan_any, read_any
from groundplan.questions.shared import MODEL
from groundplan.web.asking import LONGEST, given_by
from groundplan.workload.yaml_source import load_yaml

NAME = "plan"
LABEL = "the brief"
OF_FILES = ("hf_config", "requests")  # keys of a brief that name files
EXAMPLES = {"train": "Train a model", "serve": "Serve a model", "pipeline": "Chain stages", "mission": "Fly a mission"}
SETS = {
    "train": {
        "goal.deadline": "Deadline, e.g. 3 d",
        "goal.budget": "Budget, e.g. 15000 USD",
        "goal.max_accelerators": "Most accelerators",
        "candidates.accelerators": "Accelerators, e.g. h100-sxm",
    },
    "serve": {
        "serve.traffic.rate": "Requests per second",
        "serve.limits.ttft_p95": "First token, e.g. 2 s",
        "serve.limits.tpot_p95": "A token, e.g. 50 ms",
        "candidates.accelerators": "Accelerators, e.g. [h100-sxm, mi300x]",
    },
    "pipeline": {"pipeline.rate": "Items per second", "pipeline.peak": "Spike, times the rate"},
    "mission": {"mission.frames_per_second": "Frames per second", "mission.flight": "Flight, e.g. 25 min"},
}


def plan_of(values: Mapping[str, str], catalog: Catalog) -> dict[str, Any]:
    """Return the plan of a brief that came over the web, by the JSON contract.

    Raises
    ------
    GroundplanError
        The brief cannot be understood, or names a file of this machine.
    """
    text = values.get("brief", "")
    if len(text) > LONGEST:
        raise InputError(f"the brief has {len(text):,} characters", f"give at most {LONGEST:,}")
    _refuse_files(load_yaml(text, LABEL).data, catalog)
    sets = [f"{key}={value}" for key, value in values.items() if key != "brief"]
    kind, brief = read_any(LABEL, text, catalog, sets)
    return plan_any(kind, brief, catalog)


def _refuse_files(node: Any, catalog: Catalog) -> None:
    """Raise InputError where a brief names a file: it would be one of this machine."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key in OF_FILES and isinstance(value, str):
                raise InputError(
                    f"{key} names a file, and this is not the machine it is on", "give the numbers themselves"
                )
            if key in ("model", "draft") and isinstance(value, str):
                given_by(MODEL, value, catalog, None)
            _refuse_files(value, catalog)
    elif isinstance(node, list):
        for one in node:
            _refuse_files(one, catalog)


def values_of(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the brief and what replaces its values; the first example where nothing is asked.

    Raises
    ------
    UnknownName, InputError
        A key that no brief has, or one that is given twice.
    """
    pairs = [(key, value) for key, value in given if value.strip()]
    known = {"brief", "example", *(key for keys in SETS.values() for key in keys)}
    values: dict[str, str] = {}
    for key, value in pairs:
        if key not in known:
            raise UnknownName("key", key, known)
        if key in values:
            raise InputError(f"{key} is given twice", "give it once")
        values[key] = value.strip()
    example = values.pop("example", "train")
    if example not in EXAMPLES:
        raise UnknownName("example", example, EXAMPLES)
    return {"brief": values.get("brief") or example_of(example), **values}


def example_of(kind: str) -> str:
    """Return the brief that a page begins with."""
    return files("groundplan.web").joinpath("briefs", f"{kind}.yaml").read_text(encoding="utf-8").strip()
