"""Work laws against brute force and the rules of thumb of the field."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.physics.flops import attention_flops_per_token, matmul_flops_per_token, training_flops


@given(st.integers(1, 60), st.integers(0, 70), st.booleans())
def test_attention_counts_the_pairs_a_mask_lets_through(sequence, window, causal):
    query, key = np.arange(sequence)[:, None], np.arange(sequence)[None, :]
    if causal:
        seen = (key <= query) & ((query - key < window) | (window == 0))
        pairs = seen.sum()
    else:
        pairs = sequence * (min(window, sequence) if window else sequence)
    expected = 2 * pairs * 4 * (16 + 8) / sequence
    law = attention_flops_per_token(float(sequence), 4, 16, 8, causal=causal, window=window)
    assert float(law) == pytest.approx(expected)


def test_causal_attention_is_half_of_full_attention_for_long_sequences():
    full = attention_flops_per_token(65536.0, 32, 128, 128, causal=False, window=0)
    causal = attention_flops_per_token(65536.0, 32, 128, 128, causal=True, window=0)
    assert causal / full == pytest.approx(0.5, rel=1e-4)


def test_training_is_three_forward_passes_and_a_fourth_where_all_is_recomputed():
    forward = matmul_flops_per_token(1e9)
    assert training_flops(forward, 0.0) == 6e9
    assert training_flops(forward, forward) == 8e9


def test_arrays_give_what_their_elements_give():
    sequences = np.array([1.0, 128.0, 4096.0, 131072.0])
    many = attention_flops_per_token(sequences, 32, 128, 128, causal=True, window=1024)
    one = [attention_flops_per_token(float(s), 32, 128, 128, causal=True, window=1024) for s in sequences]
    assert np.allclose(many, one, rtol=0)
