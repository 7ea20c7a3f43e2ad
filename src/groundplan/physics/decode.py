"""Time of the kernels that inference adds: products with weights read from memory, and attention over a cache.

References
----------
Williams, Waterman, Patterson 2009, Roofline: an insightful visual performance model.
Pope et al. 2022, Efficiently scaling transformer inference, arXiv 2211.05102.
"""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats
from groundplan.physics.gemm import TILE, gemm_efficiency, gemm_flops


def weight_product_s(
    m: Floats,
    n: Floats,
    k: Floats,
    rate_flops_per_s: Floats,
    stream_bytes_per_s: Floats,
    weight_bytes: Floats,
    activation_bytes: Floats,
    operand_bytes: Floats,
    compute_units: Floats,
    count: Floats = 1.0,
    read: Floats = 1.0,
    tile: Floats = TILE,
) -> Floats:
    """Seconds of `count` equal products of m tokens with k x n weights, launched together.

    Parameters
    ----------
    m, n, k : float or array
        Tokens, outputs and inputs [elements].
    rate_flops_per_s : float or array
        Sustained rate of large products [FLOP/s].
    stream_bytes_per_s : float or array
        Rate at which long reads arrive [bytes/s].
    weight_bytes, activation_bytes, operand_bytes : float or array
        Width of a weight as stored, of an activation, and of the operands that are multiplied [bytes].
    compute_units, tile : float or array
        As in `gemm.gemm_efficiency`.
    count, read : float or array
        Products, as a model with experts has; those whose weights are read, as only visited experts are.

    Notes
    -----
    ``max(count x 2 m n k / (rate x efficiency), (read n k weight + count m (n + k) activation) / stream)``
    (Williams 2009, roofline).

    >>> round(float(weight_product_s(1, 8192, 8192, 600e12, 3e12, 2, 2, 2, 132)) * 1e6)  # 134 MB of weights
    45
    """
    efficiency = gemm_efficiency(m, n, k, compute_units, count, operand_bytes, tile)
    compute = count * gemm_flops(m, n, k) / (rate_flops_per_s * efficiency)
    moved = read * n * k * weight_bytes + count * m * (n + k) * activation_bytes
    return np.maximum(compute, moved / stream_bytes_per_s)


def visited_experts(tokens: Floats, experts: Floats, top_k: Floats) -> Floats:
    """Experts that at least one of the tokens visits, on average: ``E (1 - (1 - k / E)^m)``, routing uniform.

    >>> float(visited_experts(1, 256, 8)), round(float(visited_experts(64, 256, 8)))
    (8.0, 222)
    """
    result: Floats = experts * (1.0 - (1.0 - np.asarray(top_k, dtype=float) / experts) ** tokens)
    return result


def cached_attention_s(
    cached_tokens: Floats,
    token_bytes: Floats,
    token_flops: Floats,
    stream_bytes_per_s: Floats,
    rate_flops_per_s: Floats,
) -> Floats:
    """Seconds in which decoding sequences attend to their cache: it is read once, or multiplied, whichever is longer.

    Parameters
    ----------
    cached_tokens : float or array
        Tokens read, summed over the sequences.
    token_bytes, token_flops : float or array
        Cache of a token on this device [bytes], and the FLOPs of its scores and values [FLOP].
    stream_bytes_per_s, rate_flops_per_s : float or array
        As in `weight_product_s`.

    Notes
    -----
    ``tokens x max(bytes / stream, FLOPs / rate)`` (Pope 2022, section 3). Latent attention, whose one small cache all
    heads share, is the case where multiplying takes longer.

    >>> round(float(cached_attention_s(1e6, 4096, 65536, 3e12, 300e12)) * 1e3, 2)
    1.37
    """
    return cached_tokens * np.maximum(token_bytes / stream_bytes_per_s, token_flops / rate_flops_per_s)


def direct_all_reduce_s(
    payload_bytes: Floats, ranks: Floats, intra_bytes_per_s: Floats, intra_latency_s: Floats, ring_s: Floats
) -> Floats:
    """Seconds of an all-reduce among neighbours that read each other's memory, or of the ring where that is faster.

    Parameters
    ----------
    payload_bytes : float or array
        Buffer of each rank [bytes].
    ranks : float or array
        Devices n, all joined to all; 1 sends nothing.
    intra_bytes_per_s : float or array
        Rate of one device's links [bytes/s].
    intra_latency_s : float or array
        Until all have signalled that their part is there [s].
    ring_s : float or array
        Time of the ring [s].

    Notes
    -----
    One shot, for small buffers, reads everybody's: ``latency + (n - 1) payload / rate``. Two shots reduce a part each
    and gather: ``2 latency + 2 (n - 1) / n payload / rate``. The least of the three.

    >>> round(float(direct_all_reduce_s(16384, 8, 370e9, 4e-6, 6e-5)) * 1e6, 1)
    4.3
    """
    others = np.asarray(ranks, dtype=float) - 1.0
    one = intra_latency_s + others * payload_bytes / intra_bytes_per_s
    two = 2.0 * intra_latency_s + 2.0 * others / ranks * payload_bytes / intra_bytes_per_s
    return np.where(others > 0.0, np.minimum(np.minimum(one, two), ring_s), 0.0)


def speculated_tokens(drafted: Floats, acceptance: Floats) -> Floats:
    """Tokens that one iteration yields when `drafted` tokens are proposed and each is accepted with a probability.

    ``(1 - a^(k + 1)) / (1 - a)``, the mean length of the accepted run and the token that ends it (Leviathan et al.
    2023, arXiv 2211.17192, equation 1).

    >>> float(speculated_tokens(0, 0.7)), float(speculated_tokens(3, 0.5)), float(speculated_tokens(3, 1.0))
    (1.0, 1.875, 4.0)
    """
    k, a = np.asarray(drafted, dtype=float), np.asarray(acceptance, dtype=float)
    certain = a >= 1.0
    safe = np.where(certain, 0.0, a)
    result: Floats = np.where(certain, k + 1.0, (1.0 - safe ** (k + 1.0)) / (1.0 - safe))
    return result
