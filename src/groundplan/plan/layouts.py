"""The fastest layouts of a job on one cluster: memory first, then time, columnar throughout."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import count

import numpy as np

from groundplan.catalog.rows import Optimizer
from groundplan.design.cluster import Setting
from groundplan.design.layout import Bools, Layout
from groundplan.errors import InputError
from groundplan.estimate.memory import host_bytes, memory_terms, peak_bytes
from groundplan.estimate.rates import Rates
from groundplan.estimate.sample import sample_step_time
from groundplan.estimate.step import StepTime, step_time
from groundplan.physics.arrays import Floats
from groundplan.plan.space import layout_grids
from groundplan.workload.job import Overrides, TrainingJob
from groundplan.workload.model import SampleModel

HOST_MEMORY_SHARE = 0.8
"""Share of host memory that offloaded states may take; the rest is the loader's, the page cache and the system's."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """One setting with everything the laws need beside the layout."""

    job: TrainingJob
    setting: Setting
    rates: Rates
    optimizer: Optimizer

    def step(self, layout: Layout) -> StepTime:
        """Time of one step, for one layout or a grid."""
        model = self.job.model
        if isinstance(model, SampleModel):
            return sample_step_time(model, self.job, self.setting, self.rates, self.optimizer, layout)
        return step_time(model, self.job, self.setting, self.rates, self.optimizer, layout)

    def memory(self, layout: Layout) -> dict[str, Floats]:
        """Memory terms of the fullest device."""
        return memory_terms(
            self.job.model,
            self.job,
            layout,
            self.setting.precision,
            self.optimizer,
            self.setting.stack,
            self.setting.flash_attention,
        )

    def fits_host(self, layout: Layout) -> Bools:
        """Whether what is offloaded fits in the host's memory; unknown memory is taken as enough."""
        host = self.setting.cluster.host
        if host.memory_bytes is None or not np.any(layout.offload):
            return True
        offloaded = host_bytes(
            self.job.model, self.job, layout, self.setting.precision, self.optimizer, self.setting.stack
        )
        return np.asarray(offloaded * host.accelerators <= host.memory_bytes * HOST_MEMORY_SHARE)

    @property
    def capacity_bytes(self) -> float:
        """Device memory."""
        capacity = self.setting.cluster.accelerator.memory_bytes
        if capacity is None:
            raise InputError(f"the memory of {self.setting.cluster.accelerator.name} is unknown", "add a catalog row")
        return capacity


@dataclass(frozen=True, slots=True)
class Fastest:
    """What a search over layouts found on one cluster."""

    layouts: tuple[tuple[float, Layout], ...]  # (step seconds, layout), fastest first
    candidates: int
    fitting: int
    least_peak_bytes: float  # of the layout that needs the least memory
    least_layout: Layout | None


def fastest_layouts(workshop: Workshop, fixed: Overrides, keep: int = 3) -> Fastest:
    """Evaluate every layout of the job on the workshop's cluster and keep the fastest that fit.

    Ties are broken by the order of the space, so that the answer is the same every time.
    """
    capacity = workshop.capacity_bytes
    devices, domain = workshop.setting.cluster.accelerators, workshop.rates.domain
    heap: list[tuple[float, int, Layout]] = []
    order = count()
    candidates = fitting = 0
    least, least_layout = float("inf"), None
    for grid in layout_grids(workshop.job, devices, domain, fixed):
        shape = grid.valid.shape
        peak = np.broadcast_to(peak_bytes(workshop.memory(grid.layout)), shape)
        peak = np.where(grid.valid, peak, np.inf)
        candidates += grid.count
        smallest = int(np.argmin(peak))
        if peak.flat[smallest] < least:
            least, least_layout = float(peak.flat[smallest]), grid.at(smallest)
        fits = (peak <= capacity) & workshop.fits_host(grid.layout)
        rows = np.flatnonzero(fits.any(axis=(1, 2)))
        if not len(rows):
            continue
        fitting += int(np.count_nonzero(fits))
        grid, fits = grid.rows(rows), fits[rows]
        seconds = np.where(fits, np.broadcast_to(workshop.step(grid.layout).total, fits.shape), np.inf)
        best = np.argpartition(seconds, min(keep, seconds.size) - 1, axis=None)[:keep]
        for flat in sorted(best.tolist(), key=lambda i: (seconds.flat[i], i)):
            value = float(seconds.flat[flat])
            if not np.isfinite(value):
                break
            entry = (-value, -next(order), grid.at(flat))
            if len(heap) < keep:
                heapq.heappush(heap, entry)
            elif entry > heap[0]:
                heapq.heapreplace(heap, entry)
            else:
                break
    ranked = tuple((-value, layout) for value, _, layout in sorted(heap, key=lambda e: (-e[0], -e[1])))
    return Fastest(ranked, candidates, fitting, least, least_layout)
