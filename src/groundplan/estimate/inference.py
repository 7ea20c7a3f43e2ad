"""A vision model at inference: the seconds of a batch on one device, as a replica that a simulation takes."""

from __future__ import annotations

import math

import numpy as np

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Accelerator
from groundplan.errors import InputError
from groundplan.estimate.formats import multiplied, weight_format
from groundplan.estimate.rates import sustained_share
from groundplan.estimate.replica import IterationLaw, Replica
from groundplan.estimate.sample import HALF_SPEED_BATCH
from groundplan.physics.arrays import Floats
from groundplan.workload.model import SampleModel

CONVOLUTION_SHARE = 0.45
"""Share of the sustained matmul rate that convolutions reach at large batches; as in training, class derived."""
BATCH_S = 1.0e-3
"""Fixed time of a batch: copy to the device, launches, answer; class assumed."""
INFERENCE_PASSES = 2.0
"""Reads and writes of the activations when layers are fused; class assumed."""
START_S = 45.0
"""Start of a process with a compiled vision model; class assumed."""


def batch_s(model: SampleModel, precision: str, accelerator: Accelerator, catalog: Catalog, batch: Floats) -> Floats:
    """Return the seconds of a batch of samples: ``fixed + max(FLOPs / rate, bytes / memory rate)``.

    Raises
    ------
    InputError
        The FLOPs of a sample, the memory bandwidth or the matmul rate are unknown.
    """
    if model.forward_flops_per_sample is None:
        raise InputError(f"the FLOPs per sample of {model.name} are unknown", "add a catalog row that states them")
    if accelerator.memory_bytes_per_s is None:
        raise InputError(f"the memory bandwidth of {accelerator.name} is unknown", "add it to its catalog row")
    weights = weight_format(precision)
    peak, width = multiplied(weights, accelerator)
    best, _ = sustained_share(accelerator, catalog.accelerators.values())
    filled = batch / (batch + HALF_SPEED_BATCH)
    compute = batch * model.forward_flops_per_sample / (peak * best * CONVOLUTION_SHARE * filled)
    activations = INFERENCE_PASSES * batch * (model.activation_elements_per_sample or 0.0) * width
    moved = model.parameters * weights.weight_bytes + activations
    share = catalog.architecture_of(accelerator).stream_share
    return BATCH_S + np.maximum(compute, moved / (accelerator.memory_bytes_per_s * share))


def vision_replica(
    model: SampleModel,
    precision: str,
    accelerator: Accelerator,
    catalog: Catalog,
    batch: int,
    usd_per_hour: float | None,
) -> Replica:
    """Return one device that takes up to `batch` samples at once: a sample is a request of one token in and one out."""
    sizes = np.arange(1.0, batch + 1.0)
    seconds = np.concatenate([[0.0], batch_s(model, precision, accelerator, catalog, sizes)])
    watts = math.nan if accelerator.tdp_w is None else accelerator.tdp_w
    return Replica(
        law=IterationLaw(seconds, 0.0, 0.0, 0.0, 0.0),
        devices=1,
        kv_tokens=1 << 30,
        block_tokens=1,
        max_sequences=batch,
        max_batched_tokens=batch,
        chunked_prefill=True,
        prefix_caching=False,
        kv_token_bytes=0.0,
        request_s=0.0,
        start_s=START_S,
        watts_busy=watts,
        watts_idle=0.3 * watts,
        usd_per_hour=usd_per_hour,
    )
