"""Views: one module per command turns its JSON contract into a `Document`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from groundplan.errors import InputError
from groundplan.render.document import Document

VIEWS = {
    "plan": "plan",
    "plan-serve": "plan_serving",
    "plan-pipeline": "plan_pipeline",
    "mission": "mission",
    "train": "train",
    "memory": "memory",
    "serve": "serve",
    "simulate-serve": "simulate_serve",
    "allreduce": "allreduce",
    "storage": "storage",
    "checkpoint": "checkpoint",
    "cost": "cost",
    "catalog-list": "catalog",
    "catalog-show": "catalog",
    "catalog-check": "catalog",
    "validate": "validation",
    "calibrate": "calibration",
    "finops-import": "finops.lake",
    "finops-total": "finops.lake",
    "finops-quarantine": "finops.lake",
    "finops-allocate": "finops.allocate",
    "finops-jobs": "finops.jobs",
    "finops-world": "finops.world",
    "finops-anomalies": "finops.anomalies",
    "finops-check": "finops.check",
    "finops-variance": "finops.variance",
    "finops-units": "finops.units",
    "finops-recommend": "finops.recommend",
    "finops-statement": "finops.statement",
    "finops-statements": "finops.statement",
    "finops-tco": "finops.tco",
    "diff": "diff",
    "explain": "explain",
}
"""Command in the schema -> module with `document(result)`."""


def command_of(result: Mapping[str, Any]) -> str:
    """Return the command a result answers, from its schema: ``groundplan/plan/1`` -> ``plan``.

    Raises
    ------
    InputError
        When the mapping is no result of Groundplan, or of a command this version does not know.
    """
    schema = str(result.get("schema", ""))
    owner, _, rest = schema.partition("/")
    command = rest.rpartition("/")[0].replace("/", "-").replace("_", "-")
    if owner != "groundplan" or command not in VIEWS:
        raise InputError(f"not a result this version can show (schema {schema[:60]!r})", "save it again with --out")
    return command


def document_of(result: Mapping[str, Any]) -> Document:
    """Return what a result says to people.

    Raises
    ------
    InputError
        When the result is of no known command, or keys of the contract are missing.
    """
    module = import_module(f"groundplan.render.views.{VIEWS[command_of(result)]}")
    try:
        document: Document = module.document(result)
    except (KeyError, TypeError, AttributeError) as error:
        detail = f" (at {error})" if isinstance(error, KeyError) else ""
        raise InputError(
            f"the result does not follow {result['schema']}{detail}", "save it again with --out"
        ) from error
    return document
