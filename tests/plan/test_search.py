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
    brief = read_brief({"train": section}, CATALOG)
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
