"""How many parameters one device holds and trains under a layout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundplan.design.layout import Layout
from groundplan.estimate.layer_memory import adapter_parameters, model_parameters
from groundplan.physics.arrays import Floats
from groundplan.workload.job import Lora, Method, TrainingJob
from groundplan.workload.model import SampleModel, TransformerModel


@dataclass(frozen=True, slots=True)
class DeviceParameters:
    """Parameters of the fullest pipeline stage on one device, before any ZeRO sharding."""

    dense: Floats  # attention, dense feed-forward, shared experts, norms, embeddings
    experts: Floats


def device_parameters(model: TransformerModel, layout: Layout) -> DeviceParameters:
    """Split the model over tensor, pipeline and expert parallel ranks.

    The fullest stage holds ``ceil(layers / pp)`` layers and, where there are several stages, one embedding table.
    """
    placed = model_parameters(model)
    expert_layers = model.experts.layers if model.experts else 0
    routed = placed.expert_layer.experts * expert_layers
    body = model.parameters - model.embedding_parameters - routed
    share = np.ceil(model.layers / layout.pp) / model.layers
    embeddings = np.where(np.asarray(layout.pp) > 1, placed.table, float(model.embedding_parameters))
    return DeviceParameters((body * share + embeddings) / layout.tp, routed * share / (layout.tp * layout.ep))


def trained_parameters(job: TrainingJob) -> float:
    """Parameters the optimizer updates: all of them, or the adapters of LoRA and QLoRA."""
    model = job.model
    if job.method not in (Method.LORA, Method.QLORA) or isinstance(model, SampleModel):
        return float(model.parameters)
    dense, expert = adapter_parameters(model, job.lora or Lora())
    expert_layers = model.experts.layers if model.experts else 0
    return model.dense_layers * dense + expert_layers * expert
