"""Time of a dense matrix multiplication from its shape: a roofline with tile and wave losses, smooth throughout.

Libraries tile the product and hand the tiles to the multiprocessors in waves. What a shape loses by that is a
staircase; here is its mean slope, so that the time never falls when a dimension grows and a search sees no false steps.

References
----------
Williams, Waterman, Patterson 2009, Roofline: an insightful visual performance model.
NVIDIA, Matrix multiplication background user's guide: tile and wave quantization.
"""

from __future__ import annotations

import numpy as np

from groundplan.physics.arrays import Floats

TILE = 128.0
"""Rows and columns of the output tile of GPU libraries' kernels for large matrices (cuBLAS, CUTLASS)."""
SMALLEST_TILE = 1.0 / 8.0
"""Smallest tile, for thin products, as a share of the large one: 16 rows of one tensor-core instruction to 128."""
LOST_TILE = 0.5
"""Tiles lost at each edge of the product: the last one is half full on average."""
LOST_WAVE = 0.5
"""Waves lost: the last one is half full on average."""
SPLIT_WAVE = 0.05
"""Part of a wave that even the smallest product fills, as libraries then split the depth (assumed)."""
WIDE_BYTES = 2.0
"""Width of the elements that tile and prologue are stated for [bytes]."""
PROLOGUE_TILES = 1.5
"""Depth k, in tiles, at which filling and draining the multiply pipeline costs as much as the multiplication
(derived)."""


EMPTY = 1e-6
"""Side that stands for none [elements]: an empty product, as the output head of a vision model is, costs nothing."""


def gemm_flops(m: Floats, n: Floats, k: Floats) -> Floats:
    """FLOPs of an (m x k) by (k x n) product, a multiply-add counted as two.

    >>> gemm_flops(2, 3, 4)
    48.0
    """
    return 2.0 * m * n * k


def gemm_efficiency(
    m: Floats,
    n: Floats,
    k: Floats,
    compute_units: Floats,
    count: Floats = 1.0,
    operand_bytes: Floats = 2.0,
    tile: Floats = TILE,
) -> Floats:
    """Share of the sustained rate that a product of this shape reaches, between 0 and 1.

    Parameters
    ----------
    m, n, k : float or array
        Rows, columns and depth [elements].
    compute_units : float or array
        Streaming multiprocessors that share the tiles; NaN = unknown, no wave loss.
    count : float or array
        Equal products of one grouped launch, whose tiles share the units.
    operand_bytes : float or array
        Width of an element [bytes]. Narrow ones are multiplied faster: a tile must be larger to feed the same unit,
        and what a loop costs to fill is more of its depth.
    tile : float or array
        Side of the output tile T [elements]: 128 for GPUs, that of the systolic array of a TPU, 16 for a processor.

    Notes
    -----
    Three factors, each rising monotonically to 1:

    - tiles: an edge tile is half used on average, ``m / (m + T(m) / 2)`` and the same for n, where the tile grows with
      the side it cuts from T/8 to T: ``T(m) = T (1/8 + 7/8 m / (m + T))``;
    - waves: ``w / (w + 1/2)`` with ``w = count (m / T + 1/2) (n / T + 1/2) (bytes / 2) / units + 0.05``;
    - depth: ``k / (k + 1.5 T (2 / bytes))`` for the prologue of the k-loop.

    >>> round(float(gemm_efficiency(8192, 8192, 8192, 108)), 2), round(float(gemm_efficiency(512, 512, 512, 108)), 2)
    (0.95, 0.19)
    """
    m, n, k = (np.maximum(side, EMPTY) for side in (m, n, k))
    # Unknown units are infinitely many waves: no loss.
    share = np.where(np.isnan(compute_units), np.inf, count * (operand_bytes / WIDE_BYTES) / compute_units)
    waves = (m / tile + LOST_TILE) * (n / tile + LOST_TILE) * share + SPLIT_WAVE
    prologue = PROLOGUE_TILES * tile * (WIDE_BYTES / operand_bytes)
    return 1.0 / (_edge(m, tile) * _edge(n, tile) * (1.0 + LOST_WAVE / waves) * (1.0 + prologue / k))


def gemm_s(
    m: Floats,
    n: Floats,
    k: Floats,
    rate_flops_per_s: Floats,
    memory_bytes_per_s: Floats,
    operand_bytes: Floats,
    compute_units: Floats,
    count: Floats = 1.0,
    tile: Floats = TILE,
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
    compute_units, count, tile : float or array
        As in `gemm_efficiency`.

    Notes
    -----
    ``count x max(2 m n k / (rate x efficiency), (m k + k n + m n) x width / bandwidth)`` (Williams 2009, roofline).
    Launching is not in it: see `kernels.launch_bound_s`.

    >>> round(gemm_flops(8192, 8192, 8192) / float(gemm_s(8192, 8192, 8192, 271e12, 2e12, 2, 108)) / 1e12)
    257
    """
    efficiency = gemm_efficiency(m, n, k, compute_units, count, operand_bytes, tile)
    compute = gemm_flops(m, n, k) / (rate_flops_per_s * efficiency)
    memory = ((m + n) * k + m * n) * (operand_bytes / memory_bytes_per_s)
    return count * np.maximum(compute, memory)


def _edge(side: Floats, tile: Floats) -> Floats:
    """Cost of partly filled tiles along one side, as a factor of at least 1: ``1 + T(side) / (2 side)``."""
    return 1.0 + LOST_TILE * tile * (SMALLEST_TILE / side + (1.0 - SMALLEST_TILE) / (side + tile))
