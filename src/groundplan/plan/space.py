"""Every layout of one job on a number of devices, as a grid of three broadcasting axes.

Axis 0 holds how the model is cut (tensor, context, expert and pipeline parallel sizes, micro-batch, schedule), axis 1
how states are kept (ZeRO stage, shard group, offload), axis 2 what is computed again. A law that reads one of them
only is evaluated once per entry of that axis, not once per layout: kernel times need axis 0 alone, a million layouts
are a few thousand of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundplan.design.layout import Layout, Recompute
from groundplan.errors import InputError
from groundplan.workload.job import Method, Overrides, TrainingJob
from groundplan.workload.model import SampleModel

UNEVEN_STAGES = 1.15
"""Stages may hold unequal numbers of layers as long as the fullest holds at most 15 % more than the mean."""
CHUNK = 32_768
"""Layouts computed at a time: a few hundred kB an array, so that a chunk stays in the processor's cache."""
LARGEST_MICRO_BATCH = 512
"""Sequences (or samples) of the largest micro-batch tried."""
LARGEST_VIRTUAL = 12
"""Virtual stages per device tried at most."""
SHARD_DIVISORS = (1, 2, 4, 8)
"""Hybrid sharding: states are sharded over all replicas, or over a half, quarter or eighth of them."""
PARTS = 8
"""A stage's layers are recomputed in steps of an eighth."""

CUT_AXIS = ("tp", "cp", "ep", "micro_batch", "sequence_parallel", "pp", "vpp", "zero_bubble")
STATE_AXIS = ("zero", "shard_divisor", "offload")
AGAIN_AXIS = ("recompute", "part")

