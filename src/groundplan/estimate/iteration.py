"""The iteration of a serving engine: one forward pass over prompt and decode tokens, put together from the laws."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from groundplan.catalog.rows import Accelerator, Architecture, Engine
from groundplan.design.cluster import Cluster
from groundplan.design.deployment import Deployment, Speculation
from groundplan.estimate.blocks import (
    Matmul,
    attention_matmuls,
    feed_forward_matmuls,
    linear_matmuls,
    streamed_elements,
)
from groundplan.estimate.formats import (
    SIXTEEN_BIT,
    Format,
    attention_format,
    kv_format_bytes,
    multiplied,
    weight_format,
)
from groundplan.estimate.rates import (
    SCALEUP_LATENCY_S,
    UNKNOWN_FABRIC_LATENCY_S,
    matmul_share,
    network,
    sustained_share,
)
from groundplan.estimate.replica import IterationLaw
from groundplan.estimate.serving_memory import adapter_elements, drafting, state_bytes
from groundplan.physics.arrays import Floats
from groundplan.physics.attention import attended_pairs, attention_flops
from groundplan.physics.collectives import all_reduce_s, ranks_inside, token_dispatch_s
from groundplan.physics.decode import (
    cached_attention_s,
    direct_all_reduce_s,
    speculated_tokens,
    visited_experts,
    weight_product_s,
)
from groundplan.physics.kv_cache import kv_elements, latent_kv_elements
from groundplan.physics.linear_attention import chunked_elements_per_token, chunked_flops_per_token, scan_s
from groundplan.workload.model import AttentionKind, TransformerModel

ELEMENTWISE_PASSES = 8.0
"""Reads and writes of the residual stream in a layer: fused norms, residuals, rotary, cache write; class derived."""
DIRECT_LATENCY_S = 5.0e-6
"""Of an all-reduce by direct reads among neighbours, signals included; class assumed."""
ADAPTER_KERNELS = 8.0
"""Of a layer: one that shrinks and one that expands, for the fused query-key-value, the output, the fused gate and up,
and the down projection (Chen et al. 2023, Punica, arXiv 2310.18547); class derived."""
TABLE_POINTS = 64
"""Batches of tokens at which the law is evaluated; between them it is linear."""


@dataclass(frozen=True, slots=True)
class ServingRates:
    """Sustained rates of one device of a deployment; base units. `units` is NaN where unknown."""

    accelerator: Accelerator
    best: float  # share of a peak that the best matmul reaches
    architecture: Architecture
    matmul_factor: float
    expert_factor: float
    stream_bytes_per_s: float
    units: float
    intra_bytes_per_s: float
    inter_bytes_per_s: float
    inter_latency_s: float
    domain: int

    def of(self, weights: Format) -> tuple[float, float]:
        """Return the rate at which weights of a format are multiplied [FLOP/s], and the operands' width [bytes]."""
        peak, width = multiplied(weights, self.accelerator)
        kind = {1.0: "fp8", 0.5: "fp4"}.get(width, "bf16")
        return peak * self.best * matmul_share(self.architecture, kind) * self.matmul_factor, width

    @property
    def attention_flops_per_s(self) -> float:
        """Rate of 16-bit matmuls, which attention is measured against [FLOP/s]."""
        peak = self.accelerator.flops.get("bf16") or self.accelerator.flops.get("fp16")
        return (peak or multiplied(weight_format("fp32"), self.accelerator)[0]) * self.best

    @property
    def links(self) -> tuple[float, float, float, float]:
        """Rates and latencies inside a domain and across, as the collectives take them."""
        return self.intra_bytes_per_s, self.inter_bytes_per_s, SCALEUP_LATENCY_S, self.inter_latency_s


def serving_rates(
    cluster: Cluster, architecture: Architecture, engine: Engine, known: Iterable[Accelerator]
) -> ServingRates:
    """Return the rates of one device under an engine; the memory's must be known.

    A device whose long reads were measured has that rate. The others read at the share of their architecture, which is
    fitted to parts with error correction inside their memory (L40S, L4) or with short reads for their rate (HBM).
    """
    accelerator = cluster.accelerator
    reads = accelerator.sustained_memory_bytes_per_s
    if reads is None:
        reads = (accelerator.memory_bytes_per_s or math.nan) * architecture.stream_share
    intra, inter, domain = network(cluster)
    return ServingRates(
        accelerator=accelerator,
        best=sustained_share(accelerator, known)[0],
        architecture=architecture,
        matmul_factor=engine.matmul_factor,
        expert_factor=engine.expert_factor,
        stream_bytes_per_s=reads * engine.stream_factor,
        units=float(accelerator.compute_units) if accelerator.compute_units else math.nan,
        intra_bytes_per_s=intra,
        inter_bytes_per_s=inter,
        inter_latency_s=cluster.fabric.latency_s or UNKNOWN_FABRIC_LATENCY_S,
        domain=domain,
    )


