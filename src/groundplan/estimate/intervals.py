"""The 80 % interval of a step time, from what published runs measured against what we predict, by regime."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from groundplan.catalog.schema import DATA
from groundplan.design.cluster import Setting
from groundplan.evidence import Assumption
from groundplan.workload.job import Method
from groundplan.workload.model import Model, TransformerModel

SERVING_MEMORY = (0.95, 1.10)
"""Factors on the memory of serving; class assumed."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Factors on a predicted time; `rows` published runs stand behind them, 0 = none of this regime."""

    low: float
    high: float
    rows: int
    source: str

    def assumption(self) -> Assumption:
        """Return the interval as a plan lists it."""
        behind = f"{self.rows} published runs of this stack on this architecture: " if self.rows else ""
        return Assumption(
            "step_interval", f"{self.low:.3g} to {self.high:.3g} of the value", "", "derived", behind + self.source
        )


def step_interval(model: Model, stack: str, architecture: str, nodes: int) -> Interval:
    """Return the interval of a regime: a stack on an architecture, dense or with experts, on one node or many.

    Where nothing of its kin was measured, the one of all sets together. The published runs are of transformers: other
    models always take that.
    """
    regimes = _regimes()
    if not isinstance(model, TransformerModel):
        return regimes["", "", "no", ""]
    sparse = "no" if model.experts is None else "yes"
    return regimes.get((stack, architecture, sparse, scale_of(nodes))) or regimes["", "", sparse, ""]


def scale_of(nodes: int) -> str:
    """Return the scale of a run, as intervals of step times tell them apart."""
    return "one" if nodes == 1 else "many"


@cache
def _regimes() -> Mapping[tuple[str, str, str, str], Interval]:
    with (DATA / "intervals.csv").open(encoding="utf-8", newline="") as file:
        return {
            (line["stack"], line["architecture"], line["experts"], line["nodes"]): Interval(
                float(line["low"]), float(line["high"]), int(line["rows"]), line["source"]
            )
            for line in csv.DictReader(file)
        }


def memory_interval(method: Method, stack: str, devices: str) -> tuple[float, float]:
    """Return the factors between which 80 % of measured peaks lie.

    Of the stack on one device or many; else of the method there under any stack; else of the method anywhere.
    """
    regimes = _memory_regimes()
    keys = ((stack, method.value, devices), ("", method.value, devices), ("", method.value, ""))
    return next(regimes[key] for key in keys if key in regimes)


def devices_of(setting: Setting) -> str:
    """Return whether a setting is one device or many, as intervals of memory tell them apart."""
    return "one" if setting.cluster.accelerators == 1 else "many"


@cache
def _memory_regimes() -> Mapping[tuple[str, str, str], tuple[float, float]]:
    with (DATA / "memory_intervals.csv").open(encoding="utf-8", newline="") as file:
        return {
            (line["stack"], line["method"], line["devices"]): (float(line["low"]), float(line["high"]))
            for line in csv.DictReader(file)
        }
