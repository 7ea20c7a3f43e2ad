"""Laws of memory against their definitions and published figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.physics.kv_cache import cached_tokens, kv_elements, latent_kv_elements
from groundplan.physics.memory import (
    attention_elements,
    bytes_per_logit,
    eager_norm_elements,
    experts_elements,
    factored_state_bytes,
    feed_forward_elements,
    feed_forward_gradients,
    moment_bytes,
    nf4_bytes_per_parameter,
    norm_elements,
    score_bytes,
)


def test_scales_of_4_bit_blocks_cost_half_a_bit_per_parameter():
    # Dettmers et al. 2023, section 3: 32-bit constants for blocks of 64 add 32/64 = 0.5 bits.
    assert (nf4_bytes_per_parameter() - 0.5) * 8 == 0.5


def test_moments_are_as_wide_as_what_they_update():
    assert moment_bytes(8.0, 2.0, 4.0) == moment_bytes(8.0, 4.0, 0.0) == 8.0  # fp32 master copy, or fp32 weights
    assert moment_bytes(8.0, 2.0, 0.0) == 4.0  # AdamW on bf16 weights
    assert moment_bytes(2.0, 2.0, 0.0) == moment_bytes(2.0, 2.0, 4.0) == 2.0  # 8-bit moments


@given(st.integers(1, 64), st.integers(1, 256))
def test_a_gpt_layer_keeps_32_bytes_per_hidden_element(heads, head_dim):
    # Korthikanti et al. 2022, section 4.1: 34 s b h with dropout, of which the two masks are 2 s b h.
    hidden = heads * head_dim
    kept = norm_elements(hidden, 2, False) + attention_elements(heads, heads, head_dim, head_dim)
    assert 2 * (kept + feed_forward_elements(4 * hidden, gated=False)) == 32 * hidden


def test_scores_without_flash_attention_are_5_a_s_squared():
    tokens = np.array([128.0, 2048.0])
    assert score_bytes(96, tokens, flash=False) * tokens == pytest.approx(5 * 96 * tokens**2)
    assert score_bytes(96, 2048.0, flash=True) * 2048 < 0.001 * score_bytes(96, 2048.0, flash=False) * 2048


def test_grouped_queries_keep_less_than_multi_head_attention():
    assert attention_elements(64, 8, 128, 128) < attention_elements(64, 64, 128, 128)


def test_eager_operations_keep_more_than_fused_ones():
    assert feed_forward_elements(100.0, True, fused=False) > feed_forward_elements(100.0, True)
    assert eager_norm_elements(100.0, 2, 2.0, trained=True) > eager_norm_elements(100.0, 2, 2.0, trained=False) > 0
    assert bytes_per_logit(2.0, False, False) > bytes_per_logit(2.0, False, True) > bytes_per_logit(2.0, True, True)


def test_a_gradient_never_outgrows_what_was_kept():
    for gated in (False, True):
        assert feed_forward_gradients(100.0, gated) < feed_forward_elements(100.0, gated)


def test_routed_experts_scale_with_the_experts_each_token_visits():
    assert experts_elements(10.0, 20.0, 4, True) == 4 * experts_elements(10.0, 20.0, 1, True)


def test_factored_moments_of_a_large_matrix_are_negligible():
    assert factored_state_bytes(4.0, 4096, 11008) < 0.002


def test_mla_cache_is_smaller_than_that_of_its_heads():
    # DeepSeek-V2, table 1: the latent cache equals that of GQA with 2.25 groups.
    assert latent_kv_elements(512, 64) / (2 * 128) == 2.25
    assert latent_kv_elements(512, 64) < kv_elements(128, 128, 128)


@given(st.integers(1, 200_000), st.integers(0, 48))
def test_windows_never_add_tokens(sequence, windowed):
    kept = cached_tokens(sequence, 48, windowed, 4096)
    assert kept <= 48 * sequence
    assert kept == 48 * sequence if sequence <= 4096 else kept >= 48 * 4096