Grid = dict[str, NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class LayoutGrid:
    """A grid of layouts and which of its cells are possible. Arrays broadcast to ``valid.shape``."""

    layout: Layout
    valid: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """Possible layouts."""
        return int(np.count_nonzero(self.valid))

    def rows(self, rows: NDArray[np.intp]) -> LayoutGrid:
        """Return the grid with only the given entries of axis 0."""
        height = self.valid.shape[0]

        def kept(values: Any) -> Any:
            return values[rows] if isinstance(values, np.ndarray) and values.shape[0] == height else values

        return LayoutGrid(
            Layout(**{f.name: kept(getattr(self.layout, f.name)) for f in fields(Layout)}), self.valid[rows]
        )

    def at(self, flat: int) -> Layout:
        """Return one cell, by its flat index, as a layout of plain numbers."""
        shape = self.valid.shape
        return Layout(
            **{f.name: np.broadcast_to(getattr(self.layout, f.name), shape).flat[flat].item() for f in fields(Layout)}
        )


def layout_grids(job: TrainingJob, devices: int, domain: int, fixed: Overrides) -> Iterator[LayoutGrid]:
    """Yield the grids of all layouts of `job` on exactly `devices` devices, in chunks.

    A layout is possible when its sizes divide what they split: heads, experts, virtual stages, devices, batch.
    """
    cuts = _cuts(job, devices, domain, fixed)
    states = _columns(_states(job, fixed), STATE_AXIS, (1, -1, 1))
    again = _columns(_again(job, fixed), AGAIN_AXIS, (1, 1, -1))
    at_once = max(1, CHUNK // (states["zero"].size * again["recompute"].size))
    for start in range(0, len(cuts), at_once):
        grid = _grid(job, devices, _columns(cuts[start : start + at_once], CUT_AXIS, (-1, 1, 1)), states, again)
        if grid.count:
            yield grid


def _columns(rows: NDArray[np.int64], names: Sequence[str], shape: tuple[int, int, int]) -> Grid:
    return {name: np.ascontiguousarray(rows[:, i]).reshape(shape) for i, name in enumerate(names)}


def _grid(job: TrainingJob, devices: int, cut: Grid, state: Grid, again: Grid) -> LayoutGrid:
    pp, ep = cut["pp"], cut["ep"]
    dp = devices // (cut["tp"] * pp * cut["cp"])
    replicas = dp * cut["cp"]
    # One replica has nothing to shard over: a stage that the brief fixes is stage 0 there, and counted once.
    zero = np.where(replicas > 1, state["zero"], 0)
    shard = np.where(zero >= 1, np.maximum(replicas // state["shard_divisor"], 1), 1)
    # ZeRO-2 would reduce gradients after every micro-batch of a pipeline: no stack offers it.
    possible = ((zero == 0) | (shard > 1)) & ((zero != 2) | (pp == 1)) & (replicas % state["shard_divisor"] == 0)
    possible &= (zero == 0) | (shard % ep == 0)
    possible &= (replicas > 1) | (state["zero"] == state["zero"].min())
    stage_layers = -(-_layers(job) // pp)
    layers = stage_layers * again["part"] // PARTS
    distinct = (again["part"] == 0) | (layers > stage_layers * (again["part"] - 1) // PARTS)
    layout = Layout(
        tp=cut["tp"],
        pp=pp,
        vpp=cut["vpp"],
        cp=cut["cp"],
        ep=ep,
        dp=dp,
        zero=zero,
        shard=shard,
        micro_batch=cut["micro_batch"],
        recompute=again["recompute"],
        sequence_parallel=cut["sequence_parallel"].astype(bool),
        offload=state["offload"].astype(bool),
        zero_bubble=cut["zero_bubble"].astype(bool),
        recompute_share=layers / stage_layers,
    )
    return LayoutGrid(layout, possible & distinct)


def _cuts(job: TrainingJob, devices: int, domain: int, fixed: Overrides) -> NDArray[np.int64]:
    """Possible entries of axis 0, those alone that divide the devices and the batch."""
    batches = _choice(fixed.micro_batch, _powers(min(job.global_batch, LARGEST_MICRO_BATCH)))
    model = job.model
    if isinstance(model, SampleModel):
        rows = np.array([(1, 1, 1, b, 0, 1, 1, 0) for b in batches], dtype=np.int64)
        return rows[_divides(job, devices, rows, fixed)]
    widest = max(8, min(domain, 64))
    tps = _choice(fixed.tp, [t for t in _powers(min(devices, widest)) if model.attention.heads % t == 0])
    cps = _choice(fixed.cp, [c for c in _powers(min(devices, 64)) if c == 1 or job.sequence // c >= 2048])
    experts = model.experts.count if model.experts else 1
    eps = _choice(fixed.ep, [e for e in _powers(min(devices, experts)) if experts % e == 0])
    stages = _stages(model.layers, devices, fixed)
    cut = [
        (t, c, e, b, sp, p, v, z)
        for t, c, e, b in product(tps, cps, eps, batches)
        for p, v, z in stages
        if devices % (t * c * p) == 0
        for sp in ((0, 1) if t > 1 else (0,))
    ]
    rows = np.array(cut, dtype=np.int64).reshape(-1, len(CUT_AXIS))
    return rows[_divides(job, devices, rows, fixed)]


def _divides(job: TrainingJob, devices: int, rows: NDArray[np.int64], fixed: Overrides) -> NDArray[np.bool_]:
    """Say which entries of axis 0 split the devices, the experts and the batch evenly."""
    tp, cp, ep, micro_batch, _, pp, vpp, _ = rows.T
    dp = devices // (tp * cp * pp)
    micro_batches = job.global_batch // (dp * micro_batch)
    valid = (dp * tp * cp * pp == devices) & (micro_batches * dp * micro_batch == job.global_batch)
    valid &= (dp * cp) % ep == 0
    # An interleaved schedule wants whole rounds of micro-batches; a pipeline with fewer than its stages idles most.
    valid &= (vpp == 1) | (micro_batches % pp == 0)
    valid &= (pp == 1) | (micro_batches >= pp)
    return np.asarray(valid if fixed.dp is None else valid & (dp == fixed.dp), dtype=bool)


def _stages(layers: int, devices: int, fixed: Overrides) -> list[tuple[int, int, int]]:
    """Stages, virtual stages per device, and whether the schedule is zero-bubble."""
    found = []
    for p in _choice(fixed.pp, [p for p in _divisors(devices) if p <= layers and _even(layers, p)]):
        virtual = [1] if p == 1 or layers % p else [v for v in _divisors(layers // p) if v <= LARGEST_VIRTUAL]
        for v in virtual if fixed.vpp is None else [v for v in virtual if v == fixed.vpp]:
            found += [(p, v, z) for z in ((0, 1) if p > 1 and v == 1 else (0,))]
    return found


def _states(job: TrainingJob, fixed: Overrides) -> NDArray[np.int64]:
    """Entries of axis 1. Adapters are too small to shard in groups or to offload."""
    adapters = job.method in (Method.LORA, Method.QLORA) or isinstance(job.model, SampleModel)
    rows = [
        (z, d, offload)
        for z in _choice(fixed.zero, [0, 1, 2, 3])
        for d in (SHARD_DIVISORS if z in (1, 3) and not adapters else (1,))
        for offload in ((0,) if adapters else (0, 1))
    ]
    return np.array(rows, dtype=np.int64)


def _again(job: TrainingJob, fixed: Overrides) -> NDArray[np.int64]:
    """Entries of axis 2: recompute modes, and for BLOCK the eighths of a stage's layers."""
    if isinstance(job.model, SampleModel):
        return np.array([(int(Recompute.NONE), 0)], dtype=np.int64)
    modes = list(Recompute) if fixed.recompute is None else [recompute_code(fixed.recompute)]
    rows = [(int(mode), 0) for mode in modes if mode is not Recompute.BLOCK]
    if Recompute.BLOCK in modes:
        rows += [(int(Recompute.BLOCK), part) for part in range(1, PARTS)]
    return np.array(rows, dtype=np.int64)


def _layers(job: TrainingJob) -> int:
    return 1 if isinstance(job.model, SampleModel) else job.model.layers


def recompute_code(name: str) -> Recompute:
    """Return the recompute mode called `name`."""
    try:
        return Recompute[name.strip().upper()]
    except KeyError:
        valid = ", ".join(mode.name.lower() for mode in Recompute)
        raise InputError(f"unknown recompute mode {name!r}", f"valid: {valid}") from None


def check_fixed(job: TrainingJob, fixed: Overrides) -> None:
    """Say which fixed size cannot be, before a search comes back empty.

    Raises
    ------
    InputError
    """
    model = job.model
    if isinstance(model, SampleModel):
        return
    heads = model.attention.heads
    if fixed.tp is not None and heads % fixed.tp:
        raise InputError(
            f"tp {fixed.tp} does not divide the {heads} attention heads of {model.name}",
            "choose tp among " + ", ".join(str(t) for t in _divisors(heads) if t <= 64),
        )
    if fixed.pp is not None and fixed.pp > model.layers:
        raise InputError(f"pp {fixed.pp} is more than the {model.layers} layers of {model.name}", "choose fewer stages")
    if fixed.ep is not None:
        count = model.experts.count if model.experts else 1
        if count % fixed.ep:
            raise InputError(
                f"ep {fixed.ep} does not divide the {count} experts of {model.name}", f"choose a divisor of {count}"
            )
    if fixed.micro_batch is not None and job.global_batch % fixed.micro_batch:
        raise InputError(
            f"micro-batch {fixed.micro_batch} does not divide the global batch of {job.global_batch} sequences",
            "choose a divisor of the global batch",
        )
    if fixed.cp is not None and job.sequence % fixed.cp:
        raise InputError(
            f"cp {fixed.cp} does not divide the sequence of {job.sequence} tokens", "choose a divisor of it"
        )
    if fixed.recompute is not None:
        recompute_code(fixed.recompute)


def _choice(fixed: int | None, free: Sequence[int]) -> Sequence[int]:
    return [fixed] if fixed is not None else free


def _powers(limit: int) -> list[int]:
    return [1 << k for k in range(limit.bit_length()) if 1 << k <= limit]


def _divisors(n: int) -> list[int]:
    return [d for d in range(1, n + 1) if n % d == 0] if n <= 4096 else [d for d in range(1, 4097) if n % d == 0]


def _even(layers: int, stages: int) -> bool:
    return -(-layers // stages) * stages <= layers * UNEVEN_STAGES
