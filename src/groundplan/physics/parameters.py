"""Laws of parameter counts: how many weights each block of a transformer has.

Every function uses arithmetic only, so whole numbers stay exact however large, and arrays broadcast.
A flag (`qkv_bias`, `gated`, ...) is 0 or 1, or an array of them.

References
----------
.. [1] Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762.
.. [2] Ainslie et al., "GQA: Training Generalized Multi-Query Transformer Models", 2023, arXiv:2305.13245.
.. [3] DeepSeek-AI, "DeepSeek-V2", 2024, arXiv:2405.04434, section 2.1 and appendix B.
.. [4] Shazeer, "GLU Variants Improve Transformer", 2020, arXiv:2002.05202.
.. [5] Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021, arXiv:2106.09685.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = int | NDArray[np.integer[Any]]


def attention_parameters(
    hidden: Counts,
    heads: Counts,
    kv_heads: Counts,
    head_dim: Counts,
    value_head_dim: Counts,
    *,
    qkv_bias: Counts = 0,
    output_bias: Counts = 0,
    qk_norm: Counts = 0,
    sinks: Counts = 0,
    output_gate: Counts = 0,
) -> Counts:
    """Parameters of one multi-head, grouped-query or multi-query attention block [1]_ [2]_.

    ``(h + b) (a d + g (d + v)) + a v h + b_o h + 2 n d + s a``: projections to `heads` queries and `kv_heads` keys
    and values, the output projection, their biases, one gain of `head_dim` each for queries and keys, and one sink
    per head. An output gate is one more projection to ``a v``.

    Parameters
    ----------
    hidden : int or array
        Model width [elements].
    heads, kv_heads : int or array
        Query heads, and the heads that keys and values have.
    head_dim, value_head_dim : int or array
        Width of one query or key, and of one value [elements].
    qkv_bias, output_bias, qk_norm, sinks, output_gate : 0 or 1, or array
        Which optional parameters there are.

    Returns
    -------
    int or array
        Parameters of the block, without its input normalisation.

    Examples
    --------
    >>> attention_parameters(4096, 32, 8, 128, 128)
    41943040
    """
    projected = heads * (head_dim + output_gate * value_head_dim) + kv_heads * (head_dim + value_head_dim)
    weights = hidden * (projected + heads * value_head_dim)
    return weights + qkv_bias * projected + output_bias * hidden + 2 * qk_norm * head_dim + sinks * heads


def mla_parameters(
    hidden: Counts,
    heads: Counts,
    head_dim: Counts,
    value_head_dim: Counts,
    q_lora_rank: Counts,
    kv_lora_rank: Counts,
    rope_head_dim: Counts,
    *,
    bias: Counts = 0,
) -> Counts:
    """Parameters of one multi-head latent attention block, with the norms of its latents [3]_.

    Queries pass through a latent of `q_lora_rank` (0: one full projection). Keys and values share a latent of
    `kv_lora_rank` beside one rotary key of `rope_head_dim` for all heads; `head_dim` counts the rotary part.
    `bias` is that of the down-projections and of the output.

    >>> mla_parameters(7168, 128, 192, 128, 1536, 512, 64)
    187107328
    """
    queries = heads * head_dim
    direct: Counts = q_lora_rank == 0
    query = q_lora_rank * (hidden + 1 + queries + bias) + direct * hidden * queries
    down = (hidden + bias) * (kv_lora_rank + rope_head_dim)
    up = kv_lora_rank * (1 + heads * (head_dim - rope_head_dim + value_head_dim))
    return query + down + up + heads * value_head_dim * hidden + bias * hidden


def feed_forward_parameters(hidden: Counts, width: Counts, gated: Counts, *, bias: Counts = 0) -> Counts:
    """Parameters of a feed-forward block of `width`: two matrices, three where it is gated [4]_.

    ``(2 + gated) h f``, and with biases ``(1 + gated) f + h`` more.

    >>> feed_forward_parameters(4096, 14336, True)
    176160768
    """
    return (2 + gated) * hidden * width + bias * ((1 + gated) * width + hidden)


def experts_parameters(
    hidden: Counts,
    count: Counts,
    width: Counts,
    gated: Counts,
    *,
    bias: Counts = 0,
    router_bias: Counts = 0,
    shared_width: Counts = 0,
    shared_gate: Counts = 0,
) -> Counts:
    """Parameters of one mixture-of-experts block: router, `count` experts, shared experts and their gate.

    >>> experts_parameters(4096, 8, 14336, True)
    1409318912
    """
    routed = count * feed_forward_parameters(hidden, width, gated, bias=bias)
    router = (hidden + router_bias) * count
    shared = feed_forward_parameters(hidden, shared_width, gated)
    return routed + router + shared + shared_gate * hidden


def unvisited_parameters(
    hidden: Counts, count: Counts, top_k: Counts, width: Counts, gated: Counts, *, bias: Counts = 0
) -> Counts:
    """Parameters of the experts that one token does not visit in one block: total less active.

    >>> unvisited_parameters(4096, 8, 2, 14336, True)
    1056964608
    """
    return (count - top_k) * feed_forward_parameters(hidden, width, gated, bias=bias)


def embedding_parameters(vocabulary: Counts, width: Counts, tied: Counts) -> Counts:
    """Parameters of the token table, and of the output head where it is not `tied` to the table.

    >>> embedding_parameters(128256, 4096, False)
    1050673152
    """
    return (2 - tied) * vocabulary * width


def lora_parameters(rank: Counts, inputs: Counts, outputs: Counts) -> Counts:
    """Parameters of the low-rank adapter of a matrix of `inputs` x `outputs`: ``r (inputs + outputs)`` [5]_.

    >>> lora_parameters(16, 4096, 4096)
    131072
    """
    return rank * (inputs + outputs)
