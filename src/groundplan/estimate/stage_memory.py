"""What one device of one pipeline stage holds: states under ZeRO, saved activations, transients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundplan.catalog.rows import Optimizer, Precision, Stack
from groundplan.design.layout import Layout, Recompute
from groundplan.estimate.layer_memory import (
    LayerElements,
    ModelParameters,
    adapter_parameters,
    backward_elements,
    layer_elements,
)
from groundplan.physics.arrays import Floats
from groundplan.physics.memory import (
    FP32_BYTES,
    bytes_per_logit,
    factored_state_bytes,
    moment_bytes,
    nf4_bytes_per_parameter,
    score_bytes,
)
from groundplan.physics.pipeline import in_flight_micro_batches
from groundplan.workload.job import Lora, Method, TrainingJob
from groundplan.workload.model import Model, TransformerModel

Terms = dict[str, Floats]

GATHERED_LAYERS = 2.0  # ZeRO-3 keeps the layer in use and the prefetched next one
BUCKET_COPIES = 2.0  # one bucket fills while the other is on the wire; small models do not fill them
ADAMW_STATE_BYTES = 8.0  # two fp32 moments: what Muon keeps for tables and vectors


@dataclass(frozen=True, slots=True)
class Widths:
    """Bytes per parameter, activation and logit after method, optimizer and stack have been resolved."""

    weight: float
    gathered: float  # weights as ZeRO-3 gathers them
    base_matrix: float  # frozen matrices: NF4 under QLoRA
    gradient: float  # as accumulated
    fresh_gradient: float  # as the backward pass writes it
    state: Floats  # master copy and moments
    table_state: Floats  # the same for embeddings and head
    bucket: float  # communication buckets of the data-parallel engine at their full size
    update: float  # per updated parameter while the optimizer steps: fp32 copy of narrow gradients
    keeps_fresh: bool  # gradients stay as the backward pass wrote them beside those accumulated
    activation: float
    logit: float
    boundaries: float  # outputs of a pipeline stage kept by micro-batch in flight
    embedding: float  # activations of the embedding kept by micro-batch in flight, in units of its output


@dataclass(frozen=True, slots=True)
class Stage:
    """One pipeline stage: how many layers of which kind, which ends, how many micro-batches in flight."""

    dense_layers: Floats
    expert_layers: Floats
    embedding: Floats  # parameters before the tensor split
    head: Floats
    has_head: Floats  # 1 where the loss is computed here
    in_flight: Floats


def resolve_widths(model: Model, job: TrainingJob, precision: Precision, optimizer: Optimizer, stack: Stack) -> Widths:
    """Return the widths that hold for this method, optimizer and stack."""
    state, table = (
        moment_bytes(moments, precision.weight_bytes, precision.master_bytes)
        for moments in (optimizer.state_bytes, ADAMW_STATE_BYTES)
    )
    if optimizer.factored and isinstance(model, TransformerModel):
        state = factored_state_bytes(state, model.hidden, model.hidden)
    if not optimizer.matrix_flops:
        table = state
    gradient = precision.gradient_bytes if stack.gradient_bytes is None else stack.gradient_bytes
    if stack.bf16_gradient_bytes is not None and not precision.loss_scaling:
        gradient = stack.bf16_gradient_bytes
    logit = stack.logit_bytes
    if logit is None:
        logit = bytes_per_logit(precision.activation_bytes, stack.fused_cross_entropy, stack.fused_elementwise)
    return Widths(
        weight=precision.weight_bytes,
        gathered=precision.communicated_weight_bytes,
        base_matrix=nf4_bytes_per_parameter() if job.method is Method.QLORA else precision.weight_bytes,
        gradient=gradient,
        fresh_gradient=precision.gradient_bytes,
        state=state + precision.master_bytes,
        table_state=table + precision.master_bytes,
        bucket=stack.bucket_bytes,
        update=FP32_BYTES if stack.fp32_update and gradient < FP32_BYTES else 0.0,
        keeps_fresh=stack.fp32_update,
        activation=precision.activation_bytes,
        logit=logit,
        boundaries=stack.boundary_copies,
        embedding=stack.embedding_activations,
    )


def fullest_stages(
    model: TransformerModel, job: TrainingJob, layout: Layout, parameters: ModelParameters
) -> tuple[Stage, ...]:
    """Return the stages that can be the fullest: first, last, and the second where its layers differ.

    The fullest stage holds ``ceil(layers / pp)`` layers. Where they do not divide, the ends, which also hold the
    tables, have one less: the last stage first. A tied output matrix is held again by the last stage.
    """
    pp = np.asarray(layout.pp)
    layers = np.ceil(model.layers / pp)
    spare = layers * pp - model.layers
    first_layers, last_layers = layers - np.where(spare >= 2, 1.0, 0.0), layers - np.where(spare >= 1, 1.0, 0.0)
    micro_batches = np.maximum(job.global_batch // (np.asarray(layout.micro_batch) * layout.dp), 1)
    experts = model.experts.layers if model.experts else 0
    dense_first = np.minimum(first_layers, model.dense_layers)
    experts_last = np.minimum(last_layers, experts)
    experts_inner = np.minimum(layers, experts)
    single = np.where(pp == 1, 1.0, 0.0)
    flight = [
        in_flight_micro_batches(micro_batches, pp, layout.vpp, index) for index in (0, np.minimum(1, pp - 1), pp - 1)
    ]
    embedding, head = parameters.embedding, parameters.head * single
    first = Stage(dense_first, first_layers - dense_first, embedding, head, single, flight[0])
    last = Stage(last_layers - experts_last, experts_last, 0.0, parameters.table, 1.0, flight[2])
    mixed = np.any(experts) and np.any(model.dense_layers)
    if not mixed and not np.any(spare >= 2):
        return first, last
    return first, last, Stage(layers - experts_inner, experts_inner, 0.0, 0.0, 0.0, flight[1])


def device_parameters(layout: Layout, parameters: ModelParameters, stage: Stage) -> tuple[Floats, Floats]:
    """Return parameters of one device before ZeRO: all but routed experts, and routed experts."""
    dense, expert = parameters.dense_layer, parameters.expert_layer
    split = stage.dense_layers * dense.split + stage.expert_layers * expert.split + stage.embedding + stage.head
    whole = stage.dense_layers * dense.whole + stage.expert_layers * expert.whole
    return split / layout.tp + whole, stage.expert_layers * expert.experts / (layout.tp * np.asarray(layout.ep))


def trained_parameters(
    model: TransformerModel, job: TrainingJob, layout: Layout, parameters: ModelParameters, stage: Stage
) -> tuple[Floats, Floats]:
    """Return parameters the optimizer updates on one device: unsharded, and as its share under ZeRO.

    Experts already differ between expert-parallel ranks, so that their states are sharded over ``shard / ep`` ranks.
    Adapters are counted whole on tensor-parallel ranks: one of their two matrices is, and they are small.
    """
    if job.method in (Method.LORA, Method.QLORA):
        dense, expert = adapter_parameters(model, job.lora or Lora())
        adapters = stage.dense_layers * dense + stage.expert_layers * expert
        return adapters, adapters / layout.shard
    main, experts = device_parameters(layout, parameters, stage)
    if model.experts is None:
        return main, main / layout.shard
    return main + experts, main / layout.shard + experts / _expert_shard(layout)


def _expert_shard(layout: Layout) -> Floats:
    """Return the ranks that states of one expert are sharded over: those of its own expert-parallel rank."""
    return np.maximum(layout.shard / np.asarray(layout.ep), 1.0)


def by_zero_stage(layout: Layout, stage: int, full: Floats, share: Floats) -> Floats:
    """Return `share` where ZeRO shards a state from `stage` on (1 optimizer, 2 gradients, 3 weights), else `full`."""
    return np.where(np.asarray(layout.zero) >= stage, share, full)


def state_terms(
    model: TransformerModel,
    job: TrainingJob,
    layout: Layout,
    parameters: ModelParameters,
    widths: Widths,
    stage: Stage,
) -> Terms:
    """Return weights, adapters, gradients and optimizer states of one device."""
    full, share = trained_parameters(model, job, layout, parameters, stage)
    states = widths.state * by_zero_stage(layout, 1, full, share)
    tables = (stage.embedding + stage.head) / layout.tp
    adapters: Floats = 0.0
    if job.method in (Method.LORA, Method.QLORA):
        adapters = full * widths.weight
        main, experts = device_parameters(layout, parameters, stage)
        dense = (main - tables) * widths.base_matrix + tables * widths.weight
        routed = experts * widths.base_matrix
        weights = by_zero_stage(layout, 3, dense + routed, dense / layout.shard + routed / _expert_shard(layout))
    else:
        weights = widths.weight * by_zero_stage(layout, 3, full, share)
        if np.any(widths.table_state != widths.state):
            extra = (widths.table_state - widths.state) * tables
            states = states + by_zero_stage(layout, 1, extra, extra / np.asarray(layout.shard))
    on_device = np.where(layout.offload, 0.0, 1.0)
    kept_gradients = np.where(np.asarray(layout.zero) >= 2, on_device, 1.0)
    return {
        "weights": weights,
        "adapters": adapters,
        "gradients": widths.gradient * by_zero_stage(layout, 2, full, share) * kept_gradients,
        "optimizer_states": states * on_device,
    }


def buffer_terms(
    model: TransformerModel,
    job: TrainingJob,
    layout: Layout,
    parameters: ModelParameters,
    widths: Widths,
    stage: Stage,
) -> Terms:
    """Return weights materialised for compute and gradients that wait to be reduced or accumulated.

    ZeRO-3 gathers two layers and the tables; QLoRA turns one matrix back to the compute width. Gradients of one
    layer and of the output matrix exist in full before ZeRO-2 scatters them, or before they are added to an fp32
    buffer; the embedding's come last, when the activations are gone. An engine that keeps fresh gradients holds
    those of all layers beside the fp32 ones.
    """
    zero = np.asarray(layout.zero)
    layer = parameters.expert_layer if model.experts else parameters.dense_layer
    shared = layer.split / layout.tp + layer.whole
    one_layer = shared + layer.experts / (layout.tp * np.asarray(layout.ep))
    tables = (stage.embedding + stage.head) / layout.tp
    gathered = np.where(zero >= 3, (GATHERED_LAYERS * one_layer + tables) * widths.gathered, 0.0)
    if job.method is Method.QLORA:
        gathered = gathered + parameters.largest_matrix * widths.weight / layout.tp
    full, _ = trained_parameters(model, job, layout, parameters, stage)
    buckets = np.minimum(widths.bucket, BUCKET_COPIES * widths.fresh_gradient * full)
    buckets = np.where(np.asarray(layout.dp) * layout.cp > 1, buckets, 0.0)
    if job.method in (Method.LORA, Method.QLORA):
        return {"gather_buffers": gathered, "communication_buffers": buckets}
    table = stage.has_head * parameters.table / np.asarray(layout.tp)
    accumulated_apart = np.where(np.asarray(widths.gradient) == widths.fresh_gradient, 0.0, 1.0)
    apart = full if widths.keeps_fresh else shared + table
    fresh = np.where(zero >= 2, one_layer + table, accumulated_apart * apart)
    return {"gather_buffers": gathered, "communication_buffers": fresh * widths.fresh_gradient + buckets}


@dataclass(frozen=True, slots=True)
class LayerBytes:
    """Activation bytes per token of one layer on one device."""

    dense: Floats  # kept with this layout's recompute mode
    expert: Floats
    working: Floats  # transient in the backward pass of one layer
    boundary: Floats  # the input of a layer

    @classmethod
    def under(
        cls, model: TransformerModel, job: TrainingJob, layout: Layout, width: float, stack: Stack, flash: bool
    ) -> LayerBytes:
        """Evaluate the laws of one layer under the layout."""
        tp, recompute = np.asarray(layout.tp), np.asarray(layout.recompute)
        residual_ranks = np.where(layout.sequence_parallel, tp, 1)
        attending = model.attention_layers / model.layers
        scores = attending * score_bytes(model.attention.heads, job.sequence, flash) / tp
        share = 1.0 - layout.recomputed
        boundary = width * model.hidden / residual_ranks
        checkpoint = (1.0 - share) * boundary
        kept_scores = np.where(recompute == Recompute.SELECTIVE, 0.0, share) * scores

        def on_device(elements: LayerElements, ranks: Floats) -> Floats:
            return width * (elements.residual / ranks + elements.split / tp)

        has_experts, fused = model.experts is not None, stack.fused_elementwise
        dense = on_device(layer_elements(model, job, False, width, fused), residual_ranks)
        expert = on_device(layer_elements(model, job, True, width, fused), residual_ranks) if has_experts else 0.0
        largest = np.maximum(dense, expert) if np.any(model.dense_layers) else expert
        again = np.where(recompute >= Recompute.BLOCK, largest - boundary + scores, 0.0)
        again = np.where(recompute == Recompute.SELECTIVE, scores, again)
        return cls(
            dense=share * dense + kept_scores + checkpoint,
            expert=share * expert + kept_scores + checkpoint if has_experts else 0.0,
            working=again + on_device(backward_elements(model, has_experts, stack.in_place_gradients), 1.0),
            boundary=boundary,
        )


def activation_terms(
    model: TransformerModel, job: TrainingJob, layout: Layout, layer: LayerBytes, widths: Widths, stage: Stage
) -> Terms:
    """Return saved activations and the larger of two transients: the loss, or one layer's backward pass.

    Saved are those of the layers, the stage's output where the pipeline engine keeps it until the backward pass, and
    what the embedding keeps for its own norm and dropout, which recomputation leaves alone.
    """
    tokens = np.asarray(layout.micro_batch) * (job.sequence / np.asarray(layout.cp, dtype=float))
    kept = stage.dense_layers * layer.dense + stage.expert_layers * layer.expert
    output = widths.activation * model.hidden / np.asarray(layout.tp)
    kept = kept + np.where(np.asarray(layout.pp) > 1, widths.boundaries * output, 0.0)
    kept = kept + np.where(np.asarray(stage.embedding) > 0.0, widths.embedding * layer.boundary, 0.0)
    saved = tokens * stage.in_flight * kept
    working = tokens * layer.working
    scored = tokens if model.domain == "text" else np.asarray(layout.micro_batch)
    logits = stage.has_head * scored * (model.vocabulary * widths.logit / np.asarray(layout.tp))
    at_loss = logits > working
    return {
        "activations": saved,
        "working_set": np.where(at_loss, 0.0, working),
        "logits": np.where(at_loss, logits, 0.0),
    }
