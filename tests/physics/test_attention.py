"""Attention work by counting pairs one by one, and flash attention against its papers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.physics.attention import (
    attended_pairs,
    attention_flops,
    flash_attention_s,
    flash_efficiency,
    unfused_attention_bytes,
)
from physics.broadcasting import broadcasts


@given(st.integers(1, 64), st.integers(0, 80))
def test_causal_pairs_are_those_one_counts(sequence, window):
    seen = [
        (query, key)
        for query in range(sequence)
        for key in range(sequence)
        if key <= query and (window == 0 or query - key < window)
    ]
    assert attended_pairs(sequence, True, window) == len(seen)


@given(st.integers(1, 100_000))
def test_causality_halves_long_sequences(sequence):
    half = attended_pairs(sequence, True, 0) / attended_pairs(sequence, False, 0)
    assert half == pytest.approx(0.5 + 0.5 / sequence)


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.booleans())
def test_a_window_never_adds_pairs(sequence, window, causal):
    assert attended_pairs(sequence, causal, window) <= attended_pairs(sequence, causal, 0)
    assert attended_pairs(sequence, causal, window) <= attended_pairs(sequence, causal, window + 1)


def test_a_window_makes_work_linear_in_the_sequence():
    long, longer = attended_pairs(np.array([1e5, 2e5]), True, 4096)
    assert longer / long == pytest.approx(2.0, rel=0.03)


def test_flops_are_those_of_two_matrix_products():
    # Scores: s x s x d, weighted values: s x s x d, two FLOP each: 4 s^2 d for a head (Dao 2023, section 4.1).
    assert attention_flops(attended_pairs(2048, False, 0), 16, 128, 128) == 4 * 2048**2 * 128 * 16


# Forward without mask, FlashAttention-3 on an H100, heads of 128 [TFLOP/s] (github.com/pytorch/benchmark, pull 2391).
H100_FORWARD = {512: 430.3, 1024: 517.1, 2048: 565.5, 4096: 590.2, 8192: 614.2, 16384: 620.7}


@pytest.mark.parametrize("sequence", H100_FORWARD)
def test_flash_attention_ramps_up_with_the_sequence_as_measured(sequence):
    told = flash_efficiency(sequence, 128, 1.0) / flash_efficiency(16384, 128, 1.0)
    assert told == pytest.approx(H100_FORWARD[sequence] / H100_FORWARD[16384], abs=0.025)


def test_narrow_heads_cost_about_a_third_as_measured():
    # FlashAttention-4 on a B200, 16,384 tokens: 1,243 TFLOP/s with heads of 64 and 1,882 with heads of 128
    # (github.com/Dao-AILab/flash-attention, pull 2605).
    assert flash_efficiency(16384, 64, 1.0) == pytest.approx(1243 / 1882, abs=0.1)


@given(st.floats(1, 1e6), st.floats(16, 512), st.floats(0.1, 1.0), st.floats(1.0, 4.0))
def test_flash_efficiency_rises_and_stays_below_its_ceiling(sequence, head_dim, saturated, factor):
    base = flash_efficiency(sequence, head_dim, saturated)
    assert 0.0 < base <= saturated * (1 + 1e-12)
    assert flash_efficiency(sequence * factor, head_dim, saturated) >= base * (1 - 1e-12)
    assert flash_efficiency(sequence, head_dim * factor, saturated) >= base * (1 - 1e-12)


def test_heads_beyond_128_gain_nothing():
    assert flash_efficiency(4096, 256, 0.7) == flash_efficiency(4096, 128, 0.7)


def test_unfused_traffic_dwarfs_what_flash_attention_moves():
    # One head of 128 in 16 bits: queries, keys, values and output are 4 s d elements, eight passes of scores 8 s^2.
    sequence, flash_bytes = 4096, 4 * 4096 * 128 * 2
    assert unfused_attention_bytes(sequence, 1, 2, 8) / flash_bytes == pytest.approx(64)


SEQUENCE = {"sequence": (1.0, 500.0, 8192.0)}


@pytest.mark.parametrize(
    ("law", "ranges"),
    [
        (attended_pairs, SEQUENCE | {"causal": (True, False), "window": (0, 128, 4096)}),
        (attention_flops, {"pairs": (1e3, 1e6), "heads": (8, 64), "qk_dim": (64, 192), "value_dim": (64, 128)}),
        (flash_efficiency, {"keys": (1.0, 500.0, 8192.0), "head_dim": (64, 128, 256), "saturated": (0.5, 0.7)}),
        (flash_attention_s, {"flops": (1e9, 1e12), "rate_flops_per_s": (2e14, 8e14), "efficiency": (0.4, 0.7)}),
        (unfused_attention_bytes, SEQUENCE | {"heads": (8, 96), "element_bytes": (2, 4), "passes": (6, 8)}),
    ],
)
def test_arrays_get_what_numbers_get(law, ranges):
    broadcasts(law, ranges)
