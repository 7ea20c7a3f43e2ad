"""Linear attention by doing it: the recurrence and its chunked form agree, and cost what the laws say."""

from __future__ import annotations

import numpy as np
import pytest

from groundplan.physics.linear_attention import (
    chunked_elements_per_token,
    chunked_flops_per_token,
    convolution_elements,
    recurrence_flops_per_token,
    scan_s,
    state_elements,
)
from physics.broadcasting import broadcasts


class Counter:
    """Matrix products that are counted, a multiply-add as two."""

    def __init__(self) -> None:
        self.flops = 0

    def product(self, left, right):
        self.flops += 2 * left.shape[0] * left.shape[1] * right.shape[1]
        return left @ right


def one_by_one(queries, keys, values, corrects, counter):
    state, outputs = np.zeros((keys.shape[1], values.shape[1])), []
    for query, key, value in zip(queries, keys, values, strict=True):
        answer = counter.product(key[None], state)[0] if corrects else 0.0
        state = state + counter.product(key[:, None], (value - answer)[None])
        outputs.append(counter.product(query[None], state)[0])
    return np.array(outputs)


def in_chunks(queries, keys, values, corrects, chunk, counter):
    state, outputs = np.zeros((keys.shape[1], values.shape[1])), []
    for start in range(0, len(keys), chunk):
        q, k, v = (part[start : start + chunk] for part in (queries, keys, values))
        if corrects:
            inverse = np.linalg.inv(np.eye(chunk) + np.tril(counter.product(k, k.T), -1))
            v = counter.product(inverse, v) - counter.product(counter.product(inverse, k), state)
        scores = np.tril(counter.product(q, k.T))
        outputs.append(counter.product(scores, v) + counter.product(q, state))
        state = state + counter.product(k.T, v)
    return np.concatenate(outputs)


@pytest.mark.parametrize("corrects", [False, True])
def test_both_forms_agree_and_cost_what_the_laws_say(corrects):
    tokens, qk_dim, value_dim, chunk = 48, 6, 10, 8
    generator = np.random.default_rng(5)
    queries, keys = (generator.normal(size=(tokens, qk_dim)) / qk_dim for _ in range(2))
    values = generator.normal(size=(tokens, value_dim))
    single, several = Counter(), Counter()
    expected = one_by_one(queries, keys, values, corrects, single)
    np.testing.assert_allclose(in_chunks(queries, keys, values, corrects, chunk, several), expected, atol=1e-10)
    assert single.flops / tokens == recurrence_flops_per_token(1, qk_dim, value_dim, corrects)
    assert several.flops / tokens == chunked_flops_per_token(1, qk_dim, value_dim, corrects, chunk)


def test_a_scan_token_by_token_is_the_recurrence():
    assert chunked_flops_per_token(8192, 16, 1, False, 0) == recurrence_flops_per_token(8192, 16, 1, False)


def test_the_state_of_falcon_h1_is_what_its_cache_holds():
    # transformers keeps [24, 64, 128] and, of the convolution, [1792, 4], its oldest column unused.
    assert state_elements(24, 128, 64) == 24 * 64 * 128
    assert convolution_elements(1536 + 2 * 128, 4) == 1792 * 3


@pytest.mark.parametrize(
    ("peak", "memory", "heads", "seconds"),
    [
        (148e12, 4.0e12, 96, 4.5052e-3),
        (148e12, 4.0e12, 64, 2.9587e-3),
        (209.5e12, 1.792e12, 96, 5.4185e-3),
        (209.5e12, 1.792e12, 64, 3.5908e-3),
    ],
    ids=["h20-96", "h20-64", "rtx5090-96", "rtx5090-64"],
)
def test_a_scan_takes_what_was_measured(peak, memory, heads, seconds):
    # chunk_kda of flash-linear-attention for 8,192 tokens: queries, keys, values, decays and outputs of 128 a head.
    sizes, tokens = (heads, 128, 128), 8192
    flops = tokens * chunked_flops_per_token(*sizes, True, 64)
    moved = 2.0 * tokens * float(chunked_elements_per_token(*sizes, 5 * 128 * heads, 64))
    assert float(scan_s(flops, moved, 0.8 * peak, 0.8 * memory)) == pytest.approx(seconds, rel=0.04)


def test_laws_broadcast():
    sizes = {"heads": (8.0, 32.0), "qk_dim": (64.0, 128.0), "value_dim": (64.0, 128.0)}
    broadcasts(state_elements, sizes)
    broadcasts(convolution_elements, {"convolved": (0.0, 8192.0), "kernel": (0.0, 4.0)})
    broadcasts(recurrence_flops_per_token, {**sizes, "corrects": (0.0, 1.0)})
    broadcasts(chunked_flops_per_token, {**sizes, "corrects": (0.0, 1.0), "chunk": (0.0, 64.0)})
    broadcasts(chunked_elements_per_token, {**sizes, "streamed": (1024.0, 4096.0), "chunk": (0.0, 64.0)})
    rates = {"rate_flops_per_s": (1e14, 8e14), "memory_bytes_per_s": (1e12, 4e12)}
    broadcasts(scan_s, {"flops": (1e9, 1e11), "bytes_moved": (1e8, 1e10), **rates})
