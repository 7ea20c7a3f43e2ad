"""Parameter laws: exact on scalars, the same on arrays, and what they must obey."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from groundplan.physics.parameters import (
    attention_parameters,
    embedding_parameters,
    experts_parameters,
    feed_forward_parameters,
    lora_parameters,
    mla_parameters,
    unvisited_parameters,
)

SIZES = st.integers(1, 4096)
FLAGS = st.booleans()


def matrices(*shapes: tuple[int, int]) -> int:
    """Elements of matrices: what a framework would allocate."""
    return sum(rows * columns for rows, columns in shapes)


@given(SIZES, SIZES, SIZES, SIZES, SIZES, FLAGS, FLAGS, FLAGS, FLAGS)
def test_attention_is_the_sum_of_its_tensors(h, a, g, d, v, qkv_bias, output_bias, qk_norm, sinks):
    tensors = matrices((h, a * d), (h, g * d), (h, g * v), (a * v, h))
    tensors += qkv_bias * (a * d + g * d + g * v) + output_bias * h + qk_norm * 2 * d + sinks * a
    law = attention_parameters(h, a, g, d, v, qkv_bias=qkv_bias, output_bias=output_bias, qk_norm=qk_norm, sinks=sinks)
    assert law == tensors


def test_grouped_queries_save_what_the_key_value_heads_save():
    full = attention_parameters(8192, 64, 64, 128, 128)
    grouped = attention_parameters(8192, 64, 8, 128, 128)
    assert full - grouped == 2 * 8192 * (64 - 8) * 128


def test_latent_attention_is_the_sum_of_deepseek_v3s_tensors():
    tensors = matrices((7168, 1536), (1536, 128 * 192), (7168, 512 + 64), (512, 128 * (128 + 128)), (128 * 128, 7168))
    assert mla_parameters(7168, 128, 192, 128, 1536, 512, 64) == tensors + 1536 + 512


def test_latent_attention_without_query_latent_has_one_query_matrix():
    tensors = matrices((2048, 16 * 192), (2048, 512 + 64), (512, 16 * 256), (16 * 128, 2048))
    assert mla_parameters(2048, 16, 192, 128, 0, 512, 64) == tensors + 512


@given(SIZES, SIZES, FLAGS)
def test_feed_forward_is_the_sum_of_its_tensors(h, f, bias):
    assert feed_forward_parameters(h, f, False, bias=bias) == 2 * h * f + bias * (f + h)
    assert feed_forward_parameters(h, f, True, bias=bias) == 3 * h * f + bias * (2 * f + h)


@given(SIZES, st.integers(1, 64), SIZES)
def test_visiting_every_expert_leaves_nothing_unvisited(h, count, f):
    assert unvisited_parameters(h, count, count, f, True) == 0
    assert unvisited_parameters(h, count, 1, f, True) < experts_parameters(h, count, f, True)


def test_tying_the_head_saves_one_table():
    assert embedding_parameters(32000, 4096, False) == 2 * embedding_parameters(32000, 4096, True)


def test_an_adapter_of_full_rank_is_no_smaller_than_its_matrix():
    assert lora_parameters(4096, 4096, 4096) == 2 * 4096 * 4096
    assert lora_parameters(16, 4096, 4096) == 16 * 8192


def test_whole_numbers_stay_exact_beyond_floating_point():
    big = 10**9
    assert feed_forward_parameters(big, big + 1, True) == 3 * big * (big + 1)


def test_arrays_give_what_their_elements_give():
    rng = np.random.default_rng(0)
    h, a, d, r = rng.integers(1, 512, (4, 50))
    q = np.where(rng.random(50) < 0.5, 0, r)
    latent = mla_parameters(h, a, d + 8, d, q, r, 8)
    plain = attention_parameters(h, a, a, d, d, qkv_bias=q > 0)
    for i in range(50):
        hi, ai, di, ri, qi = (int(x[i]) for x in (h, a, d, r, q))
        assert latent[i] == mla_parameters(hi, ai, di + 8, di, qi, ri, 8)
        assert plain[i] == attention_parameters(hi, ai, ai, di, di, qkv_bias=qi > 0)
