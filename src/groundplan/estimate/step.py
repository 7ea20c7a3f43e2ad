"""One training step as named terms that sum, for one layout or a million."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundplan.catalog.rows import Optimizer
from groundplan.design.cluster import Setting
from groundplan.design.layout import Layout, Recompute
from groundplan.estimate.blocks import Matmul
from groundplan.estimate.layer import KERNEL_FIXED_S, LayerTime, layer_time, matmul_times
from groundplan.estimate.rates import Rates
from groundplan.estimate.shares import DeviceParameters, device_parameters, trained_parameters
from groundplan.estimate.traffic import (
    Traffic,
    context_traffic,
    expert_traffic,
    stage_hop,
    state_traffic,
    tensor_traffic,
)
from groundplan.physics.arrays import Floats
from groundplan.physics.kernels import elementwise_s
from groundplan.physics.memory import nf4_bytes_per_parameter
from groundplan.physics.overlap import exposed_s
from groundplan.physics.pipeline import bubble_s
from groundplan.workload.job import Method, TrainingJob
from groundplan.workload.model import TransformerModel

JITTER_PER_DOUBLING = 0.004
"""Share of the step lost to stragglers for each doubling of the number of nodes: llm-foundry's weak scaling on H100
loses 2.5 % from 16 to 64 nodes and published series 1-3 % per decade; class derived."""
NEWTON_SCHULZ_FLOPS = 30.0
"""FLOPs per parameter and unit of the smaller matrix side of Muon's five Newton-Schulz steps, each of three products
(Jordan 2024, github.com/KellerJordan/Muon): 5 x (4 + 2)."""
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
    dense = layer_time(model, job, setting, rates, layout, expert=False)
    expert_layers = model.experts.layers if model.experts else 0
    sparse = layer_time(model, job, setting, rates, layout, expert=True) if expert_layers else dense
    share = expert_layers / model.layers
    work = _Work(dense, sparse, share)
    repeated = _recomputed(work, layout)
    kernels = stage_layers * micro_batches

    ends = _ends(model, job, setting, rates, layout)
    terms: dict[str, Floats] = {
        "matmul": kernels * work.mix("matmul_forward", "matmul_input_gradient", "matmul_weight_gradient"),
        "attention": kernels * work.mix("attention_forward", "attention_backward"),
        "elementwise": kernels * 3.0 * work.mix("elementwise_forward"),
        "launch": kernels * work.mix("launch_forward", "launch_backward"),
        "recompute": kernels * repeated,
        "embedding_and_logits": micro_batches * ends,
    }

    tensor = tensor_traffic(model, job, setting, rates, layout, micro_batches)
    context = context_traffic(model, job, setting, rates, layout, micro_batches)
    experts = expert_traffic(model, job, setting, rates, layout, micro_batches)
    stack = setting.stack
    layer_compute = kernels * (work.mix("forward_s", "backward_s") + repeated)
    attention = terms["attention"]
    shown_tensor = exposed_s(tensor.time_s, terms["matmul"], stack.overlap_tensor_parallel, stack.compute_slowdown)
    shown_context = exposed_s(context.time_s, attention, stack.overlap_data_parallel, stack.compute_slowdown)
    shown_experts = exposed_s(experts.time_s, terms["matmul"], stack.overlap_tensor_parallel, stack.compute_slowdown)
    terms["tensor_parallel"] = shown_tensor
    terms["context_parallel"] = shown_context
    terms["expert_parallel"] = shown_experts

    forward = stage_layers * (work.mix("forward_s"))
    inner = (shown_tensor + shown_context + shown_experts) / micro_batches
    backward = stage_layers * (work.mix("backward_s") + repeated)
    weight_backward = stage_layers * work.mix("matmul_weight_gradient")
    payload, hop = stage_hop(model, job, setting, rates, layout)
    terms["pipeline_bubble"] = bubble_s(
        micro_batches,
        layout.pp,
        layout.vpp,
        forward + inner / 3.0,
        backward + 2.0 * inner / 3.0,
        layout.zero_bubble,
        weight_backward,
    )
    hops = 2.0 * layout.vpp * np.where(np.asarray(layout.pp) > 1, micro_batches, 0.0)
    fill = 2.0 * (layout.pp * layout.vpp - 1)
    pipeline = Traffic("pipeline_p2p", "pp", layout.pp, np.ones_like(layout.pp), hops * payload, hops * hop)
    # Interleaved schedules send ahead of time; plain 1F1B waits for its neighbour.
    shown_hops = np.where(np.asarray(layout.vpp) > 1, 0.2 * hops, hops)
    terms["pipeline_p2p"] = (shown_hops + np.where(np.asarray(layout.pp) > 1, fill, 0.0)) * hop

    owned = device_parameters(model, layout)
    fraction = trained_parameters(job) / model.parameters
    trained = DeviceParameters(owned.dense * fraction, owned.experts * fraction)
    state = state_traffic(setting, rates, layout, owned, trained, gathered_width(job, setting), micro_batches)
    windows = _windows(layout, layer_compute, micro_batches)
    shown_gradients = exposed_s(state.gradients.time_s, windows, stack.overlap_data_parallel, stack.compute_slowdown)
    room = np.maximum(windows - state.gradients.time_s, 0.0)
    shown_weights = exposed_s(state.weights.time_s, room, stack.overlap_data_parallel, stack.compute_slowdown)
    terms["gradient_reduction"] = shown_gradients
    terms["weight_gathering"] = shown_weights
    update, offload = optimizer_update(float(model.hidden), setting, rates, optimizer, layout, trained)
    terms["optimizer"] = update
    terms["offload"] = offload
    nodes = np.maximum(layout.devices / setting.cluster.host.accelerators, 1.0)
    busy: Floats = sum(terms.values())
    terms["jitter"] = busy * JITTER_PER_DOUBLING * np.log2(nodes)
    traffic = (
        (tensor, shown_tensor),
        (context, shown_context),
        (experts, shown_experts),
        (pipeline, terms["pipeline_p2p"]),
        (state.gradients, shown_gradients),
        (state.weights, shown_weights),
    )
    return StepTime(terms, traffic, micro_batches)


@dataclass(frozen=True, slots=True)
class _Work:
    """Dense and mixture-of-experts layers of a stage, mixed by their share of the layers."""

    dense: LayerTime
    sparse: LayerTime
    share: float

    def mix(self, *names: str) -> Floats:
        """Mean seconds per layer of the named parts."""
        dense: Floats = sum(getattr(self.dense, name) for name in names)
        if self.share == 0.0:
            return dense
        sparse: Floats = sum(getattr(self.sparse, name) for name in names)
        return dense * (1.0 - self.share) + sparse * self.share


def _recomputed(work: _Work, layout: Layout) -> Floats:
    """Seconds per layer spent computing the forward pass again."""
    forward, core = work.mix("forward_s"), work.mix("attention_forward")
    return layout.recomputed * forward + np.where(np.asarray(layout.recompute) == Recompute.SELECTIVE, core, 0.0)


def _ends(model: TransformerModel, job: TrainingJob, setting: Setting, rates: Rates, layout: Layout) -> Floats:
    """Seconds per micro-batch of embedding, output head and loss, forward and backward, on the stage that has them."""
    tokens = layout.micro_batch * job.sequence / layout.cp
    head = Matmul("logits", float(model.hidden), float(model.vocabulary), "column")
    forward, input_gradient, weight_gradient = matmul_times(head, setting, rates, layout.tp, tokens)
    passes = 2.0 if setting.stack.fused_cross_entropy else 5.0
    loss = elementwise_s(passes * 4.0 * tokens * model.vocabulary / layout.tp, rates.memory_bytes_per_s, KERNEL_FIXED_S)
    lookup = elementwise_s(
        4.0 * setting.precision.activation_bytes * tokens * model.hidden, rates.memory_bytes_per_s, KERNEL_FIXED_S
    )
    return forward + input_gradient + weight_gradient + loss + lookup


def gathered_width(job: TrainingJob, setting: Setting) -> float:
    """Width of a weight that ZeRO-3 gathers [bytes]: four bits and its scales under QLoRA."""
    return nf4_bytes_per_parameter() if job.method is Method.QLORA else setting.precision.communicated_weight_bytes


def _windows(layout: Layout, layer_compute: Floats, micro_batches: Floats) -> Floats:
    """Compute time under which data-parallel traffic can hide.

    ZeRO-2 and 3 communicate in every micro-batch; the others while the last micro-batch runs backward and, for the
    gather of updated weights, while the first runs forward.
    """
    return np.where(np.asarray(layout.zero) >= 2, layer_compute, layer_compute / np.maximum(micro_batches, 1.0))


def optimizer_update(
    matrix_side: float,
    setting: Setting,
    rates: Rates,
    optimizer: Optimizer,
    layout: Layout,
    trained: DeviceParameters,
) -> tuple[Floats, Floats]:
    """Seconds of the optimizer step on the device, and of an offloaded one on the host with its PCIe traffic.

    `matrix_side` is the smaller side of the weight matrices, which sets the work of matrix optimizers (Muon).
    """
    precision = setting.precision
    sharded = np.asarray(layout.zero) >= 1
    own = trained.dense / np.where(sharded, layout.shard, 1) + trained.experts / np.where(
        sharded, np.maximum(layout.shard // layout.ep, 1), 1
    )
    gradient = setting.stack.gradient_bytes or precision.gradient_bytes
    moved = gradient + 2.0 * (precision.master_bytes + optimizer.state_bytes) + precision.weight_bytes
    matrix = NEWTON_SCHULZ_FLOPS * matrix_side / rates.gemm_flops_per_s if optimizer.matrix_flops else 0.0
    on_device = own * (moved / rates.memory_bytes_per_s + matrix) + UPDATE_LAUNCH_S
    wire = own * (gradient + precision.weight_bytes) / rates.pcie_bytes_per_s
    on_host = own * moved / rates.host_memory_bytes_per_s + wire + UPDATE_LAUNCH_S
    return np.where(layout.offload, 0.0, on_device), np.where(layout.offload, on_host, 0.0)
