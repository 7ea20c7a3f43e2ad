"""The space of layouts: exactly what divides, each layout once."""

from __future__ import annotations

from dataclasses import astuple, replace
from itertools import product

import numpy as np
import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.design.layout import Recompute
from groundplan.errors import InputError
from groundplan.plan.space import check_fixed, layout_grids
from groundplan.workload.brief import read_brief
from groundplan.workload.job import Overrides

CATALOG = load_catalog([])


def job_of(model: str = "llama-3.2-1b", batch: int = 24, sequence: int = 2048):
    train = {"model": model, "tokens": "1B", "global_batch": batch, "sequence_length": sequence}
    return read_brief({"train": train}, CATALOG).job


def layouts(job, devices: int, fixed: Overrides | None = None):
    found = []
    for grid in layout_grids(job, devices, 8, fixed or Overrides()):
        found += [grid.at(i) for i in range(grid.valid.size) if grid.valid.flat[i]]
    return found


@pytest.mark.parametrize(("model", "devices"), [("llama-3.2-1b", 12), ("mixtral-8x7b", 8)])
def test_every_size_divides_what_it_splits(model, devices):
    job = job_of(model)
    heads = job.model.attention.heads
    experts = job.model.experts.count if job.model.experts else 1
    for layout in layouts(job, devices):
        assert layout.devices == devices
        assert heads % layout.tp == 0
        assert experts % layout.ep == 0 and (layout.dp * layout.cp) % layout.ep == 0
        assert job.global_batch % (layout.dp * layout.micro_batch) == 0
        micro_batches = job.global_batch // (layout.dp * layout.micro_batch)
        assert layout.pp == 1 or micro_batches >= layout.pp
        assert layout.vpp == 1 or (job.model.layers % (layout.pp * layout.vpp) == 0 and micro_batches % layout.pp == 0)
        assert layout.zero == 0 or 1 < layout.shard <= layout.dp * layout.cp
        assert 0.0 <= layout.recompute_share < 1.0


def test_no_layout_comes_twice():
    found = layouts(job_of(), 8)
    assert len({astuple(layout) for layout in found}) == len(found)


def test_the_space_is_all_that_divides():
    """Brute force over the sizes of a fixed small question."""
    job = job_of(batch=12)
    fixed = Overrides(zero=1, recompute="full", cp=1, ep=1, vpp=1)
    found = {(x.tp, x.pp, x.dp, x.micro_batch) for x in layouts(job, 12, fixed) if x.shard == x.dp}
    expected = set()
    for tp, pp, dp, micro in product(range(1, 13), range(1, 13), range(1, 13), (1, 2, 4, 8)):
        whole = tp * pp * dp == 12 and 12 % (dp * micro) == 0 and tp in (1, 2, 4, 8) and 32 % tp == 0
        even = -(-16 // pp) * pp <= 16 * 1.15
        if whole and even and (pp == 1 or 12 // (dp * micro) >= pp):
            expected.add((tp, pp, dp, micro))
    assert found == expected


def test_fixed_sizes_are_kept():
    fixed = Overrides(tp=2, pp=2, micro_batch=1, recompute="selective", zero=1)
    found = layouts(job_of(batch=16), 8, fixed)
    assert found
    assert {(x.tp, x.pp, x.micro_batch, x.recompute, x.zero) for x in found} == {(2, 2, 1, Recompute.SELECTIVE, 1)}


def test_hybrid_sharding_shards_over_a_part_of_the_replicas():
    shards = {layout.shard for layout in layouts(job_of(batch=16), 16, Overrides(zero=3, tp=1, pp=1, cp=1))}
    assert shards == {2, 4, 8, 16}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tp": 3}, "32 attention heads"),
        ({"pp": 99}, "16 layers"),
        ({"ep": 3}, "experts"),
        ({"micro_batch": 5}, "global batch of 24"),
        ({"cp": 3}, "sequence of 2048"),
        ({"recompute": "sometimes"}, "none, selective, block, full"),
    ],
)
def test_an_impossible_size_is_named(changes, said):
    with pytest.raises(InputError, match=said):
        check_fixed(job_of(), replace(Overrides(), **changes))


