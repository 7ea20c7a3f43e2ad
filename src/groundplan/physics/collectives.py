"""Bytes and seconds of collectives over a two-level network: a fast domain inside, a fabric between.

`payload_bytes` is the full buffer: what each rank holds of an all-reduce or all-to-all, the gathered result of an
all-gather, the input of a reduce-scatter. Rates are per device and direction, as large transfers sustain them, not line
rates. All `inside` devices of a domain drive their links to the fabric at once (one rail each).

References
----------
Patarasuk, Yuan 2009, Bandwidth optimal all-reduce algorithms for clusters of workstations.
Sanders, Speck, Traeff 2009, Two-tree algorithms for full bandwidth broadcast, reduction and scan.
NVIDIA NCCL, src/graph/tuning.cc: which algorithm and protocol is taken for which size.
"""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats

TREE_SHARE = 0.92
"""Part of a link's rate that tree algorithms reach (NVIDIA NCCL, src/graph/tuning.cc)."""
RAMP = 2.0
"""Latencies that a transfer loses, beyond the one it starts with, until its rate is full: small messages travel by a
protocol of low latency and half the bandwidth, large ones by one of full bandwidth and several times the latency.
Derived from nccl-tests logs of six systems (A100 to GB200), which ask for 1 to 4."""
SMALLEST = float(np.finfo(float).tiny)
"""Keeps the ramp of an empty transfer at 0 instead of 0/0."""


def all_reduce_bytes(payload_bytes: Floats, ranks: Floats) -> Floats:
    """Bytes each device sends in a ring all-reduce: ``2 (n - 1) / n x payload`` (Patarasuk and Yuan 2009).

    >>> all_reduce_bytes(20e9, 64)
    39375000000.0
    """
    return 2.0 * all_gather_bytes(payload_bytes, ranks)


def all_gather_bytes(payload_bytes: Floats, ranks: Floats) -> Floats:
    """Bytes each device sends in an all-gather or reduce-scatter: ``(n - 1) / n x payload``.

    >>> all_gather_bytes(8e9, 8)
    7000000000.0
    """
    return payload_bytes * (ranks - 1.0) / ranks


def all_to_all_bytes(payload_bytes: Floats, ranks: Floats) -> Floats:
    """Bytes each device sends to the others: ``(n - 1) / n x payload``; its own share stays where it is."""
    return all_gather_bytes(payload_bytes, ranks)


def bus_bytes_per_s(payload_bytes: Floats, ranks: Floats, communication_s: Floats) -> Floats:
    """Bus bandwidth of an all-reduce as nccl-tests prints it [bytes/s]: bytes each device sends, over the time.

    >>> bus_bytes_per_s(8e9, 8, 0.1)
    140000000000.0
    """
    return all_reduce_bytes(payload_bytes, ranks) / communication_s


