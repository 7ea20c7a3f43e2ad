"""What one layer of a model weighs: its parameters and what its forward pass keeps, before any split."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from groundplan.estimate.blocks import (
    Matmul,
    attention_matmuls,
    dense_share,
    feed_forward_matmuls,
    linear_matmuls,
    mixer_matmuls,
)
from groundplan.physics.arrays import Floats
from groundplan.physics.memory import (
    adapter_bytes,
    attention_elements,
    eager_norm_elements,
    experts_elements,
    feed_forward_elements,
    feed_forward_gradients,
    latent_elements,
    norm_elements,
)
from groundplan.workload.job import Lora, Method, TrainingJob
from groundplan.workload.model import AttentionKind, TransformerModel


@dataclass(frozen=True, slots=True)
class LayerParameters:
    """Parameters of one layer by how parallelism splits them."""

    split: Floats  # over tensor-parallel ranks
    whole: Floats  # on every tensor-parallel rank: norms, biases, latent projections, routers
    experts: Floats  # over tensor- and expert-parallel ranks

    @property
    def total(self) -> Floats:
        """All parameters of the layer."""
        return self.split + self.whole + self.experts


@dataclass(frozen=True, slots=True)
class ModelParameters:
    """Parameters by place: the two kinds of layer, the input tables, the output head."""

    dense_layer: LayerParameters
    expert_layer: LayerParameters
    embedding: Floats
    head: Floats  # 0 where it is tied to the embedding
    table: Floats  # the output matrix, tied or not: what the last pipeline stage holds
    largest_matrix: Floats


@dataclass(frozen=True, slots=True)
class LayerElements:
    """Elements one layer keeps per token for the backward pass."""

    residual: Floats  # split by tensor parallelism only under sequence parallelism
    split: Floats


def model_parameters(model: TransformerModel) -> ModelParameters:
    """Place every parameter of the model; the parts sum to ``model.parameters``.

    Where not every layer has every block, a layer is the mean of those of its kind.
    """
    mixers = mixer_matmuls(model)
    dense = feed_forward_matmuls(model.hidden, model.feed_forward.width, model.feed_forward.gated)
    experts = model.experts
    table = 1.0 * model.vocabulary * _table_width(model)
    embedding = np.minimum(1.0 * model.embedding_parameters, table + model.learned_positions * model.hidden)
    shared: tuple[Matmul, ...] = ()
    routed = router = 0.0
    if experts is not None:
        one = _size(feed_forward_matmuls(model.hidden, experts.width, experts.gated))
        routed, router = one * experts.count, 1.0 * model.hidden * experts.count
        if np.any(experts.shared_width):
            shared = feed_forward_matmuls(model.hidden, experts.shared_width, experts.gated)
    moe_layers = experts.layers if experts else 0
    matrices = (
        model.layers * _shared_size(mixers)
        + model.feed_forward_layers * _size(dense)
        + moe_layers * (_size(shared) + routed + router)
    )
    # Norms, biases, gates: what is left, spread evenly over the layers.
    small = (model.parameters - model.embedding_parameters - matrices) / np.maximum(model.layers, 1)
    latent = _shared_size(tuple(one for one in mixers if one[0].split == "none"))
    split = _shared_size(mixers) - latent
    return ModelParameters(
        dense_layer=LayerParameters(split + dense_share(model) * _size(dense), latent + small, 0.0),
        expert_layer=LayerParameters(split + _size(shared), latent + small + router, routed),
        embedding=embedding,
        head=1.0 * model.embedding_parameters - embedding,
        table=table,
        largest_matrix=reduce(np.maximum, [m.inputs * m.outputs for m in (*(m for m, _ in mixers), *dense, *shared)]),
    )


def adapter_parameters(model: TransformerModel, lora: Lora) -> tuple[Floats, Floats]:
    """Return the adapter parameters of a dense layer and of a layer with experts (experts included).

    An adapter of rank r on an inputs x outputs matrix has r x (inputs + outputs) parameters; query, key, value, gate
    and up are adapted each on its own; linear attention only where all linear layers are.
    """
    attention = _adapter(attention_matmuls(model), lora.rank) * (model.attention_layers / model.layers)
    if lora.targets == "attention":
        return attention, attention
    attention = attention + _adapter(linear_matmuls(model), lora.rank) * (model.linear_layers / model.layers)
    dense = attention + dense_share(model) * _adapter(
        feed_forward_matmuls(model.hidden, model.feed_forward.width, model.feed_forward.gated), lora.rank
    )
    experts = model.experts
    if experts is None:
        return dense, dense
    one = _adapter(feed_forward_matmuls(model.hidden, experts.width, experts.gated), lora.rank)
    shared = _adapter(feed_forward_matmuls(model.hidden, experts.shared_width, experts.gated), lora.rank)
    return dense, attention + experts.count * one + np.where(experts.shared_width, shared, 0.0)


def layer_elements(
    model: TransformerModel, job: TrainingJob, with_experts: bool, width: float, fused: bool
) -> LayerElements:
    """Return what one layer keeps per token, in elements of `width` bytes.

    A frozen matrix without an adapter needs no input kept: the gradient of its weight is never formed. The 4-bit
    multiplication of bitsandbytes keeps it all the same, and not as autograd does, which lets go of what the backward
    pass has used: it stays until the loop lets go of the loss, which is after the next step's forward pass. So the
    inputs of 4-bit matrices are held twice. `fused` is whether norms and activation functions are single kernels.
    """
    block, hidden = model.attention, 1.0 * model.hidden
    adapted = job.method in (Method.LORA, Method.QLORA)
    spared = job.method is Method.LORA and job.lora is not None and job.lora.targets == "attention"
    residual: Floats = norm_elements(hidden, model.norms_per_layer, model.parallel_block)
    if not fused and np.all(model.norm_parameters == model.hidden):
        residual += eager_norm_elements(hidden, model.norms_per_layer, width, trained=not adapted)
    attending = model.attention_layers / model.layers
    split: Floats = attending * attention_elements(block.heads, block.kv_heads, block.head_dim, block.value_head_dim)
    if block.kind is AttentionKind.MLA:
        residual += attending * 2.0 * (block.q_lora_rank + block.kv_lora_rank)
        split += attending * latent_elements(block.heads, block.head_dim - block.rope_head_dim)
    split += model.linear_layers / model.layers * _linear_elements(model)
    if with_experts and model.experts is not None:
        experts = model.experts
        split += experts_elements(hidden, experts.width, experts.top_k, experts.gated, fused)
        split += feed_forward_elements(experts.shared_width, experts.gated, fused)
    else:
        fed = dense_share(model)
        split += fed * feed_forward_elements(model.feed_forward.width, model.feed_forward.gated, fused)
        if spared:
            split -= fed * model.feed_forward.width
    if spared and not model.parallel_block:
        residual -= hidden
    if adapted:
        branch = adapter_bytes(1.0, width) / width
        only_attention = job.lora is not None and job.lora.targets == "attention"
        inputs = matmul_inputs(model, with_experts, only_attention)
        residual, split = residual + branch * inputs.residual, split + branch * inputs.split
    if job.method is Method.QLORA:
        inputs = matmul_inputs(model, with_experts, only_attention=False)
        shared = hidden if model.parallel_block else 0.0
        residual, split = residual + inputs.residual - shared, split + inputs.split
    return LayerElements(residual, split)


def matmul_inputs(model: TransformerModel, with_experts: bool, only_attention: bool) -> LayerElements:
    """Return the inputs of the weight matrices of one layer, per token; those split by rows are split themselves."""
    visited: list[tuple[Matmul, Floats]] = [*mixer_matmuls(model)]
    if only_attention:
        visited = [(matmul, model.attention_layers / model.layers) for matmul in attention_matmuls(model)]
    if not only_attention and with_experts and model.experts is not None:
        experts = model.experts
        routed = feed_forward_matmuls(model.hidden, experts.width, experts.gated)
        shared = feed_forward_matmuls(model.hidden, experts.shared_width, experts.gated)
        visited += [(matmul, 1.0 * experts.top_k) for matmul in routed]
        visited += [(matmul, np.where(experts.shared_width, 1.0, 0.0)) for matmul in shared]
    elif not only_attention:
        block = model.feed_forward
        matmuls = feed_forward_matmuls(model.hidden, block.width, block.gated)
        visited += [(matmul, dense_share(model)) for matmul in matmuls]
    whole = sum(matmul.inputs * times for matmul, times in visited if matmul.split != "row")
    return LayerElements(whole, sum(matmul.inputs * times for matmul, times in visited if matmul.split == "row"))


def backward_elements(model: TransformerModel, with_experts: bool, in_place: bool) -> LayerElements:
    """Return the gradients of activations alive at once in the backward pass of one layer.

    The largest block's inner gradients, and the gradients of its input and output.
    """
    block = model.attention
    inner: Floats = block.heads * block.head_dim + block.kv_heads * (block.head_dim + block.value_head_dim)
    if model.linear is not None:
        inner = np.maximum(inner, _linear_elements(model) / 2.0)
    if with_experts and model.experts is not None:
        experts = model.experts
        copies = experts.top_k * (model.hidden + feed_forward_gradients(experts.width, experts.gated, in_place))
        shared = feed_forward_gradients(experts.shared_width, experts.gated, in_place)
        inner = np.maximum(np.maximum(inner, copies), shared)
    else:
        inner = np.maximum(inner, feed_forward_gradients(model.feed_forward.width, model.feed_forward.gated, in_place))
    return LayerElements(2.0 * model.hidden, inner)


def _linear_elements(model: TransformerModel) -> Floats:
    """Elements a linear attention block keeps per token: what is projected, convolved, and the output twice.

    The states of a scan are computed again in the backward pass.
    """
    block = model.linear
    if block is None:
        return 0.0
    kept = sum(one.inputs if one.split == "row" else one.outputs for one in block.projections)
    return 1.0 * kept + block.convolved + block.heads * block.value_dim


def _shared_size(matmuls: tuple[tuple[Matmul, Floats], ...]) -> Floats:
    return sum(matmul.inputs * matmul.outputs * share for matmul, share in matmuls)


def _size(matmuls: tuple[Matmul, ...]) -> float:
    return sum(matmul.inputs * matmul.outputs for matmul in matmuls)


def _adapter(matmuls: tuple[Matmul, ...], rank: int) -> float:
    return rank * sum(matmul.parts * matmul.inputs + matmul.outputs for matmul in matmuls)


def _table_width(model: TransformerModel) -> Floats:
    """Width of a row of the token table."""
    return np.where(model.embedding_width, model.embedding_width, model.hidden)
