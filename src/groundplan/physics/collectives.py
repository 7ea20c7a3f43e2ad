"""Bytes and seconds of collectives over a two-level network: a fast domain inside, a fabric between.

`payload_bytes` is the full buffer: what each rank holds of an all-reduce or all-to-all, the gathered result of an
all-gather, the input of a reduce-scatter. Rates are per device and direction.
"""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats


def all_reduce_bytes(payload_bytes: Floats, ranks: Floats) -> Floats:
    """Bytes each device sends: ``2 (n - 1) / n x payload``.

    >>> all_reduce_bytes(20e9, 64)
    39375000000.0
    """
    return 2.0 * all_gather_bytes(payload_bytes, ranks)


def all_gather_bytes(payload_bytes: Floats, ranks: Floats) -> Floats:
    """Bytes each device sends in an all-gather or reduce-scatter: ``(n - 1) / n x payload``."""
    return payload_bytes * (ranks - 1.0) / ranks


def all_to_all_bytes(payload_bytes: Floats, ranks: Floats) -> Floats:
    """Bytes each device sends to the others: ``(n - 1) / n x payload``."""
    return all_gather_bytes(payload_bytes, ranks)


def ranks_inside(ranks: Floats, stride: Floats, domain: Floats) -> Floats:
    """Ranks of a group within one scale-up domain, its members `stride` devices apart.

    >>> int(ranks_inside(64, 1, 8)), int(ranks_inside(64, 4, 8)), int(ranks_inside(64, 8, 8))
    (8, 2, 1)
    """
    return np.minimum(ranks, np.maximum(np.asarray(domain) // stride, 1))


def reduce_scatter_s(
    payload_bytes: Floats,
    ranks: Floats,
    inside: Floats,
    intra_bytes_per_s: Floats,
    inter_bytes_per_s: Floats,
    intra_latency_s: Floats,
    inter_latency_s: Floats,
) -> Floats:
    """Seconds of a hierarchical reduce-scatter (an all-gather takes the same).

    Notes
    -----
    Inside the domain ``(i - 1)/i x payload`` moves at the intra rate; then every rank exchanges its part with its
    peers in the other domains, ``payload / i x (o - 1)/o`` at the inter rate, all rails at once. The two levels are
    pipelined in chunks, so that the slower sets the time. Latency: i - 1 steps inside, log2(o) between.
    """
    outside = np.asarray(ranks) / inside
    within = all_gather_bytes(payload_bytes, inside) / intra_bytes_per_s
    across = all_gather_bytes(payload_bytes / inside, outside) / inter_bytes_per_s
    latency = (inside - 1.0) * intra_latency_s + np.log2(outside) * inter_latency_s
    return np.maximum(within, across) + latency


def all_gather_s(
    payload_bytes: Floats,
    ranks: Floats,
    inside: Floats,
    intra_bytes_per_s: Floats,
    inter_bytes_per_s: Floats,
    intra_latency_s: Floats,
    inter_latency_s: Floats,
) -> Floats:
    """Seconds of a hierarchical all-gather: the mirror of `reduce_scatter_s`."""
    return reduce_scatter_s(
        payload_bytes, ranks, inside, intra_bytes_per_s, inter_bytes_per_s, intra_latency_s, inter_latency_s
    )


def all_reduce_s(
    payload_bytes: Floats,
    ranks: Floats,
    inside: Floats,
    intra_bytes_per_s: Floats,
    inter_bytes_per_s: Floats,
    intra_latency_s: Floats,
    inter_latency_s: Floats,
) -> Floats:
    """Seconds of a hierarchical all-reduce: reduce-scatter, then all-gather."""
    return 2.0 * reduce_scatter_s(
        payload_bytes, ranks, inside, intra_bytes_per_s, inter_bytes_per_s, intra_latency_s, inter_latency_s
    )


def all_to_all_s(
    payload_bytes: Floats,
    ranks: Floats,
    inside: Floats,
    intra_bytes_per_s: Floats,
    inter_bytes_per_s: Floats,
    intra_latency_s: Floats,
    inter_latency_s: Floats,
) -> Floats:
    """Seconds of an all-to-all: the shares inside and across run beside each other, the slower sets the time."""
    n = np.asarray(ranks, dtype=float)
    within = payload_bytes * (inside - 1.0) / n / intra_bytes_per_s
    across = payload_bytes * (n - inside) / n / inter_bytes_per_s
    latency = np.where(n > 1, np.where(n > inside, inter_latency_s, intra_latency_s), 0.0)
    return np.maximum(within, across) + latency


def point_to_point_s(
    payload_bytes: Floats,
    same_domain: Floats,
    intra_bytes_per_s: Floats,
    inter_bytes_per_s: Floats,
    intra_latency_s: Floats,
    inter_latency_s: Floats,
) -> Floats:
    """Seconds of one send between two devices."""
    rate = np.where(same_domain, intra_bytes_per_s, inter_bytes_per_s)
    return payload_bytes / rate + np.where(same_domain, intra_latency_s, inter_latency_s)


def flat_ring_bits_per_s(payload_bytes: Floats, ranks: Floats, per_second: Floats) -> Floats:
    """Rate each device must send at for `per_second` all-reduces a second over one flat ring [bit/s].

    >>> flat_ring_bits_per_s(20e9, 64, 1.0)
    315000000000.0
    """
    return 8.0 * all_reduce_bytes(payload_bytes, ranks) * per_second


def hierarchical_bits_per_s(payload_bytes: Floats, ranks: Floats, inside: Floats, per_second: Floats) -> Floats:
    """Rate each device must send at between domains when they reduce inside first [bit/s].

    >>> float(hierarchical_bits_per_s(20e9, 64, 8, 1.0))
    35000000000.0
    """
    return 8.0 * all_reduce_bytes(payload_bytes / inside, np.asarray(ranks) / inside) * per_second
