"""A simulation says what was simulated: its saved answer can be asked again, and a plan replayed as it was planned."""

from __future__ import annotations

import json

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.cli import main
from groundplan.errors import InputError
from groundplan.questions.serving import SIMULATE
from groundplan.tasks.simulate_serve import SimulateServeRequest, simulate_serve

CATALOG = load_catalog([])
MODEL = {"model": "llama-3.1-8b", "accelerator": "h100-sxm"}
HEADER = "arrival_s,prompt_tokens,output_tokens\n"


def same_again(first):
    """Ask what a saved answer says was asked: all is as it was, but that nothing is left to assume."""
    again = SIMULATE.ask(json.loads(json.dumps(first["request"])), CATALOG)
    assert {**again, "assumptions": first["assumptions"]} == first


@pytest.mark.parametrize(
    "given",
    [
        {"rate_per_s": "5", "arrivals": "bursts", "seed": "7", "count": "40", "price": "2", "ttft_s": "1 s"},
        {"clients": "4", "count": "30", "prompt": "200", "cached_fraction": "0.5", "precision": "fp8"},
        {
            "rate_per_s": "20",
            "count": "90",
            "target_in_flight": "9",
            "most": "3",
            "mtbf_s": "5 min",
            "purchase": "spot",
        },
        {"rate_per_s": "5", "count": "40", "replicas": "2", "prefill_replicas": "1", "prefill_tp": "2", "tp": "1"},
        {"rate_per_s": "5", "count": "40", "speculate": "3", "draft": "ngram", "adapters": "4", "adapter_rank": "8"},
        {"rate_per_s": "5", "count": "40", "memory_utilization": "0.4", "max_sequences": "8", "engine": "sglang"},
    ],
)
def test_what_a_saved_answer_says_was_asked_gives_it_again(given):
    first = SIMULATE.ask({**MODEL, **given}, CATALOG)
    assert first["request"].items() >= {"tp": 1, "precision": given.get("precision", "bf16")}.items()
    same_again(first)


def test_a_trace_is_named(tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text(HEADER + "0,100,20\n1,300,40\n", encoding="utf-8")
    first = SIMULATE.ask({**MODEL, "requests": str(trace)}, CATALOG)
    assert first["request"]["requests"] == str(trace) and "prompt" not in first["request"]
    same_again(first)


def test_the_table_says_what_was_simulated(capsys):
    words = "--tp 2 --precision fp8 --engine sglang --rate 5 --count 30 --arrivals bursts --seed 9 --adapters 2 --wide"
    assert main(["simulate", "serve", "--model", "llama-3.1-8b", "--accelerator", "h200", *words.split()]) == 0
    shown = capsys.readouterr().out
    for said in (
        "llama-3.1-8b", "2 x h200", "tp 2, pp 1, dp 1, ep 1; sglang", "weights fp8, cache bf16", "seed 9",
        "2 adapters of rank 16", "bursts, 5 requests/s", "1024 prompt + 256 output tokens each", "Cache of a replica",
    ):  # fmt: skip
        assert said in shown


def asked(**changes):
    return simulate_serve(SimulateServeRequest("llama-3.1-8b", tp=1, rate_per_s=4.0, count=200, **changes), CATALOG)


def test_cached_prompts_come_sooner_and_are_counted():
    plain, cached = (asked(prompt=8000, cached_fraction=share).result.summary for share in (0.0, 0.75))
    assert (plain.prefix_hit_share, cached.prefix_hit_share) == (0.0, pytest.approx(0.75, abs=0.001))
    assert cached.ttft_s.mean < 0.6 * plain.ttft_s.mean


def test_less_memory_and_adapters_leave_less_cache():
    usual = asked().result.kv_tokens
    assert asked(memory_utilization=0.5).result.kv_tokens < 0.5 * usual
    assert asked(adapters=16, adapter_rank=64).result.kv_tokens < usual


def test_a_spot_price_is_paid():
    on_demand, spot = (asked(purchase=option).result.summary.cost_usd for option in ("on_demand", "spot"))
    assert 0.0 < spot < on_demand


def test_a_share_that_is_cached_is_not_given_to_a_trace_that_tells_itself(tmp_path):
    trace = tmp_path / "trace.jsonl"
    trace.write_text('{"timestamp": 0, "input_length": 900, "output_length": 9, "hash_ids": [1]}\n', encoding="utf-8")
    with pytest.raises(InputError, match="the trace itself tells"):
        simulate_serve(SimulateServeRequest("llama-3.1-8b", requests=str(trace), cached_fraction=0.5), CATALOG)
