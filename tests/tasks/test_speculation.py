"""Speculative decoding and LoRA adapters: what they add, what they win, and when they lose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.errors import InputError, UnknownName
from groundplan.tasks.serve import serve
from groundplan.tasks.serve_request import ServeRequest
from groundplan.tasks.simulate_serve import SimulateServeRequest, simulate_serve

CATALOG = load_catalog([])
PLAIN = ServeRequest("llama-3.1-70b", "h100-sxm", tp=4, precision="fp8", concurrency=4, price=3.0)
DRAFTED = replace(PLAIN, speculate=3, acceptance=0.8)


def tpot_s(request: ServeRequest) -> float:
    return serve(request, CATALOG).tpot_s.value


def test_drafts_that_are_never_accepted_only_cost():
    assert tpot_s(replace(DRAFTED, acceptance=0.0)) > tpot_s(PLAIN)


def test_no_more_is_won_than_the_tokens_an_iteration_gives():
    # (1 - 0.8^4) / (1 - 0.8) = 2.952 tokens
    won = tpot_s(PLAIN) / tpot_s(DRAFTED)
    assert 1.2 < won < 2.952


def test_the_better_the_drafts_the_faster_a_token():
    times = [tpot_s(replace(DRAFTED, acceptance=share)) for share in (0.2, 0.5, 0.8, 1.0)]
    assert times == sorted(times, reverse=True)


def test_speculation_wins_less_where_many_sequences_already_fill_the_matmuls():
    def won(concurrency: int) -> float:
        plain, drafted = (replace(one, concurrency=concurrency, prompt=64) for one in (PLAIN, DRAFTED))
        return tpot_s(plain) / tpot_s(drafted)

    assert won(256) < won(1)


def test_a_small_draft_beats_a_large_one_of_the_same_acceptance():
    small, large = (replace(DRAFTED, draft=name) for name in ("llama-3.2-1b", "llama-3.1-8b"))
    assert tpot_s(small) < tpot_s(large)
    assert serve(small, CATALOG).memory["draft"] < serve(large, CATALOG).memory["draft"]
    # 8.03 B parameters, of which 2 x 0.525 B at 16 bits, the rest at 8, over four devices
    assert serve(large, CATALOG).memory["draft"] == pytest.approx((6.98e9 + 2 * 1.051e9) / 4, rel=0.01)


def test_a_head_brings_one_layer_and_no_tables():
    # a layer of Llama 3.1 70B has 855.7 M parameters
    assert serve(DRAFTED, CATALOG).memory["draft"] == pytest.approx(855.7e6 / 4, rel=0.01)
    assert "draft" not in serve(replace(DRAFTED, draft="ngram"), CATALOG).memory


def test_terms_of_a_token_sum_to_its_time():
    result = serve(DRAFTED, CATALOG)
    tree = result.explain["tpot_s"]
    assert sum(term.value for term in tree.children) == pytest.approx(result.tpot_s.value, rel=1e-6)


def test_the_simulation_of_speculation_agrees_with_its_steady_state():
    load = {"prompt": 256, "output": 256, "rate_per_s": 12.0}
    steady = serve(replace(DRAFTED, concurrency=None, **load), CATALOG)
    names = ("model", "accelerator", "tp", "precision", "price", "speculate", "acceptance")
    same = {name: getattr(DRAFTED, name) for name in names}
    simulated = simulate_serve(SimulateServeRequest(**same, **load, count=3000), CATALOG).result
    assert simulated.summary.tpot_s.mean == pytest.approx(steady.tpot_s.value, rel=0.06)


def test_a_rank_64_adapter_of_llama_8b_has_168_million_parameters():
    # 64 x (2 x (4096 + 4096) + 2 x (4096 + 1024) + 3 x (4096 + 14336)) x 32 layers, as PEFT counts it
    held = serve(ServeRequest("llama-3.1-8b", tp=1, concurrency=1, adapters=4, adapter_rank=64, price=1.0), CATALOG)
    assert held.memory["adapters"] == pytest.approx(4 * 167_772_160 * 2, rel=1e-6)


def test_adapters_slow_a_token_the_more_the_more_there_are():
    times = [tpot_s(replace(PLAIN, concurrency=32, adapters=count, adapter_rank=32)) for count in (0, 1, 4, 16)]
    assert times == sorted(times) and times[-1] < 2.0 * times[0]


def test_what_cannot_draft_is_refused_with_what_could():
    with pytest.raises(InputError, match="vocabulary") as refused:
        serve(replace(DRAFTED, draft="qwen2.5-0.5b"), CATALOG)
    assert "ngram" in refused.value.mend
    with pytest.raises(UnknownName):
        serve(replace(DRAFTED, draft="llama-3.2-1"), CATALOG)
    with pytest.raises(InputError, match="acceptance"):
        serve(replace(DRAFTED, acceptance=1.2), CATALOG)