def iteration_law(
    model: TransformerModel, deployment: Deployment, rates: ServingRates, engine: Engine, largest: int, context: float
) -> IterationLaw:
    """Return how long an iteration takes, for up to `largest` tokens and sequences of about `context` tokens.

    The stages of a pipeline work on as many parts of the batch at once: a part passes all of them in one iteration.
    """
    tokens = np.unique(np.concatenate([[1.0], np.geomspace(1, largest, TABLE_POINTS).round()]))
    part = np.maximum(tokens / deployment.pp, 1.0)
    layers = _layer_seconds(model, deployment, rates, engine, part)
    hops = (deployment.pp - 1) * _hop_s(model, deployment, rates, part)
    head = _head_seconds(model, deployment, rates, np.minimum(part, engine.max_sequences))
    seconds = layers + hops + head + engine.iteration_s
    table = np.interp(np.arange(largest + 1), tokens, seconds)
    table[0] = 0.0
    drafted = deployment.speculation.drafted if deployment.speculation else 0
    cached, pair, window = _attention_seconds(model, deployment, rates, context, 1.0 + drafted)
    sequence = engine.sequence_s + window + _state_seconds(model, deployment, rates)
    law = IterationLaw(
        table,
        cached,
        pair,
        sequence,
        _kernels(model, engine) * engine.eager_kernel_s,
        stages=float(deployment.pp),
        groups=float(deployment.pp * deployment.dp),
    )
    if deployment.speculation is None:
        return law
    return _speculative(law, deployment, deployment.speculation, rates, engine, context)


def _speculative(
    law: IterationLaw,
    deployment: Deployment,
    speculation: Speculation,
    rates: ServingRates,
    engine: Engine,
    context: float,
) -> IterationLaw:
    """Return a law whose decoding sequences draft tokens, one after another, and check them in one iteration.

    The host waits for none of the drafts: their iterations are launched beforehand.
    """
    drafted = speculation.drafted
    several = replace(law, rows=1.0 + drafted, yielded=float(speculated_tokens(drafted, speculation.acceptance)))
    if speculation.draft is None:
        return several
    unattended = replace(engine, iteration_s=0.0, sequence_s=0.0)
    one = iteration_law(speculation.draft, drafting(deployment), rates, unattended, engine.max_sequences, context)
    return replace(
        several,
        draft_s=drafted * (one.tokens_s + one.sequence_s * np.arange(len(one.tokens_s))),
        decode_context_s=law.decode_context_s + drafted * one.decode_context_s,
    )


def _layer_seconds(
    model: TransformerModel, deployment: Deployment, rates: ServingRates, engine: Engine, tokens: Floats
) -> Floats:
    """Seconds of all layers but for attention itself."""
    sparse = model.experts.layers if model.experts else 0
    attention = _attention_block(model, deployment, rates, tokens)
    dense = _dense_block(model, deployment, rates, tokens)
    experts = _expert_block(model, deployment, rates, tokens)
    own = tokens / deployment.dp
    residual = ELEMENTWISE_PASSES * own * model.hidden * SIXTEEN_BIT / rates.stream_bytes_per_s
    return (
        model.attention_layers * attention
        + model.linear_layers * _linear_block(model, deployment, rates, tokens)
        + model.block_pairs * residual
        + model.feed_forward_layers * dense
        + sparse * experts
        + _kernels(model, engine) * engine.kernel_s
        + model.layers * _adapter_seconds(model, deployment, rates, engine, tokens)
    )


def _kernels(model: TransformerModel, engine: Engine) -> float:
    """Kernels of all layers, those of a layer of a transformer for each pair of blocks."""
    sparse = model.experts.layers if model.experts else 0
    return engine.kernels_per_layer * model.block_pairs + engine.kernels_per_moe_layer * sparse


