"""The 80 % interval of a step time, from what published runs measured against what we predict, by regime."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from groundplan.catalog.schema import DATA
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
        behind = f"{self.rows} published runs of this stack and architecture: " if self.rows else ""
        return Assumption(
            "step_interval", f"{self.low:.3g} to {self.high:.3g} of the value", "", "derived", behind + self.source
        )


def step_interval(model: Model, stack: str, architecture: str) -> Interval:
    """Return the interval of a regime; where nothing was measured, the wider one of all regimes together.

    The published runs are of transformers: other models always take the wider one.
    """
    regimes = _regimes()
    if not isinstance(model, TransformerModel):
        return regimes["", "", "no"]
    sparse = "no" if model.experts is None else "yes"
    return regimes.get((stack, architecture, sparse)) or regimes["", "", sparse]


@cache
def _regimes() -> Mapping[tuple[str, str, str], Interval]:
    with (DATA / "intervals.csv").open(encoding="utf-8", newline="") as file:
        return {
            (line["stack"], line["architecture"], line["experts"]): Interval(
                float(line["low"]), float(line["high"]), int(line["rows"]), line["source"]
            )
            for line in csv.DictReader(file)
        }


def memory_interval(method: Method) -> tuple[float, float]:
    """Return the factors between which 80 % of measured peaks lie.

    Pre-training and full fine-tuning: 100 published peaks of Megatron-LM, Megatron-DeepSpeed and DeepSpeed. LoRA and
    QLoRA: 18 of LitGPT, widened for coming from one source; QLoRA is predicted low.
    """
    if method is Method.LORA:
        return 0.93, 1.10
    return (1.0, 1.38) if method is Method.QLORA else (0.94, 1.12)
