"""Time of a dense matrix multiplication from its shape: a roofline with tile and wave losses, smooth throughout."""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats

TILE_ROWS = 128.0
"""Rows of the output tile one thread block computes in the libraries' large-matrix kernels (cuBLAS, CUTLASS)."""
TILE_COLUMNS = 128.0
"""Columns of that tile."""
PROLOGUE_DEPTH = 192.0
"""Depth k at which filling and draining the multiply pipeline costs as much as the multiplication (derived)."""


def gemm_flops(m: Floats, n: Floats, k: Floats) -> Floats:
    """FLOPs of an (m x k) by (k x n) product, a multiply-add counted as two.

    >>> gemm_flops(2, 3, 4)
    48.0
    """
    return 2.0 * m * n * k


def gemm_efficiency(m: Floats, n: Floats, k: Floats, compute_units: Floats, count: Floats = 1.0) -> Floats:
    """Share of the sustained rate that a product of this shape reaches, between 0 and 1.

    Parameters
    ----------
    m, n, k : float or array
        Rows, columns and depth [elements].
    compute_units : float or array
        Streaming multiprocessors that share the tiles; NaN = unknown, no wave loss.
    count : float or array
        Equal products of one grouped launch, whose tiles share the units.

    Notes
    -----
    Three factors, each rising monotonically to 1:

    - tiles: an edge tile is half used on average, ``m / (m + T_m/2)`` and the same for n;
    - waves: the last wave over the units is half full on average, ``w / (w + 1/2)`` with ``w`` waves;
    - depth: ``k / (k + k_0)`` for the prologue of the k-loop.
    """
    edges = m / (m + 0.5 * TILE_ROWS) * (n / (n + 0.5 * TILE_COLUMNS))
    waves = count * (m / TILE_ROWS) * (n / TILE_COLUMNS) / compute_units
    filled = np.where(np.isnan(waves), 1.0, (waves + 0.05) / (waves + 0.55))
    return edges * filled * (k / (k + PROLOGUE_DEPTH))


def gemm_s(
    m: Floats,
    n: Floats,
    k: Floats,
    rate_flops_per_s: Floats,
    memory_bytes_per_s: Floats,
    operand_bytes: Floats,
    compute_units: Floats,
    count: Floats = 1.0,
) -> Floats:
    """Seconds of `count` equal products launched together.

    Parameters
    ----------
    m, n, k : float or array
        Rows, columns and depth of one product [elements].
    rate_flops_per_s : float or array
        Sustained rate of large products [FLOP/s].
    memory_bytes_per_s : float or array
        Device memory bandwidth [bytes/s].
    operand_bytes : float or array
        Width of an element [bytes].
    compute_units, count : float or array
        As in `gemm_efficiency`.

    Notes
    -----
    ``max(2 m n k / (rate x efficiency), (m k + k n + m n) x width / bandwidth) x count`` (Williams 2009, roofline).
    """
    compute = gemm_flops(m, n, k) / (rate_flops_per_s * gemm_efficiency(m, n, k, compute_units, count))
    memory = (m * k + k * n + m * n) * operand_bytes / memory_bytes_per_s
    return count * np.maximum(compute, memory)
