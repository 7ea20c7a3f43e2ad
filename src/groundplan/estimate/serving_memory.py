"""Memory of one device that serves a model, by term."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from groundplan.design.deployment import Deployment
from groundplan.estimate.blocks import dense_share, feed_forward_matmuls, linear_matmuls, mixer_matmuls
from groundplan.estimate.formats import SIXTEEN_BIT, attention_format, kv_format_bytes, weight_format
from groundplan.estimate.layer_memory import LayerParameters, model_parameters
from groundplan.physics.arrays import Floats
from groundplan.physics.kv_cache import cached_tokens, kv_elements, latent_kv_elements
from groundplan.physics.linear_attention import convolution_elements, state_elements
from groundplan.physics.memory import FP32_BYTES
from groundplan.workload.model import AttentionKind, TransformerModel


def serving_memory_terms(
    model: TransformerModel, deployment: Deployment, batched_tokens: float, sequences: float
) -> dict[str, float]:
    """Return the bytes one device holds beside the cache and the framework.

    Parameters
    ----------
    model : TransformerModel
    deployment : Deployment
        Quantised checkpoints keep embeddings, norms and head at 16 bits, those with 4-bit experts attention too.
    batched_tokens, sequences : float
        Most tokens and sequences of one iteration, which size the workspace and the logits.

    Returns
    -------
    dict[str, float]
        `weights`, `workspace`, `logits`; `draft` and `adapters` where they are served. [bytes]
    """
    tokens, rows = batched_tokens / deployment.dp, sequences / deployment.dp
    beside: dict[str, float] = {}
    if deployment.speculation is not None and deployment.speculation.draft is not None:
        draft = deployment.speculation.draft
        beside["draft"] = _weight_bytes(draft, drafting(deployment))
        if not deployment.speculation.own_tables:
            beside["draft"] -= _table_bytes(draft, drafting(deployment))
    if deployment.adapters is not None:
        held = adapter_elements(model, deployment.adapters.rank, deployment.tp) * model.layers / deployment.pp
        beside["adapters"] = deployment.adapters.count * held * SIXTEEN_BIT
    return {
        "weights": _weight_bytes(model, deployment),
        "workspace": tokens * SIXTEEN_BIT * (_widest_elements(model) / deployment.tp + 2.0 * model.hidden),
        "logits": rows * model.vocabulary * FP32_BYTES / deployment.tp,
        **beside,
    }


def drafting(deployment: Deployment) -> Deployment:
    """Return how the draft of a deployment is laid out: on every stage's devices, as the model, but in one stage."""
    return replace(deployment, pp=1, speculation=None, adapters=None)


def adapter_elements(model: TransformerModel, rank: float, tp: int) -> float:
    """Elements of one adapter of a layer on one device: of every matrix but the experts'.

    ``rank x (inputs + outputs / tp)`` of a matrix split by columns, ``rank x (inputs / tp + outputs)`` of one split by
    rows: the half beside the split is held whole.
    """
    matmuls = [*mixer_matmuls(model)]
    if model.feed_forward_layers:
        block = model.feed_forward
        matmuls += [(one, dense_share(model)) for one in feed_forward_matmuls(model.hidden, block.width, block.gated)]
    held = {"column": (1.0, 1.0 / tp), "row": (1.0 / tp, 1.0), "none": (1.0, 1.0)}
    elements = (
        share * (held[one.split][0] * one.parts * one.inputs + held[one.split][1] * one.outputs)
        for one, share in matmuls
    )
    return float(rank * sum(elements))


def _weight_bytes(model: TransformerModel, deployment: Deployment) -> float:
    """Weights of the fullest device: its stage's layers, split as the deployment splits them, and one table."""
    weights = weight_format(deployment.weights)
    projections = attention_format(weights, model.experts is not None)
    parameters = model_parameters(model)
    share = float(np.ceil(model.layers / deployment.pp)) / model.layers
    sparse = model.experts.layers if model.experts else 0
    dense, expert = parameters.dense_layer, parameters.expert_layer
    layers = model.dense_layers * _layer_bytes(dense, deployment, projections.weight_bytes)
    layers += sparse * _layer_bytes(expert, deployment, projections.weight_bytes)
    experts = sparse * float(expert.experts) * weights.weight_bytes / deployment.stage
    return (layers + experts) * share + _table_bytes(model, deployment)


def _table_bytes(model: TransformerModel, deployment: Deployment) -> float:
    """Embedding and output head; of several stages one end each, where a tied table is held by both."""
    parameters = model_parameters(model)
    tables = float(parameters.embedding + parameters.head)
    if deployment.pp > 1:
        tables = float(max(parameters.embedding, parameters.table))
    return tables * max(weight_format(deployment.weights).weight_bytes, SIXTEEN_BIT) / deployment.tp


def _layer_bytes(layer: LayerParameters, deployment: Deployment, width: float) -> float:
    """Bytes of a layer without its experts."""
    return float(layer.split / deployment.tp + layer.whole) * width


def cache_token_bytes(model: TransformerModel, deployment: Deployment, context: float) -> float:
    """Return what one token of a sequence of `context` tokens takes on one device of a stage, on average. [bytes]

    Windowed layers keep no more than their window of the sequence, linear ones a state, which its tokens share. A
    draft keeps its own.
    """
    block = model.attention
    kept = float(cached_tokens(context, model.attention_layers, block.windowed_layers, block.window)) / context
    draft = deployment.speculation.draft if deployment.speculation else None
    beside = cache_token_bytes(draft, drafting(deployment), context) if draft is not None else 0.0
    cached = _token_elements(model, deployment.tp) * kept * kv_format_bytes(deployment.kv)
    return beside + (cached + state_bytes(model, deployment.tp) / context) / deployment.pp


def state_bytes(model: TransformerModel, tp: int) -> float:
    """Return what the linear layers keep of one sequence on one of `tp` devices: states and last inputs. [bytes]"""
    block = model.linear
    if block is None:
        return 0.0
    states = state_elements(block.heads, block.qk_dim, block.value_dim) * block.state_bytes
    inputs = convolution_elements(block.convolved, block.kernel) * SIXTEEN_BIT
    return float(block.layers * (states + inputs) / tp)


def kv_bytes(model: TransformerModel, sequence: int, kv_precision: str, tp: int = 1) -> Floats:
    """Return the key-value cache of one sequence over all layers on one of `tp` devices. [bytes]"""
    block = model.attention
    kept = cached_tokens(sequence, model.attention_layers, block.windowed_layers, block.window)
    return _token_elements(model, tp) * kept * kv_format_bytes(kv_precision)


def _token_elements(model: TransformerModel, tp: int) -> float:
    """Elements of one token and layer on one device. Beyond `kv_heads` devices, heads are held more than once."""
    block = model.attention
    if block.kind is AttentionKind.MLA:
        return latent_kv_elements(block.kv_lora_rank, block.rope_head_dim)
    return float(kv_elements(max(block.kv_heads / tp, 1.0), block.head_dim, block.value_head_dim))


def _widest_elements(model: TransformerModel) -> float:
    """Elements per token of the widest pair of activations in one layer."""
    block = model.attention
    widths = [block.heads * block.head_dim + 2.0 * block.kv_heads * block.head_dim]
    if model.linear is not None:
        widths.append(2.0 * sum(one.outputs for one in linear_matmuls(model) if one.split == "column"))
    widths.append(model.feed_forward.width * (3.0 if model.feed_forward.gated else 2.0))
    if model.experts is not None:
        experts = model.experts
        widths.append(experts.top_k * (experts.width * (3.0 if experts.gated else 2.0) + 2.0 * model.hidden))
    return max(widths)
