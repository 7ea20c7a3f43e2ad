"""How many parameters one device holds under a layout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundplan.design.layout import Layout
from groundplan.physics.arrays import Floats
from groundplan.workload.job import Method, TrainingJob
from groundplan.workload.model import TransformerModel


@dataclass(frozen=True, slots=True)
class DeviceParameters:
    """Parameters of the fullest pipeline stage on one device, before any ZeRO sharding."""

    dense: Floats  # attention, dense feed-forward, shared experts, norms, embeddings
    experts: Floats


def device_parameters(model: TransformerModel, layout: Layout) -> DeviceParameters:
    """Split the model over tensor, pipeline and expert parallel ranks.

    The fullest stage holds ``ceil(layers / pp)`` layers and, where the embeddings are not spread, one table.
    """
    experts_total = 0.0
    if model.experts is not None:
        gates = 3.0 if model.experts.gated else 2.0
        experts_total = gates * model.hidden * model.experts.width * model.experts.count * model.experts.layers
    body = model.parameters - model.embedding_parameters - experts_total
    share = np.ceil(model.layers / layout.pp) / model.layers
    table = model.vocabulary * model.hidden
    embeddings = np.where(np.asarray(layout.pp) > 1, float(table), float(model.embedding_parameters))
    dense = (body * share + embeddings) / layout.tp
    return DeviceParameters(dense, experts_total * share / (layout.tp * layout.ep))


def trained_share(model: TransformerModel, job: TrainingJob, adapter_parameters: float) -> float:
    """Share of the parameters the optimizer updates: 1, or the adapters' share for LoRA and QLoRA."""
    if job.method in (Method.LORA, Method.QLORA):
        return adapter_parameters / model.parameters
    return 1.0
