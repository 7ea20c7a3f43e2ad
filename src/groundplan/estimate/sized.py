"""One design as the laws see it: everything but its surroundings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from groundplan.catalog.rows import Optimizer
from groundplan.design.cluster import Setting
from groundplan.design.layout import Layout
from groundplan.estimate.rates import Rates
from groundplan.estimate.step import StepTime
from groundplan.physics.arrays import Floats
from groundplan.workload.job import TrainingJob


@dataclass(frozen=True, slots=True)
class Sized:
    """A job on a cluster in one layout, with its step time and memory."""

    job: TrainingJob
    setting: Setting
    rates: Rates
    optimizer: Optimizer
    layout: Layout
    step: StepTime
    memory: Mapping[str, Floats]
    capacity_bytes: float
