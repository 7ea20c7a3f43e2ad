"""What a training step sends between devices: bytes, group, seconds, and how much of them shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundplan.design.cluster import Setting
from groundplan.design.layout import Layout
from groundplan.estimate.rates import Rates
from groundplan.estimate.shares import DeviceParameters
from groundplan.physics.arrays import Floats
from groundplan.physics.collectives import (
    all_gather_bytes,
    all_gather_s,
    all_reduce_s,
    all_to_all_bytes,
    all_to_all_s,
    point_to_point_s,
    ranks_inside,
    reduce_scatter_s,
    token_dispatch_s,
)
from groundplan.workload.job import TrainingJob
from groundplan.workload.model import AttentionKind, TransformerModel


@dataclass(frozen=True, slots=True)
class Traffic:
    """One kind of communication of a step, per device; arrays broadcast over layouts."""

    name: str
    group: str  # tp | cp | ep | pp | dp
    ranks: Floats
    inside: Floats  # ranks of the group within one scale-up domain
    bytes_per_step: Floats  # sent by one device
    time_s: Floats  # per step, alone


def tensor_traffic(
    model: TransformerModel, job: TrainingJob, setting: Setting, rates: Rates, layout: Layout, micro_batches: Floats
) -> Traffic:
    """All-reduces (or reduce-scatter and all-gather pairs) of the residual stream around both blocks."""
    inside = ranks_inside(layout.tp, 1, rates.domain)
    payload = _residual_bytes(model, job, setting, layout)
    per_layer = _passes(layout) * (1.0 if model.parallel_block else 2.0)
    layers = np.ceil(model.layers / layout.pp) * (model.block_pairs / model.layers)
    count = per_layer * layers * micro_batches
    once = residual_reduction_s(model, job, setting, rates, layout)
    return Traffic(
        "tensor_parallel", "tp", layout.tp, inside, count * 2.0 * all_gather_bytes(payload, layout.tp), count * once
    )


def residual_reduction_s(
    model: TransformerModel, job: TrainingJob, setting: Setting, rates: Rates, layout: Layout
) -> Floats:
    """Seconds of one all-reduce of a micro-batch's residual stream over the tensor-parallel ranks."""
    inside = ranks_inside(layout.tp, 1, rates.domain)
    return all_reduce_s(_residual_bytes(model, job, setting, layout), layout.tp, inside, *_links(rates))


def context_traffic(
    model: TransformerModel, job: TrainingJob, setting: Setting, rates: Rates, layout: Layout, micro_batches: Floats
) -> Traffic:
    """Ring exchange of keys and values, forward, and of them with their gradients, backward.

    What linear layers hand on, a state, is small beside it and not counted.
    """
    block = model.attention
    inside = ranks_inside(layout.cp, layout.tp, rates.domain)
    if block.kind is AttentionKind.MLA:
        width = block.heads * (block.head_dim + block.value_head_dim) / layout.tp
    else:
        width = block.kv_heads * (block.head_dim + block.value_head_dim) / np.minimum(layout.tp, block.kv_heads)
    payload = layout.micro_batch * job.sequence * width * setting.precision.activation_bytes
    layers = np.ceil(model.layers / layout.pp) * (model.attention_layers / model.layers)
    count = (_passes(layout) + 1.0) * layers * micro_batches
    once = all_gather_s(payload, layout.cp, inside, *_links(rates))
    return Traffic(
        "context_parallel", "cp", layout.cp, inside, count * all_gather_bytes(payload, layout.cp), count * once
    )


def expert_traffic(
    model: TransformerModel, job: TrainingJob, setting: Setting, rates: Rates, layout: Layout, micro_batches: Floats
) -> Traffic:
    """Dispatch and combine all-to-alls of the routed tokens."""
    experts = model.experts
    inside = ranks_inside(layout.ep, layout.tp, rates.domain)
    if experts is None:
        zero = np.zeros_like(inside, dtype=float)
        return Traffic("expert_parallel", "ep", layout.ep, inside, zero, zero)
    tokens = _residual_bytes(model, job, setting, layout) / layout.tp
    payload = tokens * experts.top_k
    count = 2.0 * _passes(layout) * np.ceil(experts.layers / layout.pp) * micro_batches
    if setting.stack.single_copy_dispatch:
        once = token_dispatch_s(tokens, experts.top_k, layout.ep, inside, *_links(rates))
    else:
        once = all_to_all_s(payload, layout.ep, inside, *_links(rates))
    return Traffic(
        "expert_parallel", "ep", layout.ep, inside, count * all_to_all_bytes(payload, layout.ep), count * once
    )


def stage_hop(
    model: TransformerModel, job: TrainingJob, setting: Setting, rates: Rates, layout: Layout
) -> tuple[Floats, Floats, Floats]:
    """Bytes and seconds of one activation hop between neighbouring pipeline stages, and the stages in one domain.

    Tensor-parallel ranks send a part each and gather the whole inside their domain (Narayanan 2021, section 4.1). A
    hop inside a domain is fast only where the whole pipeline lies in it: the crossing hop sets the pace.
    """
    whole = _residual_bytes(model, job, setting, layout)
    payload = whole / layout.tp
    inside = ranks_inside(layout.pp, layout.tp * layout.cp * layout.dp, rates.domain)
    same_domain = inside >= layout.pp
    hop = point_to_point_s(payload, same_domain, *_links(rates))
    gathered = all_gather_s(whole, layout.tp, ranks_inside(layout.tp, 1, rates.domain), *_links(rates))
    hop = hop + np.where(layout.sequence_parallel, 0.0, gathered)
    return payload, np.where(np.asarray(layout.pp) > 1, hop, 0.0), inside


