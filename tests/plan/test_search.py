"""The columnar search finds what brute force finds, the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.design.cluster import Cluster
from groundplan.plan.layouts import fastest_layouts
from groundplan.plan.scoring import workshop_for
from groundplan.plan.search import search
from groundplan.plan.space import layout_grids
from groundplan.workload.brief import read_brief
from groundplan.workload.job import Overrides

CATALOG = load_catalog([])


def workshop_of(model: str, host: str, nodes: int, batch: int = 16, **train):
    section = {"model": model, "tokens": "1B", "global_batch": batch, "sequence_length": 2048, **train}
    brief = read_brief({"train": {key: value for key, value in section.items() if value is not None}}, CATALOG)
    row = CATALOG.hosts[host]
    cluster = Cluster(row, CATALOG.accelerators[row.accelerator], CATALOG.fabrics[row.fabric], nodes)
    return workshop_for(brief, CATALOG, cluster, CATALOG.precisions["bf16"])


SMALL = Overrides(cp=1, micro_batch=1, recompute="none")


@pytest.mark.parametrize(
    ("model", "host", "nodes"),
    [
        ("llama-3.2-1b", "onprem-dgx-a100", 1),
        ("llama-3.1-8b", "onprem-dgx-h100", 2),
        ("mixtral-8x7b", "onprem-dgx-h200", 1),
    ],
)
def test_the_search_finds_what_brute_force_finds(model, host, nodes):
    workshop = workshop_of(model, host, nodes)
    found = fastest_layouts(workshop, SMALL)
    seconds = []
    for grid in layout_grids(workshop.job, workshop.setting.cluster.accelerators, workshop.rates.domain, SMALL):
        for flat in np.flatnonzero(grid.valid):
            layout = grid.at(int(flat))
            held = float(sum(np.asarray(v) for v in workshop.memory(layout).values()))
            if held <= workshop.capacity_bytes and np.all(workshop.fits_host(layout)):
                seconds.append(float(np.asarray(workshop.step(layout).total)))
    assert found.fitting == len(seconds)
    assert found.layouts[0][0] == pytest.approx(min(seconds), rel=1e-12)


def test_a_grid_gives_each_cell_what_its_layout_gives():
    workshop = workshop_of("mixtral-8x7b", "onprem-dgx-h100", 4)
    grid = next(iter(layout_grids(workshop.job, 32, 8, Overrides())))
    shape = grid.valid.shape
    totals = np.broadcast_to(workshop.step(grid.layout).total, shape)
    terms = {name: np.broadcast_to(value, shape) for name, value in workshop.memory(grid.layout).items()}
    cells = np.random.default_rng(7).choice(np.flatnonzero(grid.valid), 40, replace=False)
    for flat in cells:
        layout = grid.at(int(flat))
        assert totals.flat[flat] == pytest.approx(float(np.asarray(workshop.step(layout).total)), rel=1e-12)
        for name, value in workshop.memory(layout).items():
            assert terms[name].flat[flat] == pytest.approx(float(np.asarray(value)), rel=1e-12, abs=1e-6)


def test_what_does_not_fit_comes_with_the_layout_that_needs_least():
    found = fastest_layouts(workshop_of("llama-3.1-70b", "onprem-rtx4090-1x", 1), Overrides())
    assert not found.layouts and found.fitting == 0
    assert found.least_layout is not None
    assert found.least_peak_bytes > 24 * 2**30


def test_offloaded_states_must_fit_in_the_host():
    """405B on sixteen H100: Adam's states of 25 billion parameters a device are more than a host has."""
    workshop = workshop_of("llama-3.1-405b", "onprem-dgx-h100", 2)
    for _, layout in fastest_layouts(workshop, Overrides()).layouts:
        assert not layout.offload


def test_a_search_is_the_same_every_time():
    brief = read_brief(
        {
            "train": {"model": "llama-3.1-8b", "tokens": "10B", "global_batch": 256, "sequence_length": 4096},
            "candidates": {"accelerators": ["h100-sxm"], "providers": ["aws", "lambda"], "counts": [8, 16]},
            "as_of": "2026-11-23",
        },
        CATALOG,
    )
    first, second = (search(brief, CATALOG, None) for _ in range(2))
    assert [d.to_dict() for d in first.designs] == [d.to_dict() for d in second.designs]
    assert first.rejected == second.rejected


def test_a_given_price_keeps_the_risk_of_spot():
    section = {"model": "llama-3.1-8b", "tokens": "100B", "global_batch": 512, "sequence_length": 4096}
    candidates = {"accelerators": ["h100-sxm"], "providers": ["aws"], "counts": [64], "purchase": ["on_demand", "spot"]}
    brief = read_brief({"train": section, "candidates": candidates, "overrides": {"price": "2 USD"}}, CATALOG)
    by_purchase = {design.purchase: design for design in search(brief, CATALOG, None).designs}
    assert by_purchase["spot"].goodput.value < by_purchase["on_demand"].goodput.value
    assert by_purchase["spot"].run_s.value > by_purchase["on_demand"].run_s.value


