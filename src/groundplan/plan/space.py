"""Every layout of one job on a number of devices, as a grid of two broadcasting axes.

The kernel times of a layer depend on a few choices only (tensor, context and expert parallel sizes, micro-batch,
sequence parallelism): these lie on axis 0. How layers and states are spread (stages, ZeRO, recomputation, offload,
schedule) lies on axis 1. A law of the first is computed once per row, not once per layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import product

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

SHAPE_AXES = ("tp", "cp", "ep", "micro_batch", "sequence_parallel")
SCHEDULE_AXES = ("pp", "vpp", "zero", "recompute", "offload", "zero_bubble", "shard_divisor", "recompute_layers")


@dataclass(frozen=True, slots=True)
class LayoutGrid:
    """A grid of layouts and which of its cells are possible. Arrays broadcast to ``shape``."""

    layout: Layout
    valid: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """Possible layouts."""
        return int(np.count_nonzero(self.valid))

    def rows(self, rows: NDArray[np.intp]) -> LayoutGrid:
        """Return the grid with only the given rows."""
        height = self.valid.shape[0]

        def kept(values: object) -> object:
            return values[rows] if isinstance(values, np.ndarray) and values.shape[0] == height else values

        return LayoutGrid(
            Layout(**{f.name: kept(getattr(self.layout, f.name)) for f in fields(Layout)}), self.valid[rows]
        )

    def at(self, row: int, column: int) -> Layout:
        """Return one cell as a layout of plain ints and bools."""
        shape = self.valid.shape
        values = {f.name: np.broadcast_to(getattr(self.layout, f.name), shape)[row, column].item() for f in fields(Layout)}
        return Layout(**values)


def layout_grids(job: TrainingJob, devices: int, domain: int, fixed: Overrides) -> Iterator[LayoutGrid]:
    """Yield the grids of all layouts of `job` on exactly `devices` devices, in chunks.

    A layout is possible when its sizes divide what they split: heads, experts, virtual stages, devices, batch.
    """
    shapes = _shape_rows(job, devices, domain, fixed)
    schedules = _schedule_rows(job, devices, fixed)
    if not len(shapes) or not len(schedules):
        return
    columns = {name: schedules[:, i][None, :] for i, name in enumerate(SCHEDULE_AXES)}
    rows_at_once = max(1, CHUNK // len(schedules))
    for start in range(0, len(shapes), rows_at_once):
        part = shapes[start : start + rows_at_once]
        rows = {name: part[:, i][:, None] for i, name in enumerate(SHAPE_AXES)}
        grid = _grid(job, devices, rows, columns, fixed)
        if grid.count:
            yield grid


def _grid(
    job: TrainingJob,
    devices: int,
    rows: dict[str, NDArray[np.int64]],
    columns: dict[str, NDArray[np.int64]],
    fixed: Overrides,
) -> LayoutGrid:
    tp, cp, ep, micro_batch = rows["tp"], rows["cp"], rows["ep"], rows["micro_batch"]
    pp, vpp, zero = columns["pp"], columns["vpp"], columns["zero"]
    replica = tp * pp * cp
    dp = np.maximum(devices // replica, 1)
    shard = np.where(zero >= 1, np.maximum(dp * cp // columns["shard_divisor"], 1), 1)
    micro_batches = np.maximum(job.global_batch // (dp * micro_batch), 1)
    valid = (dp * replica == devices) & (micro_batches * dp * micro_batch == job.global_batch)
    valid &= (dp * cp) % ep == 0
    valid &= (zero == 0) | (shard % ep == 0)
    valid &= (dp * cp) % columns["shard_divisor"] == 0
    valid &= (zero == 0) | (shard > 1)
    # An interleaved schedule wants whole rounds of micro-batches; a pipeline with fewer than its stages idles most.
    valid &= (vpp == 1) | (micro_batches % pp == 0)
    valid &= (pp == 1) | (micro_batches >= pp)
    if fixed.dp is not None:
        valid &= dp == fixed.dp
    layout = Layout(
        tp=tp, pp=pp, vpp=vpp, cp=cp, ep=ep, dp=dp, zero=zero, shard=shard, micro_batch=micro_batch,
        recompute=columns["recompute"],
        sequence_parallel=rows["sequence_parallel"].astype(bool),
        offload=columns["offload"].astype(bool),
        zero_bubble=columns["zero_bubble"].astype(bool),
        recompute_share=columns["recompute_layers"] / np.ceil(_layers(job) / pp),
    )
    return LayoutGrid(layout, np.broadcast_to(valid, np.broadcast_shapes(valid.shape, dp.shape)))


def _shape_rows(job: TrainingJob, devices: int, domain: int, fixed: Overrides) -> NDArray[np.int64]:
    """Rows of (tp, cp, ep, micro-batch, sequence parallel)."""
    batches = _choice(fixed.micro_batch, _powers(min(job.global_batch, LARGEST_MICRO_BATCH)))
    model = job.model
    if isinstance(model, SampleModel):
        return np.array([(1, 1, 1, b, 0) for b in batches], dtype=np.int64)
    heads = model.attention.heads
    widest = max(8, min(domain, 64))
    tps = _choice(fixed.tp, [t for t in _powers(min(devices, widest)) if heads % t == 0])
    cps = _choice(fixed.cp, [c for c in _powers(min(devices, 64)) if c == 1 or job.sequence // c >= 2048])
    if model.experts is None:
        eps: Sequence[int] = _choice(fixed.ep, [1])
    else:
        eps = _choice(fixed.ep, [e for e in _powers(min(devices, model.experts.count)) if model.experts.count % e == 0])
    rows = [
        (t, c, e, b, sp)
        for t, c, e, b in product(tps, cps, eps, batches)
        if t * c <= devices
        for sp in ((0, 1) if t > 1 else (0,))
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, len(SHAPE_AXES))


def _schedule_rows(job: TrainingJob, devices: int, fixed: Overrides) -> NDArray[np.int64]:
    """Rows of (stages, virtual stages, ZeRO, recompute, offload, zero bubble, shard divisor)."""
    model = job.model
    if isinstance(model, SampleModel):
        return np.array([(1, 1, z, 0, 0, 0, 1, 0) for z in _choice(fixed.zero, [0, 1, 2, 3])], dtype=np.int64)
    stages = _choice(fixed.pp, [p for p in _divisors(devices) if p <= model.layers and _even(model.layers, p)])
    zeros = _choice(fixed.zero, [0, 1, 2, 3])
    adapters = job.method in (Method.LORA, Method.QLORA)
    rows = []
    for p in stages:
        per_stage = model.layers // p
        virtual = [1] if p == 1 or model.layers % p else [v for v in _divisors(per_stage) if v <= LARGEST_VIRTUAL]
        recomputes = _recomputes(-(-model.layers // p), fixed)
        for v, z, (r, again) in product(_choice(fixed.vpp, virtual), zeros, recomputes):
            # ZeRO-2 would reduce gradients after every micro-batch of a pipeline: no stack offers it.
            if (v not in virtual) or (z == 2 and p > 1):
                continue
            for offload in (0,) if adapters or z == 0 else (0, 1):
                for bubble in (0, 1) if p > 1 and v == 1 else (0,):
                    for divisor in (1, 2, 4, 8) if z == 3 else (1,):
                        rows.append((p, v, z, r, offload, bubble, divisor, again))
    return np.array(rows, dtype=np.int64).reshape(-1, len(SCHEDULE_AXES))


def _recomputes(stage_layers: int, fixed: Overrides) -> list[tuple[int, int]]:
    """Recompute modes with the layers BLOCK recomputes: up to seven evenly spaced numbers of a stage's layers."""
    modes = list(Recompute) if fixed.recompute is None else [recompute_code(fixed.recompute)]
    parts = sorted({stage_layers * eighth // 8 for eighth in range(1, 8)} - {0, stage_layers})
    blocks = [(int(Recompute.BLOCK), layers) for layers in parts] if Recompute.BLOCK in modes else []
    return [(int(mode), 0) for mode in modes if mode is not Recompute.BLOCK] + blocks


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
            raise InputError(f"ep {fixed.ep} does not divide the {count} experts of {model.name}", f"choose a divisor of {count}")
    if fixed.micro_batch is not None and job.global_batch % fixed.micro_batch:
        raise InputError(
            f"micro-batch {fixed.micro_batch} does not divide the global batch of {job.global_batch} sequences",
            "choose a divisor of the global batch",
        )
    if fixed.cp is not None and job.sequence % fixed.cp:
        raise InputError(f"cp {fixed.cp} does not divide the sequence of {job.sequence} tokens", "choose a divisor of it")
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