@dataclass(frozen=True, slots=True)
class StateTraffic:
    """Data-parallel traffic of a step: gradients always, weights where they are sharded."""

    gradients: Traffic
    weights: Traffic


def state_traffic(
    setting: Setting,
    rates: Rates,
    layout: Layout,
    held: DeviceParameters,
    trained: DeviceParameters,
    gathered_width: float,
    micro_batches: Floats,
) -> StateTraffic:
    """Gradient reduction and weight gathering of the dense parameters and of the experts.

    ZeRO-0 all-reduces gradients once a step. ZeRO-1 reduce-scatters them and gathers the updated weights. From
    ZeRO-2 on gradients are reduce-scattered for every micro-batch, and ZeRO-3 gathers all weights held, frozen ones
    too, for every forward and backward pass. With hybrid sharding the reduced shard is all-reduced across replicas.

    Parameters
    ----------
    held, trained : DeviceParameters
        What a device holds before sharding, and the part of it that has gradients.
    gathered_width : float
        Width of a gathered weight [bytes].
    """
    replicas = layout.dp * layout.cp
    dense = _Group(replicas, layout.tp, layout.shard)
    # Dense parameters are replicated over dp * cp, an expert's over dp * cp / ep.
    experts = _Group(
        np.maximum(replicas // layout.ep, 1), layout.tp * layout.ep, np.maximum(layout.shard // layout.ep, 1)
    )
    reduced_width = setting.stack.reduce_bytes or setting.precision.gradient_bytes
    zero = np.asarray(layout.zero)
    reductions = np.where(zero >= 2, micro_batches, 1.0)
    gathers = np.where(zero >= 3, 2.0 * micro_batches, np.where(zero >= 1, 1.0, 0.0))
    sent, reduce_s = _reduction(dense, trained.dense * reduced_width, zero, rates)
    gathered, gather_s = _gathering(dense, np.where(zero >= 3, held.dense, trained.dense) * gathered_width, rates)
    if np.any(np.asarray(held.experts) > 0.0):
        more, more_s = _reduction(experts, trained.experts * reduced_width, zero, rates)
        sent, reduce_s = sent + more, reduce_s + more_s
        more, more_s = _gathering(experts, np.where(zero >= 3, held.experts, trained.experts) * gathered_width, rates)
        gathered, gather_s = gathered + more, gather_s + more_s
    inside = ranks_inside(replicas, layout.tp, rates.domain)
    shard_inside = ranks_inside(layout.shard, layout.tp, rates.domain)
    return StateTraffic(
        Traffic("gradient_reduction", "dp", replicas, inside, reductions * sent, reductions * reduce_s),
        Traffic("weight_gathering", "dp", layout.shard, shard_inside, gathers * gathered, gathers * gather_s),
    )


@dataclass(frozen=True, slots=True)
class _Group:
    """Ranks with copies of the same parameters, `stride` devices apart; states are sharded over `shard` of them."""

    ranks: Floats
    stride: Floats
    shard: Floats


def _reduction(group: _Group, payload: Floats, zero: Floats, rates: Rates) -> tuple[Floats, Floats]:
    """Bytes and seconds of reducing gradients once: whole, or scattered and then reduced across replicas."""
    links = _links(rates)
    inside = ranks_inside(group.ranks, group.stride, rates.domain)
    shard_inside = ranks_inside(group.shard, group.stride, rates.domain)
    copies = np.maximum(group.ranks // group.shard, 1)
    copies_inside = ranks_inside(copies, group.stride * group.shard, rates.domain)
    whole = all_reduce_s(payload, group.ranks, inside, *links)
    scattered = reduce_scatter_s(payload, group.shard, shard_inside, *links)
    across = all_reduce_s(payload / group.shard, copies, copies_inside, *links)
    sent = np.where(
        zero == 0,
        2.0 * all_gather_bytes(payload, group.ranks),
        all_gather_bytes(payload, group.shard) + 2.0 * all_gather_bytes(payload / group.shard, copies),
    )
    return sent, np.where(zero == 0, whole, scattered + across)


def _gathering(group: _Group, payload: Floats, rates: Rates) -> tuple[Floats, Floats]:
    """Bytes and seconds of gathering sharded weights once."""
    inside = ranks_inside(group.shard, group.stride, rates.domain)
    return all_gather_bytes(payload, group.shard), all_gather_s(payload, group.shard, inside, *_links(rates))


def _links(rates: Rates) -> tuple[float, float, float, float]:
    return rates.intra_bytes_per_s, rates.inter_bytes_per_s, rates.intra_latency_s, rates.inter_latency_s


def _residual_bytes(model: TransformerModel, job: TrainingJob, setting: Setting, layout: Layout) -> Floats:
    """Bytes of the residual stream of one micro-batch on one context-parallel rank."""
    tokens = layout.micro_batch * job.sequence / layout.cp
    return tokens * model.hidden * setting.precision.activation_bytes


def _passes(layout: Layout) -> Floats:
    """Forward and backward passes a layer's collectives are run in: two, and one more where it is recomputed."""
    return 2.0 + layout.recomputed
