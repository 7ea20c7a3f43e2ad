"""What one layer of a model weighs: its parameters and what its forward pass keeps, before any split."""

from __future__ import annotations

from dataclasses import dataclass

from groundplan.estimate.blocks import Matmul, attention_matmuls, feed_forward_matmuls
from groundplan.physics.memory import (
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

    split: float  # over tensor-parallel ranks
    whole: float  # on every tensor-parallel rank: norms, biases, latent projections, routers
    experts: float  # over tensor- and expert-parallel ranks

    @property
    def total(self) -> float:
        """All parameters of the layer."""
        return self.split + self.whole + self.experts


@dataclass(frozen=True, slots=True)
class ModelParameters:
    """Parameters by place: the two kinds of layer, the input tables, the output head."""

    dense_layer: LayerParameters
    expert_layer: LayerParameters
    embedding: float
    head: float  # 0 where it is tied to the embedding
    table: float  # the output matrix, tied or not: what the last pipeline stage holds
    largest_matrix: float


@dataclass(frozen=True, slots=True)
class LayerElements:
    """Elements one layer keeps per token for the backward pass."""

    residual: float  # split by tensor parallelism only under sequence parallelism
    split: float


def model_parameters(model: TransformerModel) -> ModelParameters:
    """Place every parameter of the model; the parts sum to ``model.parameters``."""
    attention = attention_matmuls(model)
    dense = feed_forward_matmuls(model.hidden, model.feed_forward.width, model.feed_forward.gated)
    experts = model.experts
    table = float(model.vocabulary * (model.embedding_width or model.hidden))
    embedding = min(float(model.embedding_parameters), table + model.learned_positions * model.hidden)
    shared: tuple[Matmul, ...] = ()
    routed = router = 0.0
    if experts is not None:
        one = _size(feed_forward_matmuls(model.hidden, experts.width, experts.gated))
        routed, router = one * experts.count, float(model.hidden * experts.count)
        if experts.shared_width:
            shared = feed_forward_matmuls(model.hidden, experts.shared_width, experts.gated)
    moe_layers = experts.layers if experts else 0
    matrices = (
        model.layers * _size(attention)
        + model.dense_layers * _size(dense)
        + moe_layers * (_size(shared) + routed + router)
    )
    # Norms, biases, gates: what is left, spread evenly over the layers.
    small = (model.parameters - model.embedding_parameters - matrices) / max(model.layers, 1)
    latent = _size(tuple(m for m in attention if m.split == "none"))
    split = _size(attention) - latent
    return ModelParameters(
        dense_layer=LayerParameters(split + _size(dense), latent + small, 0.0),
        expert_layer=LayerParameters(split + _size(shared), latent + small + router, routed),
        embedding=embedding,
        head=float(model.embedding_parameters) - embedding,
        table=table,
        largest_matrix=max(m.inputs * m.outputs for m in (*attention, *dense, *shared)),
    )


def adapter_parameters(model: TransformerModel, lora: Lora) -> tuple[float, float]:
    """Return the adapter parameters of a dense layer and of a layer with experts (experts included).

    An adapter of rank r on an inputs x outputs matrix has r x (inputs + outputs) parameters.
    """
    attention = _adapter(attention_matmuls(model), lora.rank)
    if lora.targets == "attention":
        return attention, attention
    dense = attention + _adapter(
        feed_forward_matmuls(model.hidden, model.feed_forward.width, model.feed_forward.gated), lora.rank
    )
    experts = model.experts
    if experts is None:
        return dense, dense
    one = _adapter(feed_forward_matmuls(model.hidden, experts.width, experts.gated), lora.rank)
    shared = _adapter(feed_forward_matmuls(model.hidden, experts.shared_width, experts.gated), lora.rank)
    return dense, attention + experts.count * one + (shared if experts.shared_width else 0.0)


def layer_elements(
    model: TransformerModel, job: TrainingJob, with_experts: bool, width: float, fused: bool
) -> LayerElements:
    """Return what one layer keeps per token, in elements of `width` bytes.

    A frozen matrix without an adapter needs no input kept: the gradient of its weight is never formed. The 4-bit
    multiplication of bitsandbytes keeps it all the same. `fused` is whether norms and activation functions are
    single kernels.
    """
    block, hidden = model.attention, float(model.hidden)
    adapted = job.method in (Method.LORA, Method.QLORA)
    spared = job.method is Method.LORA and job.lora is not None and job.lora.targets == "attention"
    residual = norm_elements(hidden, model.norms_per_layer, model.parallel_block)
    if not fused and model.norm_parameters == model.hidden:
        residual += eager_norm_elements(hidden, model.norms_per_layer, width, trained=not adapted)
    split = attention_elements(block.heads, block.kv_heads, block.head_dim, block.value_head_dim)
    if block.kind is AttentionKind.MLA:
        residual += 2.0 * (block.q_lora_rank + block.kv_lora_rank)
        split += latent_elements(block.heads, block.head_dim - block.rope_head_dim)
    if with_experts and model.experts is not None:
        experts = model.experts
        split += experts_elements(hidden, experts.width, experts.top_k, experts.gated, fused)
        split += feed_forward_elements(experts.shared_width, experts.gated, fused)
    else:
        split += feed_forward_elements(model.feed_forward.width, model.feed_forward.gated, fused)
        if spared:
            split -= model.feed_forward.width
    if spared and not model.parallel_block:
        residual -= hidden
    return LayerElements(residual, split)


def backward_elements(model: TransformerModel, with_experts: bool) -> LayerElements:
    """Return the gradients of activations alive at once in the backward pass of one layer.

    The largest block's inner gradients, and the gradients of its input and output.
    """
    block = model.attention
    inner: float = block.heads * block.head_dim + block.kv_heads * (block.head_dim + block.value_head_dim)
    if with_experts and model.experts is not None:
        experts = model.experts
        copies = experts.top_k * (model.hidden + feed_forward_gradients(experts.width, experts.gated))
        inner = max(inner, copies, feed_forward_gradients(experts.shared_width, experts.gated))
    else:
        inner = max(inner, feed_forward_gradients(model.feed_forward.width, model.feed_forward.gated))
    return LayerElements(2.0 * model.hidden, float(inner))


def _size(matmuls: tuple[Matmul, ...]) -> float:
    return sum(matmul.inputs * matmul.outputs for matmul in matmuls)


def _adapter(matmuls: tuple[Matmul, ...], rank: int) -> float:
    return rank * sum(matmul.inputs + matmul.outputs for matmul in matmuls)
