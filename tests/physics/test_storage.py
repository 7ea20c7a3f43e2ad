"""Storage laws: MLPerf's published rates, a simulated cache, and what must always hold."""

from __future__ import annotations

import csv
from collections import OrderedDict
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.estimate.dataset_kinds import dataset_kinds
from groundplan.physics.storage import (
    TIB,
    cache_hit_rate,
    coupled_capacity_bytes,
    read_bytes_per_s,
    requests_in_flight,
)


def test_language_models_hardly_read() -> None:
    assert read_bytes_per_s(64, 1040.0, 4.0) < 1e6


@pytest.mark.parametrize(("kind", "low", "high"), [("resnet-50", 18e9, 20e9), ("unet3d", 276e9, 318e9)])
def test_a_hundred_h100_read_what_mlperf_says(kind: str, low: float, high: float) -> None:
    rate = next(rate for rate in dataset_kinds()[kind].rates if rate.accelerator == "h100-sxm")
    samples = rate.bytes_per_s / dataset_kinds()[kind].sample_bytes
    assert low <= read_bytes_per_s(100, samples, dataset_kinds()[kind].sample_bytes) <= high


@pytest.mark.parametrize(
    ("kind", "workload"), [("resnet-50", "resnet50"), ("cosmoflow", "cosmoflow"), ("unet3d", "unet3d")]
)
@pytest.mark.parametrize(("accelerator", "part"), [("a100-sxm-80", "a100"), ("h100-sxm", "h100")])
def test_kinds_carry_the_median_of_the_published_results(
    shared: Path, kind: str, workload: str, accelerator: str, part: str
) -> None:
    with (shared / "truth" / "mlperf_storage_open.csv").open(encoding="utf-8", newline="") as file:
        measured = [
            float(row["throughput_mib_s_raw"]) * 2**20 / float(row["n_accelerators"])
            for row in csv.DictReader(file)
            if (row["workload"], row["accelerator"]) == (workload, part) and row["throughput_mib_s_raw"]
        ]
    ours = next(rate.bytes_per_s for rate in dataset_kinds()[kind].rates if rate.accelerator == accelerator)
    assert ours == pytest.approx(median(measured), rel=0.03)


@pytest.mark.parametrize("cached", [0.25, 0.5, 0.9])
def test_an_lru_cache_serves_what_a_simulated_one_does(cached: float) -> None:
    samples, epochs = 2000, 12
    rng = np.random.default_rng(3)
    held: OrderedDict[int, None] = OrderedDict()
    hits = reads = 0
    for epoch in range(epochs):
        for sample in rng.permutation(samples).tolist():
            hit = sample in held
            held.pop(sample, None)
            held[sample] = None
            if len(held) > cached * samples:
                held.popitem(last=False)
            if epoch:
                hits, reads = hits + hit, reads + 1
    assert float(cache_hit_rate(cached, False)) == pytest.approx(hits / reads, abs=0.02)


@given(st.floats(0.0, 1.0))
def test_a_pinned_cache_is_never_worse(cached: float) -> None:
    evicting, pinned = float(cache_hit_rate(cached, False)), float(cache_hit_rate(cached, True))
    assert -1e-12 <= evicting <= pinned + 1e-12
    assert pinned == cached


def test_a_cache_of_everything_serves_everything() -> None:
    assert float(cache_hit_rate(1.0, False)) == pytest.approx(1.0)
    assert float(cache_hit_rate(0.0, False)) == 0.0


def test_littles_law_counts_open_requests() -> None:
    assert requests_in_flight(8e9, 8e6, 0.15) == pytest.approx(150.0)


@given(st.floats(1e9, 1e15), st.floats(0.5, 1.0), st.floats(1e6, 1e12), st.floats(1e7, 1e10), st.floats(0.0, 1e14))
def test_coupled_capacity_satisfies_all_three_needs(
    data: float, usable: float, rate: float, per_tib: float, least: float
) -> None:
    size = float(coupled_capacity_bytes(data, usable, rate, per_tib, least))
    assert size * usable >= data * (1 - 1e-12)
    assert size / TIB * per_tib >= rate * (1 - 1e-12)
    assert size >= least
    tight = (size * usable / data, size / TIB * per_tib / rate, size / least if least else np.inf)
    assert min(tight) == pytest.approx(1.0)


def test_arrays_give_what_their_elements_give() -> None:
    cached, pinned = np.array([0.0, 0.3, 1.0]), np.array([True, False, False])
    together = cache_hit_rate(cached, pinned)
    assert [float(cache_hit_rate(c, p)) for c, p in zip(cached, pinned, strict=True)] == together.tolist()
