"""Peak memory of many cases at once, as the figure that each source measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import numpy as np

from groundplan.catalog.catalog import Catalog
from groundplan.estimate.intervals import devices_of, memory_interval
from groundplan.estimate.memory import OUTSIDE_ALLOCATOR
from groundplan.validation.predict import batches
from groundplan.validation.reading import Case
from groundplan.validation.score import Predicted
from groundplan.workload.job import Method


class Figure(StrEnum):
    """What a source calls peak memory."""

    ALLOCATED = "allocated"  # torch.cuda.max_memory_allocated
    RESERVED = "reserved"  # torch.cuda.max_memory_reserved: with the allocator's slack
    DEVICE = "device"  # nvidia-smi: with context and libraries


def measured_figure(case: Case) -> Figure:
    """Return the figure a source measured: as its notes say, else what its framework prints."""
    notes = case.run.text("notes").lower()
    if "reserved" in notes:
        return Figure.RESERVED
    if "nvidia-smi" in notes or "device reports" in notes:
        return Figure.DEVICE
    if "alloc" in notes or case.setting.stack.id != "megatron-2021":
        return Figure.ALLOCATED
    return Figure.DEVICE


def predict_peaks(cases: Sequence[Case], catalog: Catalog) -> Predicted:
    """Predict the peak memory of every case, as its source measured it [bytes]."""
    values = np.empty(len(cases))
    terms: list[Mapping[str, float]] = [{}] * len(cases)
    for batch in batches(cases, catalog):
        size = len(batch.index)
        columns = {name: np.broadcast_to(value, size) for name, value in batch.memory(catalog).items()}
        for row, place in enumerate(batch.index):
            left_out = _left_out(measured_figure(cases[place]))
            own = {name: float(column[row]) for name, column in columns.items() if name not in left_out}
            values[place], terms[place] = sum(own.values()), own
    intervals = [memory_interval(case.job.method, case.setting.stack.id, devices_of(case.setting)) for case in cases]
    low, high = (np.asarray([one[end] for one in intervals]) for end in (0, 1))
    return Predicted(values, values * low, values * high, tuple(terms))


def _left_out(figure: Figure) -> tuple[str, ...]:
    """Terms that a figure does not hold."""
    return {Figure.ALLOCATED: OUTSIDE_ALLOCATOR, Figure.RESERVED: ("framework",), Figure.DEVICE: ()}[figure]


def peak_set(case: Case) -> str:
    """Return the set of a case: stack, method, one device or many, figure."""
    method = "pre-training" if case.job.method is Method.PRETRAIN else case.job.method.value
    return f"{case.setting.stack.id} / {method} / {devices_of(case.setting)} / {measured_figure(case)}"
