"""Laws of layers that keep a state of fixed size in place of keys and values: linear attention, state-space models.

Each head holds a matrix of `qk_dim` x `value_dim` that every token decays, adds to and reads; before that a short
convolution mixes the last tokens of each channel. Work is linear in tokens and memory is constant.

References
----------
.. [1] Dao, Gu, "Transformers are SSMs" (Mamba-2), 2024, arXiv:2405.21060, section 6: the chunked form.
.. [2] Yang, Kautz, Hatamizadeh, "Gated Delta Networks", 2024, arXiv:2412.06464, section 3: the delta rule in chunks.
.. [3] Gu, Dao, "Mamba", 2023, arXiv:2312.00752, section 3: a scan that stays on the chip.
"""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats

SCAN_PASSES = 7.0
"""Times that the kernels of a chunked scan read or write each of its inputs and outputs: decays, scores, their inverse,
states of the chunks and outputs are kernels of their own; derived from chunk_kda on an RTX 5090, which its memory
limits: 5.42 ms for 96 heads of 128 and 8,192 tokens (github.com/MoonshotAI/FlashKDA, BENCHMARK_TRAIN_RTX5090.md)."""
SCAN_SHARE = 0.27
"""Share of the sustained matmul rate that these kernels reach; derived from the same on an H20, which its matmuls
limit: 4.51 ms (there, BENCHMARK_H20.md)."""


def state_elements(heads: Floats, qk_dim: Floats, value_dim: Floats) -> Floats:
    """Elements of the state of one sequence and layer: ``heads x qk_dim x value_dim`` [1]_.

    >>> state_elements(32, 128, 128)
    524288
    """
    return heads * qk_dim * value_dim


def convolution_elements(convolved: Floats, kernel: Floats) -> Floats:
    """Elements that the short convolution keeps of one sequence and layer: the last ``kernel - 1`` of each channel.

    >>> float(convolution_elements(8192, 4)), float(convolution_elements(0, 0))
    (24576.0, 0.0)
    """
    result: Floats = convolved * np.maximum(np.asarray(kernel, dtype=float) - 1.0, 0.0)
    return result


def recurrence_flops_per_token(heads: Floats, qk_dim: Floats, value_dim: Floats, corrects: Floats) -> Floats:
    """FLOPs of one token through the recurrence of one layer, without decays: model FLOPs, and those of decoding.

    Parameters
    ----------
    heads, qk_dim, value_dim : float or array
        States, and the rows and columns of one [elements].
    corrects : bool or array
        The delta rule: what the state answers to a key is taken off the value before it is written [2]_.

    Notes
    -----
    ``2 (2 + corrects) heads d_qk d_v``: the state is written and read, and read once more to be corrected.

    >>> recurrence_flops_per_token(32, 128, 128, True)
    3145728.0
    """
    return 2.0 * (2.0 + corrects) * state_elements(heads, qk_dim, value_dim)


def chunked_flops_per_token(
    heads: Floats, qk_dim: Floats, value_dim: Floats, corrects: Floats, chunk: Floats
) -> Floats:
    """FLOPs of one prompt token in the chunked form, which turns the recurrence into matrix products [1]_ [2]_.

    Parameters
    ----------
    heads, qk_dim, value_dim, corrects : float or array
        As in `recurrence_flops_per_token`.
    chunk : float or array
        Tokens that are computed together; 0 where the recurrence runs token by token [3]_.

    Notes
    -----
    Of one head: inside the chunk scores and values, ``2 C (d_qk + d_v)``; with the state ``4 d_qk d_v``. The delta
    rule adds scores among keys, two products with their inverse and one with the state: ``2 C (2 d_qk + d_v) +
    2 d_qk d_v``.

    >>> chunked_flops_per_token(1, 128, 128, False, 64), chunked_flops_per_token(1, 128, 128, True, 64)
    (98304.0, 180224.0)
    """
    inside = (1.0 + 2.0 * corrects) * qk_dim + (1.0 + corrects) * value_dim
    return 2.0 * heads * chunk * inside + recurrence_flops_per_token(heads, qk_dim, value_dim, corrects)


def chunked_elements_per_token(
    heads: Floats, qk_dim: Floats, value_dim: Floats, streamed: Floats, chunk: Floats
) -> Floats:
    """Elements that a chunked scan moves for one prompt token: its inputs and outputs, and the states of the chunks.

    Parameters
    ----------
    heads, qk_dim, value_dim, chunk : float or array
        As in `chunked_flops_per_token`.
    streamed : float or array
        Elements of a token that go in and come out: queries, keys, values, gates, output.

    Notes
    -----
    ``SCAN_PASSES streamed + 2 heads d_qk d_v / C``: a chunk's state is written and read. A scan token by token keeps
    its state on the chip and passes once [3]_.

    >>> float(chunked_elements_per_token(32, 128, 128, 16384, 64)), float(chunked_elements_per_token(32, 16, 1, 96, 0))
    (131072.0, 96.0)
    """
    width = np.asarray(chunk, dtype=float)
    states = 2.0 * state_elements(heads, qk_dim, value_dim) / np.maximum(width, 1.0)
    return np.where(width > 0.0, SCAN_PASSES * streamed + states, 1.0 * streamed)


def scan_s(flops: Floats, bytes_moved: Floats, rate_flops_per_s: Floats, memory_bytes_per_s: Floats) -> Floats:
    """Seconds of a scan: its products at their share of the rate, or its passes over memory, whichever is longer.

    Parameters
    ----------
    flops, bytes_moved : float or array
        By `chunked_flops_per_token` and `chunked_elements_per_token` [FLOP], [bytes].
    rate_flops_per_s : float or array
        Sustained rate of large 16-bit products [FLOP/s].
    memory_bytes_per_s : float or array
        Rate at which memory is read and written [bytes/s].

    >>> float(scan_s(27e9, 1e9, 100e12, 2e12)), float(scan_s(27e9, 4e9, 100e12, 2e12))
    (0.001, 0.002)
    """
    return np.maximum(flops / (SCAN_SHARE * rate_flops_per_s), bytes_moved / memory_bytes_per_s)
