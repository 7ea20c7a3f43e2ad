"""Memory of one device at its peak moment in training, by term. Layout fields may be arrays; terms broadcast."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from groundplan.catalog.rows import Optimizer, Precision, Stack
from groundplan.design.layout import Layout
from groundplan.estimate.layer_memory import model_parameters
from groundplan.estimate.stage_memory import (
    LayerBytes,
    Terms,
    Widths,
    activation_terms,
    buffer_terms,
    by_zero_stage,
    fullest_stages,
    resolve_widths,
    state_terms,
    trained_parameters,
)
from groundplan.physics.arrays import Floats
from groundplan.workload.job import TrainingJob
from groundplan.workload.model import Model, SampleModel, known_activations

OUTSIDE_ALLOCATOR = ("framework", "fragmentation")


def memory_terms(
    model: Model,
    job: TrainingJob,
    layout: Layout,
    precision: Precision,
    optimizer: Optimizer,
    stack: Stack,
    flash_attention: bool,
) -> Terms:
    """Return the bytes one device of the fullest pipeline stage holds at its peak moment.

    Parameters
    ----------
    model, job, layout : Model, TrainingJob, Layout
        What is trained and how it is laid out; layout fields may be arrays.
    precision, optimizer, stack : Precision, Optimizer, Stack
        Catalog rows.
    flash_attention : bool
        Whether attention avoids storing the scores.

    Returns
    -------
    dict[str, Floats]
        `weights`, `adapters`, `gradients`, `optimizer_states`, `gather_buffers`, `communication_buffers`,
        `activations`, `working_set`, `logits`, `update_buffers`, `framework`, `fragmentation`. [bytes]
        They sum to `peak_bytes`.

    Notes
    -----
    Three moments compete beside the states: the loss (all saved activations and the logits), the backward pass
    of one layer (all saved activations, that layer's recomputed ones and their gradients), and the update
    (fp32 copies of narrow gradients). The largest counts; what only the others hold is zero. Stages compete in
    the same way: the first has the most micro-batches in flight and the embedding, the last has the head.
    """
    widths = resolve_widths(model, job, precision, optimizer, stack)
    held: Terms = {}
    if isinstance(model, SampleModel):
        held = _sample_terms(model, layout, widths)
    else:
        parameters = model_parameters(model)
        layer = LayerBytes.under(model, job, layout, widths.activation, stack, flash_attention)
        for stage in fullest_stages(model, job, layout, parameters):
            terms = state_terms(model, job, layout, parameters, widths, stage)
            step = buffer_terms(model, job, layout, parameters, widths, stage)
            step |= activation_terms(model, job, layout, layer, widths, stage)
            if widths.update:
                full, share = trained_parameters(model, job, layout, parameters, stage)
                copies = widths.update * by_zero_stage(layout, 1, full, share) * np.where(layout.offload, 0.0, 1.0)
                step = _larger(step, {"update_buffers": copies})
            held = _larger(held, terms | step)
    held["framework"] = stack.context_bytes
    held["fragmentation"] = (stack.fragmentation - 1.0) * allocated_bytes(held)
    return held


def peak_bytes(terms: Mapping[str, Floats]) -> Floats:
    """Return what the device must have: the sum of all terms. [bytes]"""
    return _sum(terms.values())


def allocated_bytes(terms: Mapping[str, Floats]) -> Floats:
    """Return what the framework's allocator reports as its peak: no context, no slack. [bytes]"""
    return _sum(value for name, value in terms.items() if name not in OUTSIDE_ALLOCATOR)


def host_bytes(
    model: Model, job: TrainingJob, layout: Layout, precision: Precision, optimizer: Optimizer, stack: Stack
) -> Floats:
    """Return the host memory that CPU offload takes per device: optimizer states and gradients. [bytes]"""
    widths = resolve_widths(model, job, precision, optimizer, stack)
    held: Floats = 0.0
    if isinstance(model, SampleModel):
        held = by_zero_stage(layout, 1, float(model.parameters), model.parameters / np.asarray(layout.shard))
    else:
        parameters = model_parameters(model)
        for stage in fullest_stages(model, job, layout, parameters):
            full, share = trained_parameters(model, job, layout, parameters, stage)
            held = np.maximum(held, by_zero_stage(layout, 1, full, share))
    return np.where(layout.offload, held * (widths.state + widths.gradient), 0.0)


def _sample_terms(model: SampleModel, layout: Layout, widths: Widths) -> Terms:
    """Return the terms of a model known by totals: states as counted, activations as published."""
    full = float(model.parameters)
    share = full / np.asarray(layout.shard)
    on_device = np.where(layout.offload, 0.0, 1.0)
    return {
        "weights": widths.weight * by_zero_stage(layout, 3, full, share),
        "gradients": widths.gradient * by_zero_stage(layout, 2, full, share),
        "optimizer_states": widths.state * by_zero_stage(layout, 1, full, share) * on_device,
        "activations": np.asarray(layout.micro_batch) * known_activations(model) * widths.activation,
    }


def _larger(held: Terms, terms: Terms) -> Terms:
    """Return, element by element, the terms of whichever sums to more; a term one side lacks is zero there."""
    if not held:
        return terms
    more = peak_bytes(terms) > peak_bytes(held)
    names = [*held, *(name for name in terms if name not in held)]
    return {name: np.where(more, terms.get(name, 0.0), held.get(name, 0.0)) for name in names}


def _sum(values: Iterable[Floats]) -> Floats:
    total: Floats = 0.0
    for value in values:
        total = total + value
    return total
