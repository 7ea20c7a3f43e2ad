"""Device time of one layer for one micro-batch: kernels only, no communication."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundplan.design.cluster import Setting
from groundplan.design.layout import Layout
from groundplan.estimate.blocks import Matmul, dense_share, feed_forward_matmuls, mixer_matmuls, streamed_elements
from groundplan.estimate.rates import Rates
from groundplan.physics.arrays import Floats
from groundplan.physics.attention import (
    attended_pairs,
    attention_flops,
    flash_attention_s,
    flash_efficiency,
    unfused_attention_bytes,
)
from groundplan.physics.gemm import gemm_s
from groundplan.physics.kernels import elementwise_s, launch_bound_s
from groundplan.physics.linear_attention import chunked_elements_per_token, chunked_flops_per_token, scan_s
from groundplan.workload.job import Method, TrainingJob
from groundplan.workload.model import TransformerModel

KERNEL_FIXED_S = 2.0e-6
"""Least time of one memory-bound kernel on a GPU: ramp-up and tail; class assumed."""
FLASH_BACKWARD_FLOPS = 2.5
"""Backward over forward FLOPs of flash attention: five matmuls instead of two (Dao 2023, arXiv 2307.08691)."""
UNFUSED_MATMUL_SHARE = 0.7
"""Share of the sustained rate that the batched matmuls of unfused attention reach; class assumed."""
UNFUSED_SCORE_PASSES = 6.0
"""Passes over the s x s scores, forward, of scale, mask, softmax and dropout in stacks without flash attention."""
SCAN_BACKWARD = 3.3
"""Backward over forward time of a chunked scan: two gradients of each product, and the states once more; derived from
chunk_kda on an RTX 5090 (github.com/MoonshotAI/FlashKDA, BENCHMARK_TRAIN_RTX5090.md)."""
OPERAND_BYTES = {"fp8": 1.0, "int8": 1.0, "fp4": 0.5}
"""Width of the elements a matmul reads where it is narrower than the activations [bytes]."""
NF4_EXPANSION_BYTES = 2.5
"""Read and written for one 4-bit weight that is expanded to 16 bits [bytes]."""
ELEMENTWISE_RUNS = 3.0
"""Times the element-wise work of a forward pass is counted in a step: once forward, twice backward."""
BACKWARD_LAUNCHES = 2.0
"""Kernels launched backward over forward: two matmuls for each one."""


@dataclass(frozen=True, slots=True)
class LayerTime:
    """Seconds of one layer and micro-batch, split by what runs; arrays broadcast over layouts."""

    matmul_forward: Floats
    matmul_input_gradient: Floats
    matmul_weight_gradient: Floats
    attention_forward: Floats
    attention_backward: Floats
    elementwise_forward: Floats
    launch_forward: Floats  # CPU launch time that the kernels do not cover
    launch_backward: Floats

    @property
    def forward_s(self) -> Floats:
        """Forward time, launches included."""
        return self.matmul_forward + self.attention_forward + self.elementwise_forward + self.launch_forward

    @property
    def backward_s(self) -> Floats:
        """Backward time without recomputation, launches included."""
        return (
            self.matmul_input_gradient
            + self.matmul_weight_gradient
            + self.attention_backward
            + 2.0 * self.elementwise_forward
            + self.launch_backward
        )


def layer_time(
    model: TransformerModel, job: TrainingJob, setting: Setting, rates: Rates, layout: Layout, expert: bool
) -> LayerTime:
    """Return the kernel times of a layer; `expert` chooses the mixture-of-experts feed-forward block."""
    tokens = layout.micro_batch * job.sequence / layout.cp
    trains_base = job.method in (Method.PRETRAIN, Method.FULL)
    matmuls = _matmul_times(model, setting, rates, layout, tokens, expert)
    forward, input_gradient, weight_gradient = matmuls
    if not trains_base:
        weight_gradient = np.zeros_like(weight_gradient)
    attention_forward, attention_backward = _attention_times(model, job, setting, rates, layout)
    if model.linear is not None:
        attending, scan = model.attention_layers / model.layers, _scan_time(model, setting, rates, layout, tokens)
        attention_forward = attending * attention_forward + scan
        attention_backward = attending * attention_backward + SCAN_BACKWARD * scan
    elementwise = _elementwise_time(model, setting, rates, layout, tokens, expert)
    elementwise = elementwise + _weight_cast_time(model, job, setting, rates, layout)
    stack = setting.stack
    forward_device = forward + attention_forward + elementwise
    backward_device = input_gradient + weight_gradient + attention_backward + 2.0 * elementwise
    launches = _launches(model, setting, layout, expert)
    return LayerTime(
        forward,
        input_gradient,
        weight_gradient,
        attention_forward,
        attention_backward,
        elementwise,
        _launch_s(forward_device, launches, stack.launch_s, rates),
        _launch_s(backward_device, BACKWARD_LAUNCHES * launches, stack.launch_s, rates),
    )


def _launch_s(device_s: Floats, launches: Floats, launch_s: float, rates: Rates) -> Floats:
    """Seconds of launching that show: what kernels do not cover, or all of it where the host computes itself."""
    waiting = launch_bound_s(device_s, launches, launch_s) - device_s
    return np.where(rates.host_computes, launches * launch_s, waiting)


def _launches(model: TransformerModel, setting: Setting, layout: Layout, expert: bool) -> Floats:
    """Kernels launched for one layer, forward: each local expert brings its own, and narrow operands their casts."""
    stack, casts = setting.stack, 1.0 + setting.precision.quantize_passes
    launches = stack.launches_per_layer * model.block_pairs / model.layers
    if not expert or model.experts is None:
        return launches
    local = model.experts.count / np.asarray(layout.ep)
    return launches + stack.launches_per_moe_layer + casts * stack.launches_per_expert * local


def matmul_times(
    matmul: Matmul, setting: Setting, rates: Rates, tp: Floats, tokens: Floats, count: Floats = 1.0
) -> tuple[Floats, Floats, Floats]:
    """Forward, input-gradient and weight-gradient seconds of one (grouped) linear layer."""
    width = OPERAND_BYTES.get(setting.precision.gemm, setting.precision.activation_bytes)
    return product_times(matmul, rates.gemm_flops_per_s, width, rates, tp, tokens, count)


def product_times(
    matmul: Matmul, rate_flops_per_s: Floats, width: float, rates: Rates, tp: Floats, tokens: Floats, count: Floats
) -> tuple[Floats, Floats, Floats]:
    """As `matmul_times`, at a rate and with operands of a width of its own: the output head stays in 16 bits."""
    inputs = matmul.inputs / tp if matmul.split == "row" else matmul.inputs
    outputs = matmul.outputs / tp if matmul.split == "column" else matmul.outputs
    common = (rate_flops_per_s, rates.memory_bytes_per_s, width, rates.compute_units, count, rates.tile)
    return (
        gemm_s(tokens, outputs, inputs, *common),
        gemm_s(tokens, inputs, outputs, *common),
        gemm_s(inputs, outputs, tokens, *common),
    )


def _matmul_times(
    model: TransformerModel, setting: Setting, rates: Rates, layout: Layout, tokens: Floats, expert: bool
) -> tuple[Floats, Floats, Floats]:
    """Sum over the layer's linear layers."""
    groups: list[tuple[Matmul, Floats, Floats]] = []
    share: Floats = 1.0
    if expert and model.experts is not None:
        experts = model.experts
        local = experts.count / layout.ep
        visits = tokens * experts.top_k * layout.ep / experts.count
        groups += [(m, visits, local) for m in feed_forward_matmuls(model.hidden, experts.width, experts.gated)]
        if np.any(experts.shared_width):
            shared = feed_forward_matmuls(model.hidden, experts.shared_width, experts.gated)
            groups += [(m, tokens, 1.0) for m in shared]
    else:
        dense = feed_forward_matmuls(model.hidden, model.feed_forward.width, model.feed_forward.gated)
        groups += [(m, tokens, 1.0) for m in dense]
        share = dense_share(model)
    weighted = [(*group, share) for group in groups]
    weighted += [(m, tokens, 1.0, part) for m, part in mixer_matmuls(model)]
    times = [
        tuple(part * time for time in matmul_times(m, setting, rates, layout.tp, count_tokens, count))
        for m, count_tokens, count, part in weighted
    ]
    forward, input_gradient, weight_gradient = (sum(parts) for parts in zip(*times, strict=True))
    return forward, input_gradient, weight_gradient


