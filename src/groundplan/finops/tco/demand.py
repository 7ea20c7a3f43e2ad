"""How many accelerators are in use at once: a distribution, from a brief or from what jobs held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundplan.errors import InputError
from groundplan.evidence import Result
from groundplan.finops.lake.engine import query_text, rows
from groundplan.finops.lake.lake import Lake
from groundplan.workload.reading import Reading

TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Usage:
    """Shares of a fleet in use, rising, and the part of the time of each; the parts sum to 1."""

    used: NDArray[Any]
    weights: NDArray[Any]
    source: str

    def summary(self) -> UsageSummary:
        """Return what people ask of a distribution."""
        reached = np.cumsum(self.weights)
        p10, p50, p90 = (float(self.used[np.searchsorted(reached, share - TOLERANCE)]) for share in (0.1, 0.5, 0.9))
        return UsageSummary(float(self.used @ self.weights), p10, p50, p90, float(self.used[-1]), self.source)


@dataclass(frozen=True, slots=True)
class UsageSummary(Result):
    """A distribution in five numbers, and where it is from."""

    mean: float
    p10: float
    p50: float
    p90: float
    peak: float
    source: str


def usage_of(said: Any, reading: Reading, key: str) -> Usage:
    """Return the distribution of a brief: one share, or a list of ``{hours, used}``.

    Raises
    ------
    InputError
        No shares, or hours that do not sum to 100 %.
    """
    steps = said if isinstance(said, list) else [{"hours": 1.0, "used": said}]
    found = []
    for index, step in enumerate(steps):
        place = f"{key}.{index}" if isinstance(said, list) else key
        if not isinstance(step, Mapping) or set(step) != {"hours", "used"}:
            raise reading.wrong(place, "this is no step of a distribution", "write {hours: 30 %, used: 80 %}")
        found.append(
            tuple(reading.from_zero(step[part], "fraction", f"{place}.{part}") or 0.0 for part in ("used", "hours"))
        )
    whole = sum(hours for _, hours in found)
    if abs(whole - 1.0) > TOLERANCE:
        raise reading.wrong(key, f"the hours are {whole:.4%} of the time", "let them sum to 100 %")
    return _usage(found, "the brief")


def usage_of_lake(lake: Lake) -> tuple[Usage, int]:
    """Return the hourly share of the fleet that jobs held, and the accelerators of the fleet.

    Raises
    ------
    InputError
        The lake has no telemetry, or no whole hour of it.
    """
    connection = lake.connect()
    found = rows(connection, query_text("hourly_held"))
    if not found:
        raise InputError(f"{lake} tells no hours of a fleet", "import telemetry and jobs, or give utilization")
    hours = sum(row["hours"] for row in found)
    pairs = [(min(row["gpu_s"] / row["capacity_s"], 1.0), row["hours"] / hours) for row in found]
    return _usage(pairs, f"{hours:,} hours of the lake: accelerators that jobs held"), int(found[0]["gpus"])


def _usage(pairs: Sequence[tuple[float, ...]], source: str) -> Usage:
    used, weights = np.array(sorted(pairs)).T
    return Usage(used, weights, source)
