"""Matrix-product times against what shapes are known to lose."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.physics.gemm import gemm_efficiency, gemm_flops, gemm_s
from physics.broadcasting import broadcasts

A100 = {"rate_flops_per_s": 271e12, "memory_bytes_per_s": 2.039e12, "compute_units": 108}
sides = st.integers(1, 100_000)
units = st.sampled_from([1.0, 108.0, 132.0, 304.0, math.nan])
counts = st.sampled_from([1.0, 8.0, 64.0])


def tiles_and_waves(m: int, n: int, units: int, tile: int = 128) -> float:
    """Share of the units' tile slots that hold useful output: the staircase the law smooths."""
    tiles = math.ceil(m / tile) * math.ceil(n / tile)
    return (m * n / tile**2) / (math.ceil(tiles / units) * units)


@given(sides, sides, sides, units, counts)
def test_efficiency_is_a_share(m, n, k, compute_units, count):
    assert 0.0 < gemm_efficiency(m, n, k, compute_units, count) <= 1.0


@given(sides, sides, sides, units, counts, st.floats(1.0, 4.0))
def test_efficiency_rises_with_every_side(m, n, k, compute_units, count, factor):
    base = gemm_efficiency(m, n, k, compute_units, count) * (1 - 1e-12)
    assert gemm_efficiency(m * factor, n, k, compute_units, count) >= base
    assert gemm_efficiency(m, n * factor, k, compute_units, count) >= base
    assert gemm_efficiency(m, n, k * factor, compute_units, count) >= base
    assert gemm_efficiency(m, n, k, compute_units, count * factor) >= base


@given(sides, sides, sides, counts, st.floats(1.0, 4.0))
def test_more_work_never_takes_less_time(m, n, k, count, factor):
    base = gemm_s(m, n, k, operand_bytes=2, count=count, **A100) * (1 - 1e-12)
    assert gemm_s(m * factor, n, k, operand_bytes=2, count=count, **A100) >= base
    assert gemm_s(m, n * factor, k, operand_bytes=2, count=count, **A100) >= base
    assert gemm_s(m, n, k * factor, operand_bytes=2, count=count, **A100) >= base
    assert gemm_s(m, n, k, operand_bytes=2, count=count * factor, **A100) >= base


def test_large_products_reach_the_sustained_rate():
    assert gemm_efficiency(65536, 65536, 65536, 132) == pytest.approx(1.0, abs=0.01)
    assert gemm_efficiency(8192, 8192, 8192, 108) > 0.94


def test_unknown_units_lose_no_wave():
    assert gemm_efficiency(1024, 1024, 1e9, math.nan) > gemm_efficiency(1024, 1024, 1e9, 108)
    assert gemm_efficiency(1e9, 1e9, 1e9, math.nan) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("compute_units", [108, 132])
def test_the_smooth_law_runs_through_the_staircase(compute_units):
    sizes = np.arange(1024, 8192)
    stairs = np.array([tiles_and_waves(m, 4096, compute_units) for m in sizes])
    smooth = gemm_efficiency(sizes, 4096.0, 1e12, compute_units)
    # 4,096 columns are whole tiles, which the smooth law, for any width, takes as 1.5 % short.
    assert np.mean(smooth / stairs) == pytest.approx(1.0, abs=0.03)


def test_a_decoding_step_is_bound_by_memory():
    one_token = gemm_s(1, 8192, 8192, operand_bytes=2, **A100)
    assert one_token == pytest.approx(8192 * 8192 * 2 / A100["memory_bytes_per_s"], rel=1e-3)


def test_grouped_experts_share_the_waves():
    # Eight small experts together take less than eight times one of them, and not less than one product of all rows.
    one = gemm_s(256, 2048, 4096, operand_bytes=2, **A100)
    together = gemm_s(256, 2048, 4096, operand_bytes=2, count=8.0, **A100)
    assert gemm_s(8 * 256, 2048, 4096, operand_bytes=2, **A100) < together < 8 * one


def test_a_multiply_add_is_two_flops():
    assert gemm_flops(3, 5, 7) == 2 * 3 * 5 * 7


def test_an_empty_product_reads_its_operand_and_computes_nothing():
    assert gemm_s(4096, 0, 768, 794e12, 3.3e12, 2.0, 132) == pytest.approx(4096 * 768 * 2 / 3.3e12)


SHAPE = {"m": (1.0, 300.0, 4096.0), "n": (64.0, 8192.0), "k": (128.0, 8192.0)}
UNITS = {"compute_units": (108.0, 132.0, math.nan), "count": (1.0, 8.0)}
RATES = {"rate_flops_per_s": (271e12, 794e12), "memory_bytes_per_s": (2e12, 3.3e12), "operand_bytes": (1.0, 2.0)}


@pytest.mark.parametrize(
    ("law", "ranges"), [(gemm_flops, SHAPE), (gemm_efficiency, SHAPE | UNITS), (gemm_s, SHAPE | RATES | UNITS)]
)
def test_arrays_get_what_numbers_get(law, ranges):
    broadcasts(law, ranges)
