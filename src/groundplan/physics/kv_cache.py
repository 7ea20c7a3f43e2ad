"""Laws of inference memory: the key-value cache.

References
----------
.. [1] Ainslie et al., "GQA: Training Generalized Multi-Query Transformer Models", 2023, arXiv:2305.13245.
.. [2] DeepSeek-AI, "DeepSeek-V2", 2024, arXiv:2405.04434, section 2.1: the latent cache of MLA.
"""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats


def kv_elements(kv_heads: Floats, head_dim: float, value_head_dim: float) -> Floats:
    """Elements one token adds to the cache of one layer: its keys and values [1]_.

    >>> float(kv_elements(8, 128, 128))
    2048.0
    """
    result: Floats = np.asarray(kv_heads, dtype=float) * (head_dim + value_head_dim)
    return result


def latent_kv_elements(kv_lora_rank: float, rope_head_dim: float) -> float:
    """Elements one token adds to the cache of one layer of multi-head latent attention [2]_.

    One latent and one rotary key shared by all heads: tensor parallelism does not split it.

    >>> latent_kv_elements(512, 64)
    576.0
    """
    return float(kv_lora_rank + rope_head_dim)


def cached_tokens(sequence: Floats, layers: float, windowed_layers: float, window: float) -> Floats:
    """Tokens times layers that one sequence keeps: sliding-window layers keep no more than their window.

    >>> float(cached_tokens(8192, 32, 0, 0))
    262144.0
    >>> float(cached_tokens(8192, 32, 32, 4096))
    131072.0
    """
    tokens = np.asarray(sequence, dtype=float)
    windowed = np.minimum(tokens, window) if window else tokens
    result: Floats = (layers - windowed_layers) * tokens + windowed_layers * windowed
    return result
