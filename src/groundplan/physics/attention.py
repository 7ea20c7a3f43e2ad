"""Work and time of the attention core, with and without flash attention."""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats

HALF_SPEED_SEQUENCE = 256.0
"""Sequence at which flash attention reaches half of its long-sequence rate (Dao 2023, figures 4 and 5; derived)."""
FULL_SPEED_HEAD = 128.0
"""Head dimension at which the matmuls of flash attention fill the tensor cores."""


def attended_pairs(sequence: Floats, causal: bool, window: Floats) -> Floats:
    """(query, key) pairs of one sequence.

    Parameters
    ----------
    sequence : float or array
        Tokens.
    causal : bool
        Each token sees itself and what came before.
    window : float or array
        Tokens a query sees at most; 0 = all.

    Notes
    -----
    All: s^2. Causal: s (s + 1) / 2. Causal with window w < s: w s - w (w - 1) / 2. Window without causality: s w.

    >>> float(attended_pairs(4, True, 0)), float(attended_pairs(4, True, 2)), float(attended_pairs(4, False, 0))
    (10.0, 7.0, 16.0)
    """
    s = np.asarray(sequence, dtype=float)
    w = np.where((np.asarray(window) > 0) & (np.asarray(window) < s), window, s)
    return w * s - w * (w - 1.0) / 2.0 if causal else s * w


def attention_flops(pairs: Floats, heads: Floats, qk_dim: Floats, value_dim: Floats) -> Floats:
    """Forward FLOPs of scores and weighted values: ``2 x pairs x heads x (qk_dim + value_dim)``."""
    return 2.0 * pairs * heads * (qk_dim + value_dim)


def flash_efficiency(sequence: Floats, head_dim: Floats, saturated: Floats) -> Floats:
    """Share of the sustained matmul rate that flash attention reaches.

    Parameters
    ----------
    sequence, head_dim : float or array
        Tokens; width of a head.
    saturated : float or array
        The share at long sequences and a head of 128.

    Notes
    -----
    ``saturated x s / (s + s_half) x d / (d + d_half)``, the head factor normalised to 1 at 128 and bounded there.
    """
    head = np.minimum(np.asarray(head_dim, dtype=float) / FULL_SPEED_HEAD, 1.0)
    return saturated * sequence / (sequence + HALF_SPEED_SEQUENCE) * (1.5 * head / (head + 0.5))


def flash_attention_s(flops: Floats, rate_flops_per_s: Floats, efficiency: Floats) -> Floats:
    """Seconds of a flash-attention kernel: FLOPs over the reached rate."""
    return flops / (rate_flops_per_s * efficiency)


def unfused_attention_bytes(sequence: Floats, heads: Floats, element_bytes: Floats, passes: Floats) -> Floats:
    """Memory traffic of the s x s scores of one sequence in a stack without flash attention [bytes].

    ``passes`` counts reads and writes of the whole score matrix: scale, mask, softmax, dropout.
    """
    return passes * element_bytes * heads * sequence * sequence