def _adapter_seconds(
    model: TransformerModel, deployment: Deployment, rates: ServingRates, engine: Engine, tokens: Floats
) -> Floats:
    """Seconds that a layer's adapters add: those that the tokens use are read, by two kernels for each matrix."""
    adapters = deployment.adapters
    if adapters is None:
        return np.zeros_like(tokens)
    elements = adapter_elements(model, adapters.rank, deployment.tp)
    used = visited_experts(tokens / deployment.dp, adapters.count, 1.0)
    moved = used * elements * SIXTEEN_BIT / rates.stream_bytes_per_s
    computed = 2.0 * tokens / deployment.dp * elements / rates.of(weight_format("bf16"))[0]
    return np.maximum(moved, computed) + ADAPTER_KERNELS * engine.kernel_s


def _attention_block(model: TransformerModel, deployment: Deployment, rates: ServingRates, tokens: Floats) -> Floats:
    """Seconds of a layer's projections and the reduction after them, without attention itself."""
    weights = attention_format(weight_format(deployment.weights), model.experts is not None)
    own = tokens / deployment.dp
    products = _products(attention_matmuls(model), weights, rates, deployment.tp, own)
    return products + _reduction_s(model, rates, deployment.tp, own)


def _linear_block(model: TransformerModel, deployment: Deployment, rates: ServingRates, tokens: Floats) -> Floats:
    """Seconds of a linear attention block: projections, the chunked scan, and the reduction after them.

    The scan is counted for decoding tokens too, where it is a hundredth of reading their state.
    """
    block = model.linear
    if block is None:
        return np.zeros_like(tokens)
    weights = attention_format(weight_format(deployment.weights), model.experts is not None)
    own, sizes = tokens / deployment.dp, (block.heads, block.qk_dim, block.value_dim)
    flops = chunked_flops_per_token(*sizes, block.corrects, block.chunk)
    moved = chunked_elements_per_token(*sizes, streamed_elements(block), block.chunk) * SIXTEEN_BIT
    scan = own / deployment.tp * scan_s(flops, moved, rates.attention_flops_per_s, rates.stream_bytes_per_s)
    products = _products(linear_matmuls(model), weights, rates, deployment.tp, own)
    return products + scan + _reduction_s(model, rates, deployment.tp, own)


def _state_seconds(model: TransformerModel, deployment: Deployment, rates: ServingRates) -> float:
    """Seconds in which the states of one sequence are read and written, on its share of the devices."""
    moved = 2.0 * state_bytes(model, deployment.tp)
    return moved / rates.stream_bytes_per_s / (deployment.dp * deployment.pp)


def _dense_block(model: TransformerModel, deployment: Deployment, rates: ServingRates, tokens: Floats) -> Floats:
    """Seconds of a dense feed-forward block, split over the tensor-parallel devices of each group."""
    block = model.feed_forward
    weights, own = weight_format(deployment.weights), tokens / deployment.dp
    matmuls = feed_forward_matmuls(model.hidden, block.width, block.gated)
    return _products(matmuls, weights, rates, deployment.tp, own) + _reduction_s(model, rates, deployment.tp, own)


def _expert_block(model: TransformerModel, deployment: Deployment, rates: ServingRates, tokens: Floats) -> Floats:
    """Seconds of a block of experts: those visited are read, and the tokens go to them and come back."""
    experts = model.experts
    if experts is None:
        return np.zeros_like(tokens)
    weights = weight_format(deployment.weights)
    stage, split = deployment.stage, deployment.stage // deployment.ep
    local = experts.count / deployment.ep
    visits = tokens * experts.top_k / experts.count
    read = visited_experts(tokens, experts.count, experts.top_k) / deployment.ep
    rate, width = rates.of(weights)
    routed = sum(
        weight_product_s(
            np.maximum(visits * local / read, 1.0),  # rows of a visited expert
            one.outputs / split if one.split == "column" else one.outputs,
            one.inputs / split if one.split == "row" else one.inputs,
            rate * rates.expert_factor,
            rates.stream_bytes_per_s * rates.expert_factor,
            weights.weight_bytes,
            SIXTEEN_BIT,
            width,
            rates.units,
            read,
            read,
        )
        for one in feed_forward_matmuls(model.hidden, experts.width, experts.gated)
    )
    own = tokens / deployment.dp
    if experts.shared_width:
        shared = feed_forward_matmuls(model.hidden, experts.shared_width, experts.gated)
        routed = routed + _products(shared, weights, rates, deployment.tp, own)
    if deployment.dp == 1:
        return routed + _reduction_s(model, rates, stage, own)
    inside = ranks_inside(stage, 1, rates.domain)
    payload = own * model.hidden * SIXTEEN_BIT
    once = token_dispatch_s(payload, experts.top_k, stage, inside, *rates.links)
    return routed + 2.0 * once


