"""How a training job is laid out on a cluster: one layout, or a grid of them, with the same fields."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Ints = int | NDArray[np.integer]
Bools = bool | NDArray[np.bool_]
Floats = float | NDArray[np.floating]


class Recompute(IntEnum):
    """What of the forward pass is computed again in the backward pass."""

    NONE = 0
    SELECTIVE = 1  # the attention core only
    BLOCK = 2  # some layers of each stage in full: `recompute_share` of them
    FULL = 3  # every layer: only its input is kept


@dataclass(frozen=True, slots=True)
class Layout:
    """A parallel layout. Every field is an int or an array; arrays broadcast against each other.

    Ranks are placed tensor-parallel first, then context, expert, data, pipeline: the innermost
    groups stay inside a scale-up domain as long as they fit. `ep` divides dp * cp.
    `shard` is the number of ranks over which ZeRO / FSDP state is sharded (dp * cp for plain
    ZeRO, fewer for hybrid sharding).
    """

    tp: Ints
    pp: Ints
    vpp: Ints  # virtual stages per device; 1 = not interleaved
    cp: Ints
    ep: Ints
    dp: Ints
    zero: Ints  # 0 replicated, 1 optimizer, 2 + gradients, 3 + weights (FSDP)
    shard: Ints
    micro_batch: Ints  # sequences per micro-batch and data-parallel rank
    recompute: Ints  # codes of Recompute
    sequence_parallel: Bools
    offload: Bools = False  # optimizer states and update on the host CPU (ZeRO-Offload)
    zero_bubble: Bools = False  # ZB-H1 schedule in place of 1F1B
    recompute_share: Floats = 0.5  # share of a stage's layers that BLOCK recomputes

    @property
    def recomputed(self) -> Floats:
        """Share of the layers whose whole forward pass is computed again."""
        mode = np.asarray(self.recompute)
        return np.where(mode == Recompute.FULL, 1.0, np.where(mode == Recompute.BLOCK, self.recompute_share, 0.0))

    @property
    def devices(self) -> Ints:
        """Accelerators the layout occupies."""
        return self.tp * self.pp * self.cp * self.dp