def _attention_times(
    model: TransformerModel, job: TrainingJob, setting: Setting, rates: Rates, layout: Layout
) -> tuple[Floats, Floats]:
    """Forward and backward seconds of the attention core, averaged over full and windowed layers."""
    block, length = model.attention, job.document_length
    full = attended_pairs(length, block.causal, 0)
    windowed = attended_pairs(length, block.causal, block.window) if np.any(block.window) else full
    share = block.windowed_layers / np.maximum(model.attention_layers, 1)
    pairs = full * (1.0 - share) + windowed * share
    per_device = layout.micro_batch * (job.sequence / length) / (layout.tp * layout.cp)
    flops = attention_flops(pairs, block.heads, block.head_dim, block.value_head_dim) * per_device
    if setting.flash_attention:
        forward = flash_efficiency(pairs / length, block.head_dim, rates.flash_forward_share, rates.tile)
        backward = flash_efficiency(pairs / length, block.head_dim, rates.flash_backward_share, rates.tile)
        return (
            flash_attention_s(flops, rates.attention_flops_per_s, forward),
            flash_attention_s(flops * FLASH_BACKWARD_FLOPS, rates.attention_flops_per_s, backward),
        )
    # Unfused kernels compute the full square and mask it.
    square = (
        attention_flops(attended_pairs(length, False, 0), block.heads, block.head_dim, block.value_head_dim)
        * per_device
    )
    moved = (
        unfused_attention_bytes(length, block.heads, setting.precision.activation_bytes, UNFUSED_SCORE_PASSES)
        * per_device
    )
    scores = elementwise_s(moved, rates.memory_bytes_per_s, KERNEL_FIXED_S)
    matmul = flash_attention_s(square, rates.attention_flops_per_s, UNFUSED_MATMUL_SHARE)
    return matmul + scores, 2.0 * (matmul + scores)


