"""Waste of experiments: configurations that ran again, runs that had lost long before they ended."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import Any

from groundplan.finops.recommend.rows import MOST, Recommendation


def repeated(runs: Sequence[dict[str, Any]], per_month: float) -> list[Recommendation]:
    """Return experiments that ran again with the very same parameters."""
    return [
        Recommendation(
            "duplicate",
            f"experiment {run['experiment']}: {run['repeats']} more runs of a configuration that had finished",
            0.0,
            run["cost"] * per_month,
            f"configuration {run['configuration'][:12]} finished before; repeats cost ${run['cost']:,.0f}",
            "repeats may be meant: seeds that are no parameter, checks",
            f"mlflow runs list --experiment-name {quote(run['experiment'])}",
            frozenset(f"job:{job}" for job in run["jobs"]),
        )
        for run in runs[:MOST]
    ]