def ranks_inside(ranks: Floats, stride: Floats, domain: Floats) -> Floats:
    """Ranks of a group within one scale-up domain, its members `stride` devices apart; at least 1.

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
    """Seconds of a reduce-scatter; an all-gather takes the same.

    Parameters
    ----------
    payload_bytes : float or array
        The input each rank holds, or the result of the gather [bytes].
    ranks, inside : float or array
        Members n of the group; those i in one scale-up domain, which leaves o = n / i domains.
    intra_bytes_per_s, inter_bytes_per_s : float or array
        Sustained rate of one device to its domain, and to the fabric [bytes/s].
    intra_latency_s, inter_latency_s : float or array
        Latency of one step to a neighbour in the domain, and over the fabric [s].

    Notes
    -----
    NCCL runs one ring over all ranks and turns it on each rail, so that each link inside carries ``(n - 1)/n x
    payload`` and the i links out of a domain share the same bytes: the rate is ``min(intra, i x inter)``. Steps in a
    chain: ``(i - 1)`` inside, ``(o - 1)`` across. Latency and wire time meet in a ramp, see `RAMP`.
    """
    rate = _ring_rate(ranks, inside, intra_bytes_per_s, inter_bytes_per_s)
    steps = (inside - 1.0) * intra_latency_s + (ranks / np.asarray(inside) - 1.0) * inter_latency_s
    return _ramped_s(steps, all_gather_bytes(payload_bytes, ranks) / rate)


def all_gather_s(
    payload_bytes: Floats,
    ranks: Floats,
    inside: Floats,
    intra_bytes_per_s: Floats,
    inter_bytes_per_s: Floats,
    intra_latency_s: Floats,
    inter_latency_s: Floats,
) -> Floats:
    """Seconds of an all-gather: the mirror image of `reduce_scatter_s`, with the same arguments.

    >>> round(float(all_gather_s(8e9, 16, 8, 680e9, 41e9, 3e-6, 8e-6)) * 1e3, 1)  # ms, of which 22.9 on the wire
    23.0
    """
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
    """Seconds of an all-reduce by the better of ring and tree; arguments as in `reduce_scatter_s`.

    Notes
    -----
    Ring: a reduce-scatter and an all-gather. Tree: chains inside each domain and a double binary tree across (Sanders
    2009), ``2 ((i - 1) intra + log2(o) inter)`` of latency; a device inside sends ``min(2, i - 1) x payload``, a
    domain ``min(2, o - 1) x payload``: two domains swap halves and send half of what a ring would. The tree reaches
    `TREE_SHARE` of the rates inside. One rank takes no time.

    >>> float(all_reduce_s(1e9, 1, 1, 300e9, 25e9, 3e-6, 5e-6))
    0.0
    """
    outside = ranks / np.asarray(inside)
    ring_rate = _ring_rate(ranks, inside, intra_bytes_per_s, inter_bytes_per_s)
    chain = (inside - 1.0) * intra_latency_s
    ring = _ramped_s(
        2.0 * (chain + (outside - 1.0) * inter_latency_s), all_reduce_bytes(payload_bytes, ranks) / ring_rate
    )
    within = np.minimum(2.0, inside - 1.0) / (TREE_SHARE * intra_bytes_per_s)
    across = np.minimum(2.0, outside - 1.0) / (inside * inter_bytes_per_s)
    tree = _ramped_s(2.0 * (chain + np.log2(outside) * inter_latency_s), payload_bytes * np.maximum(within, across))
    return np.minimum(ring, tree)


def all_to_all_s(
    payload_bytes: Floats,
    ranks: Floats,
    inside: Floats,
    intra_bytes_per_s: Floats,
    inter_bytes_per_s: Floats,
    intra_latency_s: Floats,
    inter_latency_s: Floats,
) -> Floats:
    """Seconds of an all-to-all in which each rank sends ``payload / n`` to each; arguments as in `reduce_scatter_s`.

    Notes
    -----
    ``(i - 1)/n`` of the payload stays in the domain and ``(n - i)/n`` crosses the rank's own link to the fabric. Both
    run beside each other: the slower sets the time. All messages are posted at once: one latency each.
    """
    n = np.asarray(ranks, dtype=float)
    within = _ramped_s(
        np.where(np.asarray(inside) > 1, intra_latency_s, 0.0), payload_bytes * (inside - 1.0) / n / intra_bytes_per_s
    )
    across = _ramped_s(np.where(n > inside, inter_latency_s, 0.0), payload_bytes * (n - inside) / n / inter_bytes_per_s)
    return np.maximum(within, across)


def remote_domains(domains: Floats, top_k: Floats) -> Floats:
    """Scale-up domains beside its own that a token is sent to, its k experts spread evenly over D domains.

    Notes
    -----
    ``(D - 1) (1 - (1 - 1 / D)^k)``: one copy for each domain that holds at least one of them.

    >>> round(float(remote_domains(4, 8)), 2), float(remote_domains(1, 8))
    (2.7, 0.0)
    """
    d = np.asarray(domains, dtype=float)
    return (d - 1.0) * (1.0 - (1.0 - 1.0 / d) ** top_k)


def token_dispatch_s(
    token_bytes: Floats,
    top_k: Floats,
    ranks: Floats,
    inside: Floats,
    intra_bytes_per_s: Floats,
    inter_bytes_per_s: Floats,
    intra_latency_s: Floats,
    inter_latency_s: Floats,
) -> Floats:
    """Seconds of sending each token to its k experts, over the fabric once for each domain that holds any of them.

    `token_bytes` are a rank's tokens, once; the other arguments are as in `reduce_scatter_s`.

    Notes
    -----
    Across: ``tokens x remote_domains``. Inside, the copies are handed on to all k experts: ``tokens x k (i - 1) / i``.
    Both run beside each other (DeepSeek-V3, arXiv 2412.19437, section 3.2.2; github.com/deepseek-ai/DeepEP).
    """
    n = np.asarray(ranks, dtype=float)
    within = _ramped_s(
        np.where(np.asarray(inside) > 1, intra_latency_s, 0.0),
        token_bytes * top_k * (inside - 1.0) / inside / intra_bytes_per_s,
    )
    sent = token_bytes * remote_domains(n / inside, top_k)
    across = _ramped_s(np.where(n > inside, inter_latency_s, 0.0), sent / inter_bytes_per_s)
    return np.maximum(within, across)


def point_to_point_s(
    payload_bytes: Floats,
    same_domain: Floats,
    intra_bytes_per_s: Floats,
    inter_bytes_per_s: Floats,
    intra_latency_s: Floats,
    inter_latency_s: Floats,
) -> Floats:
    """Seconds of one send between two devices, in the same scale-up domain or across: ``latency + bytes / rate``.

    >>> float(point_to_point_s(25e9, False, 300e9, 25e9, 3e-6, 0.0))
    1.0
    """
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

    Each of the i ranks of a domain holds ``payload / i`` after the reduce-scatter inside, and all-reduces it with its
    peers in the other domains.

    >>> float(hierarchical_bits_per_s(20e9, 64, 8, 1.0))
    35000000000.0
    """
    return 8.0 * all_reduce_bytes(payload_bytes / inside, np.asarray(ranks) / inside) * per_second


def _ring_rate(ranks: Floats, inside: Floats, intra_bytes_per_s: Floats, inter_bytes_per_s: Floats) -> Floats:
    """Rate of a ring over all ranks: within one domain its link, else the narrower of link and shared way out."""
    crossing = np.minimum(intra_bytes_per_s, inside * inter_bytes_per_s)
    return np.where(np.asarray(ranks) > inside, crossing, intra_bytes_per_s)


def _ramped_s(latency_s: Floats, wire_s: Floats) -> Floats:
    """Latency plus wire time, plus what is lost while the transfer comes up to speed: at most `RAMP` latencies."""
    plain = latency_s + wire_s
    return plain + RAMP * latency_s * wire_s / np.maximum(plain, SMALLEST)
