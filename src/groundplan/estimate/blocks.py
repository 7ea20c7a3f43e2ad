"""The matrix multiplications of one transformer layer, as rows that the laws read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundplan.physics.arrays import Floats
from groundplan.workload.model import AttentionKind, LinearAttention, TransformerModel


@dataclass(frozen=True, slots=True)
class Matmul:
    """A weight of `inputs` x `outputs`. Tensor parallelism splits its columns, its rows, or not at all."""

    name: str
    inputs: float
    outputs: float
    split: str  # column | row | none
    parts: float = 1.0  # matrices of the model that are multiplied as this one


def attention_matmuls(model: TransformerModel) -> tuple[Matmul, ...]:
    """Return the projections of the attention block."""
    block, hidden = model.attention, 1.0 * model.hidden
    context = block.heads * block.value_head_dim
    if block.kind is AttentionKind.MLA:
        rank, rope = block.kv_lora_rank, block.rope_head_dim
        query = block.heads * block.head_dim
        queries = (
            (
                Matmul("query_down", hidden, block.q_lora_rank, "none"),
                Matmul("query_up", block.q_lora_rank, query, "column"),
            )
            if np.any(block.q_lora_rank)
            else (Matmul("query", hidden, query, "column"),)
        )
        expanded = block.heads * (block.head_dim - rope + block.value_head_dim)
        return (
            *queries,
            Matmul("key_value_down", hidden, rank + rope, "none"),
            Matmul("key_value_up", rank, expanded, "column"),
            Matmul("attention_output", context, hidden, "row"),
        )
    qkv = block.heads * block.head_dim + block.kv_heads * (block.head_dim + block.value_head_dim)
    qkv = qkv + block.output_gate * context
    return (Matmul("qkv", hidden, qkv, "column", parts=3.0), Matmul("attention_output", context, hidden, "row"))


def linear_matmuls(model: TransformerModel) -> tuple[Matmul, ...]:
    """Return the projections of the linear attention block; none where the model has no such block."""
    if model.linear is None:
        return ()
    return tuple(Matmul(one.name, 1.0 * one.inputs, 1.0 * one.outputs, one.split) for one in model.linear.projections)


def streamed_elements(block: LinearAttention) -> float:
    """Return the elements of a token that go into and come out of the scan of a linear attention block."""
    into = sum(one.outputs for one in block.projections if one.split == "column")
    return 1.0 * into + block.heads * block.value_dim


def mixer_matmuls(model: TransformerModel) -> tuple[tuple[Matmul, Floats], ...]:
    """Return the projections of attention and linear attention, with the share of the layers that has them."""
    attention, linear = model.attention_layers / model.layers, model.linear_layers / model.layers
    return (
        *((one, attention) for one in attention_matmuls(model)),
        *((one, linear) for one in linear_matmuls(model)),
    )


def dense_share(model: TransformerModel) -> Floats:
    """Share of the layers without experts that has the dense feed-forward block."""
    if not np.any(model.layers_without_feed_forward):
        return 1.0
    result: Floats = model.feed_forward_layers / np.maximum(model.dense_layers, 1)
    return result


def feed_forward_matmuls(hidden: int, width: int, gated: bool) -> tuple[Matmul, ...]:
    """Return the up- (and gate-) and down-projection of a feed-forward block of `width`."""
    up = 2 * width if gated else width
    return (Matmul("up", hidden, up, "column", parts=2.0 if gated else 1.0), Matmul("down", width, hidden, "row"))