def _scan_time(model: TransformerModel, setting: Setting, rates: Rates, layout: Layout, tokens: Floats) -> Floats:
    """Forward seconds of the chunked scan of the linear layers, averaged over all layers."""
    block = model.linear
    if block is None:
        return 0.0
    flops = chunked_flops_per_token(block.heads, block.qk_dim, block.value_dim, block.corrects, block.chunk)
    elements = chunked_elements_per_token(
        block.heads, block.qk_dim, block.value_dim, streamed_elements(block), block.chunk
    )
    moved = elements * setting.precision.activation_bytes
    one = scan_s(flops, moved, rates.attention_flops_per_s, rates.memory_bytes_per_s)
    return model.linear_layers / model.layers * tokens / layout.tp * one


def _elementwise_time(
    model: TransformerModel, setting: Setting, rates: Rates, layout: Layout, tokens: Floats, expert: bool
) -> Floats:
    """Forward seconds of norms, residuals, activations, rotary, routing and casts."""
    width, stack = setting.precision.activation_bytes, setting.stack
    blocks = model.block_pairs / model.layers
    residual = tokens * model.hidden * width * stack.memory_passes_per_layer * blocks
    residual = residual / np.where(layout.sequence_parallel, layout.tp, 1)
    residual = residual + tokens * model.hidden * width * stack.split_passes_per_layer * blocks / layout.tp
    if expert and model.experts is not None:
        inner: Floats = model.experts.width * model.experts.top_k + model.experts.shared_width
        permute = stack.permute_passes * model.experts.top_k * tokens * model.hidden * width / layout.tp
        gated = model.experts.gated
    else:
        inner, permute, gated = dense_share(model) * model.feed_forward.width, 0.0, model.feed_forward.gated
    activation = tokens * inner / layout.tp * width * (3.0 if gated else 2.0)
    quantize = setting.precision.quantize_passes * tokens * (2.0 * model.hidden + inner / layout.tp) * width
    fixed = KERNEL_FIXED_S * stack.launches_per_layer * blocks
    return elementwise_s(residual + activation + permute + quantize, rates.memory_bytes_per_s, fixed)


def _weight_cast_time(
    model: TransformerModel, job: TrainingJob, setting: Setting, rates: Rates, layout: Layout
) -> Floats:
    """Seconds of one of a layer's three element-wise runs in which weights are turned into the width of the matmuls.

    4-bit weights are expanded to 16 bits: half a byte read, two written. Autocast turns fp32 weights and gradients.
    """
    moved = NF4_EXPANSION_BYTES if job.method is Method.QLORA else setting.precision.cast_bytes / ELEMENTWISE_RUNS
    per_layer = (model.parameters - model.embedding_parameters) / model.layers
    return moved * per_layer / layout.tp / rates.memory_bytes_per_s
