"""Step times of many cases at once: cases of one structure become columns, and the laws run once for each structure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundplan.catalog.catalog import Catalog
from groundplan.design.cluster import Setting
from groundplan.design.layout import Layout, Recompute
from groundplan.estimate.memory import memory_terms, peak_bytes
from groundplan.estimate.rates import Rates, resolve_rates
from groundplan.estimate.step import StepTime, step_time
from groundplan.validation.columns import stacked, structure
from groundplan.validation.reading import Case
from groundplan.workload.job import TrainingJob

Array = NDArray[np.floating]

LIGHTEST = 0.85
"""Share of the predicted peak that must fit for a recomputation to be taken where a source leaves it open: published
runs are tuned to the last gigabyte, in ways no table states."""
JOB_NUMBERS = ("sequence", "document_length", "global_batch", "tokens")
"""What of a job differs between the cases of a batch."""
OPEN_RECOMPUTE = (
    (Recompute.NONE, 0.0),
    (Recompute.SELECTIVE, 0.0),
    *((Recompute.BLOCK, part / 8) for part in range(1, 8)),
    (Recompute.FULL, 1.0),
)
"""What is tried where a source leaves recomputation open: mode and share of the layers, the lightest first."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Cases of one structure as columns; `index` are their places among all cases."""

    index: NDArray[np.integer]
    job: TrainingJob
    layout: Layout
    settings: tuple[Setting, ...]  # the different ones
    which: NDArray[np.integer]  # the setting of each case
    capacity_bytes: Array

    def rates(self, settings: Sequence[Setting], catalog: Catalog) -> Rates:
        """Return the rates of `settings`, one for each of the batch's own, as columns."""
        known = catalog.accelerators.values()
        columns: Any = stacked([resolve_rates(setting, known) for setting in settings])
        picked = {field.name: getattr(columns, field.name) for field in fields(Rates)}
        arrays = {name: column[self.which] for name, column in picked.items() if isinstance(column, np.ndarray)}
        rates: Rates = replace(columns, **arrays)
        return rates

    def step(self, catalog: Catalog, changed: Callable[[Setting], Setting] | None = None) -> StepTime:
        """Predict the steps of the batch, terms as columns; `changed` replaces constants of a setting."""
        settings = [changed(setting) for setting in self.settings] if changed else self.settings
        model: Any = self.job.model
        optimizer = catalog.optimizers[self.job.optimizer]
        return step_time(model, self.job, settings[0], self.rates(settings, catalog), optimizer, self.layout)

    def memory(self, catalog: Catalog) -> Mapping[str, Any]:
        """Return the memory terms of the batch as columns [bytes]."""
        setting, optimizer = self.settings[0], catalog.optimizers[self.job.optimizer]
        return memory_terms(
            self.job.model,
            self.job,
            self.layout,
            setting.precision,
            optimizer,
            setting.stack,
            setting.flash_attention,
        )


def batches(cases: Sequence[Case], catalog: Catalog) -> list[Batch]:
    """Group cases into columns, and settle recomputation where it is open: the lightest that fits."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    shapes: dict[int, Hashable] = {}
    for place, case in enumerate(cases):
        model = case.job.model
        if id(model) not in shapes:
            shapes[id(model)] = _shape(model)
        groups[(shapes[id(model)], _same(case))].append(place)
    return [_batch([cases[place] for place in places], places, catalog) for places in groups.values()]


def _same(case: Case) -> Hashable:
    """What of a case beside its model the laws branch on."""
    setting, job = case.setting, case.job
    stack = setting.stack
    kernels = stack.id, stack.flash_generation, setting.precision.id, setting.flash_attention
    return (*kernels, job.method, job.lora, job.optimizer)


def _shape(model: Any) -> Hashable:
    """What of a model the laws branch on."""
    experts = model.experts
    everywhere = experts is not None and experts.layers == model.layers
    return (structure(model), model.norm_parameters == model.hidden, everywhere, model.dense_layers == 0)


def _batch(cases: Sequence[Case], places: Sequence[int], catalog: Catalog) -> Batch:
    model: Any = stacked([case.job.model for case in cases])
    numbers: dict[str, Any] = {name: _column([getattr(case.job, name) for case in cases]) for name in JOB_NUMBERS}
    job = replace(cases[0].job, model=model, **numbers)
    clusters = {id(case.setting.cluster): case.setting for case in cases}
    order = {key: place for place, key in enumerate(clusters)}
    batch = Batch(
        index=np.asarray(places),
        job=job,
        layout=layout_columns([case.layout for case in cases]),
        settings=tuple(clusters.values()),
        which=np.asarray([order[id(case.setting.cluster)] for case in cases]),
        capacity_bytes=_column([case.setting.cluster.accelerator.memory_bytes or np.inf for case in cases]),
    )
    return _lightest_that_fits(batch, catalog, np.asarray([not case.recompute_known for case in cases]))


def layout_columns(layouts: Sequence[Layout]) -> Layout:
    """Return one layout whose every field is a column."""
    return Layout(*(np.asarray([getattr(layout, field.name) for layout in layouts]) for field in fields(Layout)))


def _lightest_that_fits(batch: Batch, catalog: Catalog, unknown: NDArray[np.bool_]) -> Batch:
    """Return the batch with the least recomputation that fits where none is stated; all of it where nothing fits."""
    mode = np.asarray(batch.layout.recompute).copy()
    share = np.asarray(batch.layout.recompute_share, dtype=float).copy()
    undecided = unknown.copy()
    for recompute, part in OPEN_RECOMPUTE:
        if not undecided.any():
            break
        mode[undecided], share[undecided] = recompute, part
        batch = replace(batch, layout=replace(batch.layout, recompute=mode.copy(), recompute_share=share.copy()))
        undecided &= ~np.asarray(LIGHTEST * peak_bytes(batch.memory(catalog)) <= batch.capacity_bytes)
    return batch


def overfull_notes(batch: Batch, catalog: Catalog) -> list[tuple[str, ...]]:
    """Return for each case of a batch what it is predicted to need, where that does not fit its device."""
    peaks = np.broadcast_to(peak_bytes(batch.memory(catalog)), len(batch.index))
    return [
        (f"does not fit: {peak / 1e9:.0f} GB predicted of {capacity / 1e9:.0f} GB",)
        if LIGHTEST * peak > capacity
        else ()
        for peak, capacity in zip(peaks.tolist(), batch.capacity_bytes.tolist(), strict=True)
    ]


def _column(values: Sequence[float]) -> Any:
    return np.asarray(values, dtype=float)
