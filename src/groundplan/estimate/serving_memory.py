"""Memory of one device that serves a model, by term."""

from __future__ import annotations

import numpy as np

from groundplan.errors import UnknownName
from groundplan.estimate.layer_memory import model_parameters
from groundplan.estimate.stage_memory import Terms
from groundplan.physics.arrays import Floats
from groundplan.physics.kv_cache import cached_tokens, kv_elements, latent_kv_elements
from groundplan.physics.memory import FP32_BYTES
from groundplan.workload.model import AttentionKind, TransformerModel

SIXTEEN_BIT = 2.0
GROUP = 128.0  # weights that share a 16-bit scale and zero point in 4-bit checkpoints (AWQ, GPTQ defaults)
FP4_BLOCK = 16.0  # NVFP4: one fp8 scale for 16 weights
WEIGHT_BYTES = {
    "fp32": 4.0,
    "bf16": SIXTEEN_BIT,
    "fp16": SIXTEEN_BIT,
    "fp8": 1.0,
    "int8": 1.0,
    "int4": 0.5 + 2 * SIXTEEN_BIT / GROUP,
    "nvfp4": 0.5 + 1.0 / FP4_BLOCK,
}
KV_BYTES = {"fp32": 4.0, "bf16": SIXTEEN_BIT, "fp16": SIXTEEN_BIT, "fp8": 1.0, "int8": 1.0}
PREFILL_TOKENS = 8192.0  # tokens of one scheduler step: the default of vLLM's server on large accelerators


def serving_memory_terms(
    model: TransformerModel,
    batch: int,
    sequence: int,
    weight_precision: str,
    kv_precision: str,
    tp: int,
    pp: int,
    context_bytes: float,
) -> Terms:
    """Return the bytes one device holds to serve `batch` sequences of `sequence` tokens at once.

    Parameters
    ----------
    model : TransformerModel
    batch, sequence : int
        Sequences in flight and tokens of each, prompt and answer together.
    weight_precision, kv_precision : str
        Keys of `WEIGHT_BYTES` and `KV_BYTES`. Quantised checkpoints keep embeddings, norms and head at 16 bits.
    tp, pp : int
        Tensor- and pipeline-parallel ranks. Beyond `kv_heads` ranks, key-value heads are replicated.
    context_bytes : float
        Driver context and communication library. [bytes]

    Returns
    -------
    dict[str, Floats]
        `weights`, `kv_cache`, `workspace`, `logits`, `framework`. [bytes]
    """
    if weight_precision not in WEIGHT_BYTES:
        raise UnknownName("weight precision", weight_precision, WEIGHT_BYTES)
    if kv_precision not in KV_BYTES:
        raise UnknownName("KV-cache precision", kv_precision, KV_BYTES)
    tables_width = max(WEIGHT_BYTES[weight_precision], SIXTEEN_BIT)
    parameters = model_parameters(model)
    tables = parameters.embedding + parameters.head
    if pp > 1:  # one end each; a tied table is held by both
        tables = max(parameters.embedding, parameters.table)
    share = float(np.ceil(model.layers / pp)) / model.layers
    body = (model.parameters - model.embedding_parameters) * share
    tokens = min(float(batch * sequence), PREFILL_TOKENS)
    return {
        "weights": (body * WEIGHT_BYTES[weight_precision] + tables * tables_width) / tp,
        "kv_cache": batch * kv_bytes(model, sequence, kv_precision, tp) * share,
        "workspace": tokens * SIXTEEN_BIT * _widest_elements(model) / tp + tokens * SIXTEEN_BIT * 2.0 * model.hidden,
        "logits": batch * model.vocabulary * FP32_BYTES / tp,
        "framework": context_bytes,
    }


def kv_bytes(model: TransformerModel, sequence: int, kv_precision: str, tp: int = 1) -> Floats:
    """Return the key-value cache of one sequence over all layers on one of `tp` devices. [bytes]"""
    block = model.attention
    if block.kind is AttentionKind.MLA:
        elements: Floats = latent_kv_elements(block.kv_lora_rank, block.rope_head_dim)
    else:
        heads = max(block.kv_heads / tp, 1.0)
        elements = kv_elements(heads, block.head_dim, block.value_head_dim)
    kept = cached_tokens(sequence, model.layers, block.windowed_layers, block.window)
    return elements * kept * KV_BYTES[kv_precision]


def _widest_elements(model: TransformerModel) -> float:
    """Elements per token of the widest pair of activations in one layer."""
    block = model.attention
    widths = [block.heads * block.head_dim + 2.0 * block.kv_heads * block.head_dim]
    widths.append(model.feed_forward.width * (3.0 if model.feed_forward.gated else 2.0))
    if model.experts is not None:
        experts = model.experts
        widths.append(experts.top_k * (experts.width * (3.0 if experts.gated else 2.0) + 2.0 * model.hidden))
    return max(widths)