@pytest.mark.parametrize(
    ("model", "host", "train"),
    [
        ("llama-3.2-1b", "gcp-a2-highgpu-2g", {}),
        ("llama-3.1-8b", "gcp-a2-ultragpu-2g", {"method": "lora"}),
        ("deepseek-v2-lite", "azure-nc80adis-h100-v5", {"method": "lora"}),
    ],
)
def test_the_whole_space_of_two_devices_is_ranked_as_by_hand(model, host, train):
    """Every layout, one by one with plain numbers: the same three fastest, in the same order of times."""
    workshop = workshop_of(model, host, 1, batch=4, **train)
    found = fastest_layouts(workshop, Overrides(), keep=3)
    seconds, tried, least = [], 0, float("inf")
    for grid in layout_grids(workshop.job, 2, workshop.rates.domain, Overrides()):
        for flat in np.flatnonzero(grid.valid):
            layout = grid.at(int(flat))
            tried += 1
            held = float(sum(np.asarray(v) for v in workshop.memory(layout).values()))
            least = min(least, held)
            if held <= workshop.capacity_bytes and np.all(workshop.fits_host(layout)):
                seconds.append(float(np.asarray(workshop.step(layout).total)))
    assert (found.candidates, found.fitting) == (tried, len(seconds))
    assert found.least_peak_bytes == pytest.approx(least, rel=1e-12)
    assert [value for value, _ in found.layouts] == pytest.approx(sorted(seconds)[:3], rel=1e-12)
    for value, layout in found.layouts:
        assert value == pytest.approx(float(np.asarray(workshop.step(layout).total)), rel=1e-12)


def test_chunks_and_the_number_kept_change_no_winner(monkeypatch):
    workshop = workshop_of("mixtral-8x7b", "onprem-dgx-h100", 2)
    whole = fastest_layouts(workshop, Overrides(), keep=5)
    assert fastest_layouts(workshop, Overrides(), keep=1).layouts == whole.layouts[:1]
    monkeypatch.setattr("groundplan.plan.space.CHUNK", 4096)
    small = fastest_layouts(workshop, Overrides(), keep=5)
    assert [value for value, _ in small.layouts] == [value for value, _ in whole.layouts]
    assert (small.candidates, small.fitting) == (whole.candidates, whole.fitting)


@pytest.mark.parametrize(
    ("model", "train"),
    [
        ("llama-3.1-8b", {}),
        ("llama-3.1-8b", {"method": "qlora"}),
        ("deepseek-v2-lite", {}),
        ("gemma-2-9b", {"optimizer": "muon"}),
        ("gpt-oss-20b", {"optimizer": "adamw-8bit"}),
        ("resnet-50", {"tokens": None, "dataset": {"kind": "images", "samples": "1M"}, "sequence_length": None}),
    ],
)
def test_every_term_of_a_grid_is_that_of_its_layout(model, train):
    workshop = workshop_of(model, "onprem-dgx-h100", 2, **train)
    grid = next(iter(layout_grids(workshop.job, 16, 8, Overrides())))
    shape, step, held = grid.valid.shape, workshop.step(grid.layout).terms, workshop.memory(grid.layout)
    possible = np.flatnonzero(grid.valid)
    for flat in np.random.default_rng(11).choice(possible, min(12, len(possible)), replace=False):
        layout = grid.at(int(flat))
        for together, alone in ((step, workshop.step(layout).terms), (held, workshop.memory(layout))):
            assert set(together) == set(alone)
            for name, value in alone.items():
                cell = np.broadcast_to(together[name], shape).flat[flat]
                assert cell == pytest.approx(float(np.asarray(value)), rel=1e-9, abs=1e-9), name


def test_a_wish_for_fewer_layouts_is_never_faster():
    workshop = workshop_of("llama-3.1-8b", "onprem-dgx-h100", 2)
    ((free, _),) = fastest_layouts(workshop, Overrides(), keep=1).layouts
    for fixed in (Overrides(tp=4), Overrides(zero=3), Overrides(recompute="full"), Overrides(pp=2, micro_batch=1)):
        ((held, layout),) = fastest_layouts(workshop, fixed, keep=1).layouts
        assert held >= free
        assert fixed.tp in (None, layout.tp) and fixed.zero in (None, layout.zero)


def test_the_searched_design_is_the_fastest_layout_that_fits():
    section = {"model": "llama-3.1-8b", "tokens": "1B", "global_batch": 16, "sequence_length": 2048}
    wishes = {"instances": ["onprem-dgx-h100"], "counts": [16], "purchase": ["owned"]}
    found = search(read_brief({"train": section, "candidates": wishes}, CATALOG), CATALOG, None)
    fastest = fastest_layouts(workshop_of("llama-3.1-8b", "onprem-dgx-h100", 2), Overrides(), keep=1)
    (design,) = found.designs
    assert design.step_s.value == pytest.approx(fastest.layouts[0][0], rel=1e-12)
    assert (found.candidates, found.fitting) == (fastest.candidates, fastest.fitting)
    assert design.memory.fits


@pytest.mark.parametrize("model", ["vit-b-16", "vit-h-14"])
def test_a_vision_transformer_has_no_output_head_over_a_vocabulary_and_is_planned(model):
    brief = {
        "train": {"model": model, "global_batch": 4096, "dataset": {"kind": "images", "samples": "10M"}},
        "candidates": {"accelerators": ["h100-sxm"], "counts": [8]},
    }
    found = search(read_brief(brief, CATALOG), CATALOG, None)
    assert found.designs and all(0 < design.step_s.value < 5 for design in found.designs)
