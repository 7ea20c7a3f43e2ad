"""How many parameters one device holds and trains under a layout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundplan.design.layout import Layout
from groundplan.estimate.layer_memory import adapter_parameters, model_parameters
from groundplan.estimate.stage_memory import device_parameters as stage_parameters
from groundplan.estimate.stage_memory import fullest_stages
from groundplan.physics.arrays import Floats
from groundplan.workload.job import Lora, Method, TrainingJob
from groundplan.workload.model import SampleModel, TransformerModel


@dataclass(frozen=True, slots=True)
class DeviceParameters:
    """Parameters of the fullest pipeline stage on one device, before any ZeRO sharding."""

    dense: Floats  # attention, dense feed-forward, shared experts, norms, embeddings
    experts: Floats


def device_parameters(job: TrainingJob, model: TransformerModel, layout: Layout) -> DeviceParameters:
    """Return what the fullest stage holds on one device, as the memory estimate counts it."""
    placed = model_parameters(model)
    dense: Floats = 0.0
    experts: Floats = 0.0
    for stage in fullest_stages(model, job, layout, placed):
        here = stage_parameters(layout, placed, stage)
        dense, experts = np.maximum(dense, here[0]), np.maximum(experts, here[1])
    return DeviceParameters(dense, experts)


def trained_parameters(job: TrainingJob) -> Floats:
    """Parameters the optimizer updates: all of them, or the adapters of LoRA and QLoRA."""
    model = job.model
    if job.method not in (Method.LORA, Method.QLORA) or isinstance(model, SampleModel):
        return 1.0 * model.parameters
    dense, expert = adapter_parameters(model, job.lora or Lora())
    expert_layers = model.experts.layers if model.experts else 0
    return model.dense_layers * dense + expert_layers * expert