def every_layout(job, devices: int, domain: int) -> set[tuple]:
    """Return what a person would write down: all sizes from one up, kept where they divide what they split."""
    model = job.model
    layers, experts = model.layers, model.experts.count if model.experts else 1
    upto, found = range(1, devices + 1), set()
    for tp, pp, cp, ep, micro in product(upto, upto, upto, upto, (1, 2, 4, 8)):
        dp = devices // (tp * pp * cp)
        if dp * tp * pp * cp != devices or job.global_batch % (dp * micro):
            continue
        powers = all(n & (n - 1) == 0 for n in (tp, cp, ep))
        splits = model.attention.heads % tp == 0 and experts % ep == 0 and dp * cp % ep == 0
        even = -(-layers // pp) * pp <= 1.15 * layers
        count = job.global_batch // (dp * micro)
        if not (powers and splits and even and tp <= max(8, domain)) or (cp > 1 and job.sequence // cp < 2048):
            continue
        if pp > 1 and count < pp:
            continue
        schedules = [(1, False)] + ([(1, True)] if pp > 1 else [])
        if pp > 1 and layers % pp == 0 and count % pp == 0:
            schedules += [(v, False) for v in range(2, 13) if layers // pp % v == 0]
        stage = -(-layers // pp)
        again = [(int(mode), 0.0) for mode in Recompute if mode is not Recompute.BLOCK]
        blocks = {stage * part // 8 for part in range(1, 8)} - {0}
        again += [(int(Recompute.BLOCK), some / stage) for some in sorted(blocks)]
        states = {(0, 1)}
        for zero, divisor in ((1, 1), (1, 2), (1, 4), (1, 8), (2, 1), (3, 1), (3, 2), (3, 4), (3, 8)):
            shard = dp * cp // divisor
            if dp * cp % divisor == 0 and shard > 1 and shard % ep == 0 and not (zero == 2 and pp > 1):
                states.add((zero, shard))
        for (vpp, bubbles), (zero, shard), (mode, share), sp, offload in product(
            schedules, states, again, (False, True) if tp > 1 else (False,), (False, True)
        ):
            found.add((tp, pp, vpp, cp, ep, dp, zero, shard, micro, mode, sp, offload, bubbles, share))
    return found


@pytest.mark.parametrize(
    ("model", "devices", "batch", "sequence"),
    [
        ("llama-3.2-1b", 4, 4, 4096),
        ("llama-3.2-1b", 6, 12, 2048),
        ("gpt2", 3, 6, 1024),
        ("mixtral-8x7b", 4, 4, 2048),
    ],
)
def test_the_grids_are_exactly_the_space(model, devices, batch, sequence):
    job = job_of(model, batch, sequence)
    found = [astuple(layout) for layout in layouts(job, devices)]
    assert len(found) == len(set(found))
    assert set(found) == every_layout(job, devices, 8)


def test_how_the_space_is_cut_into_chunks_changes_nothing(monkeypatch):
    job = job_of()
    whole = [astuple(layout) for layout in layouts(job, 8, Overrides(zero=1))]
    monkeypatch.setattr("groundplan.plan.space.CHUNK", 64)
    assert [astuple(layout) for layout in layouts(job, 8, Overrides(zero=1))] == whole


def test_rows_keep_their_layouts():
    grid = next(iter(layout_grids(job_of(), 8, 8, Overrides(zero=1))))
    part = grid.rows(np.array([2, 5]))
    cells = grid.valid[0].size
    assert part.valid.shape == (2, *grid.valid.shape[1:])
    assert [part.at(i) for i in range(2 * cells)] == [grid.at(row * cells + i) for row in (2, 5) for i in range(cells)]


def test_a_model_of_samples_is_split_by_data_alone():
    train = {"model": "resnet-50", "dataset": {"kind": "images", "samples": "1M"}, "global_batch": 64}
    found = layouts(read_brief({"train": train}, CATALOG).job, 8)
    assert {(x.tp, x.pp, x.cp, x.ep, x.dp) for x in found} == {(1, 1, 1, 1, 8)}
    assert {x.micro_batch for x in found} == {1, 2, 4, 8}


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_a_fixed_zero_stage_is_no_obstacle_where_one_replica_has_nothing_to_shard(stage):
    alone = {astuple(x) for x in layouts(job_of(), 4, Overrides(tp=4, zero=0)) if not x.offload}
    assert alone and {astuple(x) for x in layouts(job_of(), 4, Overrides(tp=4, zero=stage)) if not x.offload} == alone


def test_a_batch_that_does_not_split_leaves_nothing():
    assert layouts(job_of(batch=7), 8, Overrides(dp=4)) == []
