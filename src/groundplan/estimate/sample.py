"""The training step of a model known by its totals per sample: CNNs, diffusion models, recommenders."""

from __future__ import annotations

import numpy as np

from groundplan.catalog.rows import Optimizer
from groundplan.design.cluster import Setting
from groundplan.design.layout import Layout
from groundplan.errors import InputError
from groundplan.estimate.rates import Rates
from groundplan.estimate.shares import DeviceParameters
from groundplan.estimate.step import StepTime, exposed_states, gathered_width, jitter_s, optimizer_update
from groundplan.estimate.traffic import state_traffic
from groundplan.physics.arrays import Floats
from groundplan.workload.job import TrainingJob
from groundplan.workload.model import SampleModel

CONVOLUTION_SHARE = 0.45
"""Share of the sustained matmul rate that convolutions reach, and
ACTIVATION_PASSES: passes over the stored activations, forward and backward, of normalisation and activation layers.
Together they give ResNet-50 about 2,900 images/s on an A100 (github.com/NVIDIA/DeepLearningExamples, AMP); derived."""
ACTIVATION_PASSES = 13.0
HALF_SPEED_BATCH = 16.0
"""Samples in a micro-batch at which kernels reach half of their large-batch rate; class assumed."""


def sample_step_time(
    model: SampleModel, job: TrainingJob, setting: Setting, rates: Rates, optimizer: Optimizer, layout: Layout
) -> StepTime:
    """Predict one optimizer step of data-parallel training; terms [s] broadcast over layouts.

    Raises
    ------
    InputError
        When no source states the model's FLOPs per sample.
    """
    if model.forward_flops_per_sample is None:
        raise InputError(f"the FLOPs per sample of {model.name} are unknown", "add a catalog row that states them")
    micro_batches = job.global_batch / (layout.dp * layout.micro_batch)
    samples = micro_batches * layout.micro_batch
    filled = layout.micro_batch / (layout.micro_batch + HALF_SPEED_BATCH)
    compute = samples * 3.0 * model.forward_flops_per_sample / (rates.gemm_flops_per_s * CONVOLUTION_SHARE * filled)
    elements = model.activation_elements_per_sample or 0.0
    moved = samples * elements * setting.precision.activation_bytes * ACTIVATION_PASSES
    owned = DeviceParameters(np.asarray(float(model.parameters)), np.asarray(0.0))
    state = state_traffic(setting, rates, layout, owned, owned, gathered_width(job, setting), micro_batches)
    forward = (compute + moved / rates.memory_bytes_per_s) / micro_batches / 3.0
    gradients, weights = exposed_states(state, setting.stack, layout, forward, 2.0 * forward, micro_batches)
    update, offload = optimizer_update(job, setting, rates, optimizer, layout, owned)
    terms: dict[str, Floats] = {
        "convolution": compute,
        "elementwise": moved / rates.memory_bytes_per_s,
        "gradient_reduction": gradients,
        "weight_gathering": weights,
        "optimizer": update,
        "offload": offload,
    }
    terms["jitter"] = jitter_s(terms, rates, layout)
    return StepTime(terms, ((state.gradients, gradients), (state.weights, weights)), micro_batches)
