"""One training step as named terms that sum, for one layout or a million."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from groundplan.catalog.rows import Optimizer, Stack
from groundplan.design.cluster import Setting
from groundplan.design.layout import Layout, Recompute
from groundplan.estimate.blocks import Matmul
from groundplan.estimate.layer import KERNEL_FIXED_S, LayerTime, layer_time, product_times
from groundplan.estimate.rates import Rates
from groundplan.estimate.shares import DeviceParameters, device_parameters, trained_parameters
from groundplan.estimate.stage_memory import resolve_widths
from groundplan.estimate.traffic import (
    StateTraffic,
    Traffic,
    context_traffic,
    expert_traffic,
    residual_reduction_s,
    stage_hop,
    state_traffic,
    tensor_traffic,
)
from groundplan.physics.arrays import Floats
from groundplan.physics.kernels import elementwise_s
from groundplan.physics.memory import nf4_bytes_per_parameter
from groundplan.physics.overlap import exposed_s
from groundplan.physics.pipeline import pipeline_s
from groundplan.workload.job import Method, TrainingJob
from groundplan.workload.model import TransformerModel

JITTER_PER_DOUBLING = 0.004
"""Share of the step lost to stragglers for each doubling of the number of nodes: llm-foundry's weak scaling on H100
loses 2.5 % from 16 to 64 nodes and published series 1-3 % per decade; class derived."""
NEWTON_SCHULZ_FLOPS = 30.0
"""FLOPs per parameter and unit of the smaller matrix side of Muon's five Newton-Schulz steps, each of three products
(Jordan 2024, github.com/KellerJordan/Muon): 5 x (4 + 2)."""
CONTEXT_OVERLAP = 0.9
"""Share of the exchange of keys and values that ring attention hides under the attention of the block before
(Liu 2023, arXiv 2310.01889); class assumed."""
FP32_BYTES = 4.0
FUSED_LOSS_PASSES = 2.0
PLAIN_LOSS_PASSES = 5.0
"""Passes over the fp32 logits, forward and backward: one read and one write when fused; copy, log-softmax, its
gradient and their reads otherwise; class derived."""
LOOKUP_PASSES = 4.0
"""Reads and writes of embedding rows, forward and backward; class derived."""
UPDATE_LAUNCH_S = 1.0e-3
"""Host time of one optimizer step beside its memory traffic: norm, clipping, scheduler, logging; class assumed."""


@dataclass(frozen=True, slots=True)
class StepTime:
    """Seconds of one optimizer step by cause, and the traffic behind them. The terms sum to `total`."""

    terms: dict[str, Floats]
    traffic: tuple[tuple[Traffic, Floats], ...]  # with the exposed seconds of each
    micro_batches: Floats

    @property
    def total(self) -> Floats:
        """Seconds of the whole step."""
        return sum(self.terms.values())


def step_time(
    model: TransformerModel,
    job: TrainingJob,
    setting: Setting,
    rates: Rates,
    optimizer: Optimizer,
    layout: Layout,
) -> StepTime:
    """Predict one optimizer step.

    Parameters
    ----------
    layout : Layout
        Fields are scalars or broadcasting arrays; invalid combinations give meaningless numbers and must be masked.

    Returns
    -------
    StepTime
        Terms [s]; each broadcasts to the layout's shape.
    """
    micro_batches = job.global_batch / (layout.dp * layout.micro_batch)
    stage_layers = np.ceil(model.layers / layout.pp)
    work = _work(model, job, setting, rates, layout)
    repeated = _recomputed(work, layout)
    terms = _compute_terms(work, repeated, stage_layers * micro_batches)
    traffic: list[tuple[Traffic, Floats]] = []

    def show(part: Traffic, shown: Floats) -> Floats:
        terms[part.name] = shown
        traffic.append((part, shown))
        return shown

    stack = setting.stack
    tensor = tensor_traffic(model, job, setting, rates, layout, micro_batches)
    context = context_traffic(model, job, setting, rates, layout, micro_batches)
    experts = expert_traffic(model, job, setting, rates, layout, micro_batches)
    matmul, tensor_share, slowdown = terms["matmul"], stack.overlap_tensor_parallel, stack.compute_slowdown
    inner = show(tensor, exposed_s(tensor.time_s, matmul, tensor_share, slowdown))
    inner = inner + show(context, exposed_s(context.time_s, terms["attention"], CONTEXT_OVERLAP, slowdown))
    inner = (
        inner + show(experts, exposed_s(experts.time_s, matmul, stack.overlap_expert_parallel, slowdown))
    ) / micro_batches

    # The collectives inside a layer run once forward and twice backward.
    forward = stage_layers * work.mix("forward_s") + inner / 3.0
    backward = stage_layers * (work.mix("backward_s") + repeated) + 2.0 * inner / 3.0
    weight_backward = stage_layers * work.mix("matmul_weight_gradient")
    first, last = _ends(model, job, setting, rates, layout)
    missing, layer = stage_layers * layout.pp - model.layers, (forward + backward) / stage_layers
    last = np.maximum(last - np.where(missing >= 1, layer, 0.0), 0.0)
    first = np.maximum(first - np.where(missing >= 2, layer, 0.0), 0.0)
    payload, hop, inside = stage_hop(model, job, setting, rates, layout)
    schedule = (micro_batches, layout.pp, layout.vpp, forward, backward)
    hidden = pipeline_s(*schedule, 0.0, layout.zero_bubble, weight_backward, first, last)
    whole = pipeline_s(*schedule, hop, layout.zero_bubble, weight_backward, first, last)
    piped = np.asarray(layout.pp) > 1
    terms["embedding_and_logits"] = micro_batches * np.where(piped, np.maximum(first, last), first + last)
    terms["pipeline_bubble"] = hidden - micro_batches * (forward + backward) - terms["embedding_and_logits"]
    hops = 2.0 * layout.vpp * np.where(piped, micro_batches, 0.0)
    show(Traffic("pipeline_p2p", "pp", layout.pp, inside, hops * payload, hops * hop), whole - hidden)

    held = device_parameters(job, model, layout)
    fraction = trained_parameters(job) / model.parameters
    trained = DeviceParameters(held.dense * fraction, held.experts * fraction)
    state = state_traffic(setting, rates, layout, held, trained, gathered_width(job, setting), micro_batches)
    shown_gradients, shown_weights = exposed_states(state, stack, layout, forward, backward, micro_batches)
    show(state.gradients, shown_gradients)
    show(state.weights, shown_weights)
    terms["optimizer"], terms["offload"] = optimizer_update(job, setting, rates, optimizer, layout, trained)
    terms["jitter"] = jitter_s(terms, rates, layout)
    return StepTime(terms, tuple(traffic), micro_batches)


def exposed_states(
    state: StateTraffic, stack: Stack, layout: Layout, forward: Floats, backward: Floats, micro_batches: Floats
) -> tuple[Floats, Floats]:
    """Seconds that gradient reduction and weight gathering show.

    Gradients hide under the backward pass of the last micro-batch, from ZeRO-2 on under those of all. Updated weights
    are gathered under the first forward pass; ZeRO-3 gathers under all passes, what gradients leave of them.
    """
    zero = np.asarray(layout.zero)
    share, slowdown = stack.overlap_data_parallel, stack.compute_slowdown
    backwards = backward * np.where(zero >= 2, micro_batches, 1.0)
    gradients = exposed_s(state.gradients.time_s, backwards, share, slowdown)
    left = np.maximum((forward + backward) * micro_batches - state.gradients.time_s, 0.0)
    weights = exposed_s(state.weights.time_s, np.where(zero >= 3, left, forward), share, slowdown)
    return gradients, weights


def jitter_s(terms: Mapping[str, Floats], rates: Rates, layout: Layout) -> Floats:
    """Seconds lost to stragglers: a share of the step for each doubling of the number of nodes."""
    nodes = np.maximum(layout.devices / rates.per_host, 1.0)
    busy: Floats = sum(terms.values())
    return busy * JITTER_PER_DOUBLING * np.log2(nodes)


def _work(model: TransformerModel, job: TrainingJob, setting: Setting, rates: Rates, layout: Layout) -> _Work:
    """Time one dense layer and one with experts, as far as the model has them."""
    expert_layers = model.experts.layers if model.experts else 0
    dense = layer_time(model, job, setting, rates, layout, expert=bool(np.all(expert_layers == model.layers)))
    if np.all(expert_layers == 0) or np.all(expert_layers == model.layers):
        return _Work(dense, dense, 0.0)
    sparse = layer_time(model, job, setting, rates, layout, expert=True)
    return _Work(dense, sparse, expert_layers / model.layers)


def _compute_terms(work: _Work, repeated: Floats, layers: Floats) -> dict[str, Floats]:
    """Seconds of the kernels of all layers and micro-batches of a stage."""
    return {
        "matmul": layers * work.mix("matmul_forward", "matmul_input_gradient", "matmul_weight_gradient"),
        "attention": layers * work.mix("attention_forward", "attention_backward"),
        "elementwise": layers * 3.0 * work.mix("elementwise_forward"),
        "launch": layers * work.mix("launch_forward", "launch_backward"),
        "recompute": layers * repeated,
    }


@dataclass(frozen=True, slots=True)
class _Work:
    """Dense and mixture-of-experts layers of a stage, mixed by their share of the layers."""

    dense: LayerTime
    sparse: LayerTime
    share: float

    def mix(self, *names: str) -> Floats:
        """Mean seconds per layer of the named parts."""
        dense: Floats = sum(getattr(self.dense, name) for name in names)
        if np.all(self.share == 0.0):
            return dense
        sparse: Floats = sum(getattr(self.sparse, name) for name in names)
        return dense * (1.0 - self.share) + sparse * self.share


def _recomputed(work: _Work, layout: Layout) -> Floats:
    """Seconds per layer spent computing the forward pass again."""
    forward, core = work.mix("forward_s"), work.mix("attention_forward")
    return layout.recomputed * forward + np.where(np.asarray(layout.recompute) == Recompute.SELECTIVE, core, 0.0)


def _ends(
    model: TransformerModel, job: TrainingJob, setting: Setting, rates: Rates, layout: Layout
) -> tuple[Floats, Floats]:
    """Seconds per micro-batch, forward and backward: embedding on the first stage, output head and loss on the last.

    Where the vocabulary is split over tensor-parallel ranks, the embedding is summed over them and so is the gradient
    of the head's input.
    """
    tokens = layout.micro_batch * job.sequence / layout.cp
    head = Matmul("logits", 1.0 * model.hidden, 1.0 * model.vocabulary, "column")
    width = setting.precision.activation_bytes
    products = sum(product_times(head, rates.head_flops_per_s, width, rates, layout.tp, tokens, 1.0))
    passes = FUSED_LOSS_PASSES if setting.stack.fused_cross_entropy else PLAIN_LOSS_PASSES
    logits = passes * FP32_BYTES * tokens * model.vocabulary / layout.tp
    loss = elementwise_s(logits, rates.memory_bytes_per_s, KERNEL_FIXED_S)
    rows = LOOKUP_PASSES * setting.precision.activation_bytes * tokens * model.hidden
    lookup = elementwise_s(rows, rates.memory_bytes_per_s, KERNEL_FIXED_S)
    summed = residual_reduction_s(model, job, setting, rates, layout)
    return lookup + summed, products + loss + summed


def gathered_width(job: TrainingJob, setting: Setting) -> float:
    """Width of a weight that ZeRO-3 gathers [bytes]: four bits and its scales under QLoRA."""
    return nf4_bytes_per_parameter() if job.method is Method.QLORA else setting.precision.communicated_weight_bytes


def optimizer_update(
    job: TrainingJob, setting: Setting, rates: Rates, optimizer: Optimizer, layout: Layout, trained: DeviceParameters
) -> tuple[Floats, Floats]:
    """Seconds of the optimizer step on the device, and of an offloaded one on the host with its PCIe traffic.

    Gradients and weights are read or written once, master copy and states read and written. Matrix optimizers (Muon)
    add work by the smaller side of a weight matrix, taken as the hidden size.
    """
    widths = resolve_widths(job.model, job, setting.precision, optimizer, setting.stack)
    sharded = np.asarray(layout.zero) >= 1
    own = trained.dense / np.where(sharded, layout.shard, 1) + trained.experts / np.where(
        sharded, np.maximum(layout.shard // layout.ep, 1), 1
    )
    moved = widths.gradient + 2.0 * widths.state + widths.weight
    matrix = 0.0
    if optimizer.matrix_flops and isinstance(job.model, TransformerModel):
        matrix = NEWTON_SCHULZ_FLOPS * job.model.hidden / rates.gemm_flops_per_s
    on_device = own * (moved / rates.memory_bytes_per_s + matrix) + UPDATE_LAUNCH_S
    wire = own * (widths.gradient + widths.weight) / rates.pcie_bytes_per_s
    on_host = own * moved / rates.host_memory_bytes_per_s + wire + UPDATE_LAUNCH_S
    return np.where(layout.offload, 0.0, on_device), np.where(layout.offload, on_host, 0.0)