def _products(matmuls: Iterable[Matmul], weights: Format, rates: ServingRates, tp: int, tokens: Floats) -> Floats:
    """Seconds of products of tokens with weights split over `tp` devices."""
    rate, width = rates.of(weights)
    total: Floats = 0.0
    for one in matmuls:
        total = total + weight_product_s(
            np.maximum(tokens, 1.0),
            one.outputs / tp if one.split == "column" else one.outputs,
            one.inputs / tp if one.split == "row" else one.inputs,
            rate,
            rates.stream_bytes_per_s,
            weights.weight_bytes,
            SIXTEEN_BIT,
            width,
            rates.units,
        )
    return total


def _reduction_s(model: TransformerModel, rates: ServingRates, ranks: int, tokens: Floats) -> Floats:
    """Seconds of one all-reduce of the residual stream: direct within a domain, else by rings."""
    payload = tokens * model.hidden * SIXTEEN_BIT
    inside = ranks_inside(ranks, 1, rates.domain)
    ring = all_reduce_s(payload, ranks, inside, *rates.links)
    direct = direct_all_reduce_s(payload, ranks, rates.intra_bytes_per_s, DIRECT_LATENCY_S, ring)
    return np.where(inside == ranks, direct, ring)


def _head_seconds(model: TransformerModel, deployment: Deployment, rates: ServingRates, sequences: Floats) -> Floats:
    """Seconds of the output head, which stays at 16 bits: one row for each sequence."""
    head = Matmul("logits", 1.0 * model.hidden, 1.0 * model.vocabulary, "column")
    return _products((head,), weight_format("bf16"), rates, deployment.tp, sequences / deployment.dp)


def _hop_s(model: TransformerModel, deployment: Deployment, rates: ServingRates, tokens: Floats) -> Floats:
    """Seconds of handing activations to the next stage."""
    payload = tokens / deployment.dp * model.hidden * SIXTEEN_BIT / deployment.tp
    near = deployment.devices <= rates.domain
    rate = rates.intra_bytes_per_s if near else rates.inter_bytes_per_s
    return payload / rate + (SCALEUP_LATENCY_S if near else rates.inter_latency_s)


def _attention_seconds(
    model: TransformerModel, deployment: Deployment, rates: ServingRates, context: float, queries: float
) -> tuple[float, float, float]:
    """Seconds of attention over all layers: for a cached token read, a prompt's pair, and a sequence's windows.

    A window as long as the context is none. A cached token is read once for all `queries` of its sequence.
    """
    block, parts = model.attention, deployment.dp * deployment.pp
    heads = block.heads / deployment.tp
    if block.kind is AttentionKind.MLA:
        elements = latent_kv_elements(block.kv_lora_rank, block.rope_head_dim)
        flops = attention_flops(1.0, heads, block.kv_lora_rank + block.rope_head_dim, block.kv_lora_rank)
    else:
        elements = float(kv_elements(max(block.kv_heads / deployment.tp, 1.0), block.head_dim, block.value_head_dim))
        flops = attention_flops(1.0, heads, block.head_dim, block.value_head_dim)
    rate = rates.attention_flops_per_s
    shares = rates.architecture.flash_forward_share
    cached = float(
        cached_attention_s(
            1.0, elements * kv_format_bytes(deployment.kv), queries * flops, rates.stream_bytes_per_s, rate * shares
        )
    )
    windowed = block.windowed_layers if block.window < context else 0
    full = model.attention_layers - windowed
    pair = attention_flops(1.0, heads, block.head_dim, block.value_head_dim) / (rate * shares)
    window = windowed * block.window * cached
    # Of the pairs of a whole prompt, those that layers with a window attend to.
    inside = (
        float(attended_pairs(context, True, block.window) / attended_pairs(context, True, 0.0)) if windowed else 0.0
    )
    return full * cached / parts, float((full + windowed * inside) * pair / parts), window / parts
