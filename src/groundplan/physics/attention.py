"""Work and time of the attention core, with and without flash attention.

References
----------
Dao 2023, FlashAttention-2, arXiv 2307.08691: no score matrix in memory, masked blocks skipped.
Korthikanti et al. 2022, arXiv 2205.05198: what attention without it stores and moves.
"""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats

TILE = 128.0
"""Side of the tiles flash attention works on, on a GPU."""
HALF_SPEED_KEYS = 2.0
"""Keys a query meets on average, in tiles, at which flash attention reaches half of its rate at many; derived from
FlashAttention-3 on an H100 without mask, 430 TFLOP/s at 512 tokens and 621 at 16,384 (github.com/pytorch/benchmark,
pull 2391)."""
FULL_SPEED_HEAD = 1.0
"""Head dimension, in tiles, at which the matmuls of flash attention fill the tensor cores."""
HALF_SPEED_HEAD = 0.5
"""Half-way head dimension of that ramp, in tiles: heads of 64 reach three quarters of the rate of 128; derived, between
0.66 on a B200 (github.com/Dao-AILab/flash-attention, pull 2605) and what earlier parts show."""


def attended_pairs(sequence: Floats, causal: Floats, window: Floats) -> Floats:
    """(query, key) pairs of one sequence and head.

    Parameters
    ----------
    sequence : float or array
        Tokens s.
    causal : bool or array
        Each token sees itself and what came before.
    window : float or array
        Tokens w a query sees at most, itself among them; 0 = all.

    Notes
    -----
    All: ``s^2``. Causal: ``s (s + 1) / 2``. Causal with w < s: ``w s - w (w - 1) / 2``. Window without causality:
    ``w s``, the ends neglected.

    >>> float(attended_pairs(4, True, 0)), float(attended_pairs(4, True, 2)), float(attended_pairs(4, False, 0))
    (10.0, 7.0, 16.0)
    """
    s = np.asarray(sequence, dtype=float)
    seen = np.where(np.asarray(window) > 0, np.minimum(window, s), s)
    unseen: Floats = np.where(causal, (seen - 1.0) / 2.0, 0.0)
    return seen * (s - unseen)


def attention_flops(pairs: Floats, heads: Floats, qk_dim: Floats, value_dim: Floats) -> Floats:
    """Forward FLOPs of scores and weighted values: ``2 x pairs x heads x (qk_dim + value_dim)``.

    >>> attention_flops(10, 2, 128, 128)
    10240.0
    """
    return 2.0 * pairs * heads * (qk_dim + value_dim)


def flash_efficiency(keys: Floats, head_dim: Floats, saturated: Floats, tile: Floats = TILE) -> Floats:
    """Share of the sustained matmul rate that flash attention reaches.

    Parameters
    ----------
    keys, head_dim : float or array
        Keys k that a query meets on average, half of the sequence under a causal mask; width d of a head.
    saturated : float or array
        The share at many keys and heads of 128 or more, of the direction meant: A100 about 0.7 forward and 0.55
        backward, H100 with FlashAttention-3 0.6 to 0.75 forward.
    tile : float or array
        Side of the tiles T [elements]: 128 on a GPU, less on a processor.

    Notes
    -----
    ``saturated x k / (k + 2 T) x d' / (d' + T / 2) x 3 / 2`` with ``d' = min(d, T)``.

    >>> round(float(flash_efficiency(16384, 128, 0.7)), 2), round(float(flash_efficiency(512, 64, 0.7)), 2)
    (0.69, 0.35)
    """
    width = np.minimum(head_dim, FULL_SPEED_HEAD * tile)
    head = width / (width + HALF_SPEED_HEAD * tile) * ((FULL_SPEED_HEAD + HALF_SPEED_HEAD) / FULL_SPEED_HEAD)
    return saturated * head * (keys / (keys + HALF_SPEED_KEYS * tile))


def flash_attention_s(flops: Floats, rate_flops_per_s: Floats, efficiency: Floats) -> Floats:
    """Seconds of a flash-attention kernel: FLOPs over the reached rate.

    >>> flash_attention_s(7e12, 100e12, 0.7)
    0.1
    """
    return flops / (rate_flops_per_s * efficiency)


def unfused_attention_bytes(sequence: Floats, heads: Floats, element_bytes: Floats, passes: Floats) -> Floats:
    """Memory traffic of the s x s scores of one sequence in a stack without flash attention [bytes].

    ``passes`` counts reads and writes of the whole score matrix: scale, mask, softmax, dropout. Causality saves
    nothing, as the whole square is computed and then masked.

    >>> unfused_attention_bytes(2048, 96, 2, 8) / 2**30
    6.0
    """
    return passes * element_bytes * heads * sequence * sequence
