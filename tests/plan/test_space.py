"""The space of layouts: exactly what divides, each layout once."""

from __future__ import annotations

from dataclasses import astuple, replace
from itertools import product

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
        if whole and even and dp > 1 and (pp == 1 or 12 // (dp * micro) >= pp):
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
