"""Exact parameter counts of a transformer, from the laws."""

from __future__ import annotations

from dataclasses import replace

from groundplan.errors import InputError
from groundplan.physics.parameters import (
    attention_parameters,
    embedding_parameters,
    experts_parameters,
    feed_forward_parameters,
    mla_parameters,
    unvisited_parameters,
)
from groundplan.workload.model import Attention, AttentionKind, LinearAttention, TransformerModel

MAX_PARAMETERS = 10**16  # a thousand times the largest model announced; beyond it a size is a slip of the keyboard


def counted(model: TransformerModel) -> TransformerModel:
    """Return `model` with `parameters`, `active_parameters` and `embedding_parameters` filled in.

    `parameters` counts every trained tensor, the embedding tables among them; buffers (rotary frequencies, ALiBi
    slopes, causal masks) are not parameters, and a tied output head counts once. `active_parameters` is `parameters`
    less the experts that a token does not visit; the whole embedding table stays in it, as in the models' own reports.

    Raises
    ------
    InputError
        More than `MAX_PARAMETERS`.
    """
    hidden = model.hidden
    width = model.embedding_width or hidden
    tables = int(embedding_parameters(model.vocabulary, width, model.tied_embeddings))
    tables += model.learned_positions * hidden
    mixers = model.attention_layers * attention_block_parameters(hidden, model.attention)
    if model.linear is not None:
        mixers += model.linear.layers * linear_block_parameters(model.linear)
    norms = model.layers * model.norms_per_layer * model.norm_parameters
    dense = model.feed_forward
    feed_forward = feed_forward_parameters(hidden, dense.width, dense.gated, bias=dense.bias)
    total = mixers + norms + model.feed_forward_layers * int(feed_forward) + tables + model.other_parameters
    unvisited = 0
    experts = model.experts
    if experts is not None:
        block = experts_parameters(
            hidden,
            experts.count,
            experts.width,
            experts.gated,
            bias=experts.bias,
            router_bias=experts.router_bias,
            shared_width=experts.shared_width,
            shared_gate=experts.shared_gate,
        )
        total += experts.layers * int(block)
        unvisited = experts.layers * int(
            unvisited_parameters(hidden, experts.count, experts.top_k, experts.width, experts.gated, bias=experts.bias)
        )
    if total > MAX_PARAMETERS:
        raise InputError(
            f"{model.source}: the sizes make {total:.1e} parameters, more than {MAX_PARAMETERS:.0e}",
            "check layers, widths, experts and vocabulary",
        )
    return replace(model, parameters=total, active_parameters=total - unvisited, embedding_parameters=tables)


def attention_block_parameters(hidden: int, block: Attention) -> int:
    """Return the parameters of one attention block, without its input normalisation."""
    if block.kind is AttentionKind.MLA:
        latent = mla_parameters(
            hidden,
            block.heads,
            block.head_dim,
            block.value_head_dim,
            block.q_lora_rank,
            block.kv_lora_rank,
            block.rope_head_dim,
            bias=block.output_bias,
        )
        return int(latent)
    plain = attention_parameters(
        hidden,
        block.heads,
        block.kv_heads,
        block.head_dim,
        block.value_head_dim,
        qkv_bias=block.qkv_bias,
        output_bias=block.output_bias,
        qk_norm=block.qk_norm,
        sinks=block.sinks,
        output_gate=block.output_gate,
    )
    return int(plain)


def linear_block_parameters(block: LinearAttention) -> int:
    """Return the parameters of one linear attention block, without its input normalisation."""
    return block.vectors + sum(one.inputs * one.outputs for one in block.projections)
