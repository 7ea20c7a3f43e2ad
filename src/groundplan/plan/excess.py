"""How far a deployment is from the limits of a service, by its means and what tails usually are to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from groundplan.workload.service import Limits

TAIL_TTFT = 2.5
"""Percentile 95 over the mean of a first token that the search reckons with; a simulation settles what it finds; class
assumed."""


NEARLY = 1.25
"""Times the least excess that a deployment outside the limits may have where it takes more requests: at its very best
it would idle."""


def operating_place(excess: np.ndarray[Any, Any]) -> int:
    """Return the place of the most requests inside the limits; where none is, of the most nearly at their best."""
    kept = np.flatnonzero(excess <= 1.0)
    if not kept.size:
        kept = np.flatnonzero(excess <= NEARLY * excess.min())
    return int(kept[-1])


def excess_of(
    ttft: np.ndarray[Any, Any], tpot: np.ndarray[Any, Any], output: float, limits: Limits, tail_tpot: float
) -> tuple[np.ndarray[Any, Any], list[str]]:
    """Return tails over the limits at each concurrency, the worst of them, and which it is."""
    tails = {
        "ttft_p95": (TAIL_TTFT * ttft, limits.ttft_p95_s),
        "tpot_p95": (tail_tpot * tpot, limits.tpot_p95_s),
        "e2e_p95": (TAIL_TTFT * ttft + tail_tpot * tpot * (output - 1.0), limits.e2e_p95_s),
    }
    stated = {name: tail / limit for name, (tail, limit) in tails.items() if limit is not None}
    if not stated:
        return np.zeros_like(ttft), [""] * len(ttft)
    names, columns = list(stated), np.stack(list(stated.values()))
    return columns.max(axis=0), [names[place] for place in columns.argmax(axis=0)]
