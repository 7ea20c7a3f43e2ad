"""Serving one deployment: bounds that physics sets, published sizes, and requests that cannot be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.errors import InputError, UnknownName
from groundplan.tasks.serve import serve
from groundplan.tasks.serve_request import ServeRequest
from groundplan.tasks.simulate_serve import SimulateServeRequest, simulate_serve

CATALOG = load_catalog([])
LLAMA = ServeRequest("llama-3.1-8b", "h100-sxm", tp=1, concurrency=16, price=3.0)


def value(prediction) -> float:
    assert prediction.low <= prediction.value <= prediction.high
    return prediction.value


def test_a_token_takes_at_least_the_time_its_weights_need_to_be_read():
    alone = serve(replace(LLAMA, concurrency=1, prompt=16, output=512), CATALOG)
    assert value(alone.tpot_s) > 16.06e9 / 3.35e12
    assert value(alone.tpot_s) < 3.0 * 16.06e9 / 3.35e12


def test_a_prompt_takes_at_least_its_flops_at_the_peak():
    long = serve(replace(LLAMA, concurrency=1, prompt=8192, output=2), CATALOG)
    assert value(long.ttft_s) > 2 * 7.5e9 * 8192 / 989e12


def test_the_cache_of_vllm_on_a_24_gb_card_is_what_it_reports():
    # vLLM 0.19 with 256 sequences and 2,048 batched tokens reports 41,408 tokens for Llama 3.1 8B in bf16.
    request = ServeRequest(
        "llama-3.1-8b", "rtx4090", tp=1, concurrency=1, max_sequences=256, max_batched_tokens=2048, price=1.0
    )
    assert value(serve(request, CATALOG).kv_tokens) == pytest.approx(41_408, rel=0.03)


@pytest.mark.parametrize("field", ["concurrency", "prompt", "output"])
def test_more_work_at_once_makes_a_token_slower(field):
    times = [value(serve(replace(LLAMA, **{field: 16 << power}), CATALOG).tpot_s) for power in range(6)]
    # Longer answers bring prompts less often: what an answer adds to the cache is all that slows it.
    assert times == sorted(times) or field == "output"


def test_throughput_grows_with_concurrency_until_the_cache_is_full():
    rates = [value(serve(replace(LLAMA, concurrency=1 << power), CATALOG).output_tokens_per_s) for power in range(13)]
    assert rates == sorted(rates)
    assert rates[-1] == pytest.approx(rates[-2], rel=0.05)


def test_a_rate_is_the_concurrency_that_brings_it_about():
    closed = serve(LLAMA, CATALOG)
    open_loop = serve(replace(LLAMA, concurrency=None, rate_per_s=value(closed.requests_per_s)), CATALOG)
    assert value(open_loop.tpot_s) == pytest.approx(value(closed.tpot_s), rel=1e-3)
    assert open_loop.load["decoding"] == pytest.approx(closed.load["decoding"], rel=1e-3)


def test_little_s_law_holds():
    answer = serve(LLAMA, CATALOG)
    in_flight = value(answer.requests_per_s) * (value(answer.ttft_s) + value(answer.tpot_s) * (LLAMA.output - 1))
    assert in_flight == pytest.approx(16, rel=0.1)  # the front end's share of the first token is no slot


def test_the_memory_is_what_the_engine_takes():
    answer = serve(LLAMA, CATALOG)
    assert sum(answer.memory.values()) == pytest.approx(0.9 * (answer.capacity_bytes - 0.5e9), rel=1e-3)


def test_narrower_weights_and_caches_leave_more_room():
    wide, narrow = serve(LLAMA, CATALOG), serve(replace(LLAMA, precision="fp8", kv_precision="fp8"), CATALOG)
    assert value(narrow.kv_tokens) > 2 * value(wide.kv_tokens)
    assert value(narrow.tpot_s) < value(wide.tpot_s)
    assert narrow.memory["weights"] < 0.6 * wide.memory["weights"]


def test_the_cost_of_a_token_is_the_hour_over_the_tokens():
    answer = serve(LLAMA, CATALOG)
    assert value(answer.usd_per_million_output) == pytest.approx(3.0 / 3600 / value(answer.output_tokens_per_s) * 1e6)
    assert value(answer.usd_per_million_input) < value(answer.usd_per_million_output)


def test_terms_of_a_token_sum_to_it():
    answer = serve(LLAMA, CATALOG)
    assert answer.explain["tpot_s"].value == pytest.approx(value(answer.tpot_s), rel=1e-3)


def test_devices_are_chosen_where_none_are_named():
    assert serve(ServeRequest("llama-3.1-8b", "h100-sxm", price=1.0), CATALOG).devices == 1
    assert serve(ServeRequest("llama-3.1-70b", "h100-sxm", price=1.0), CATALOG).devices == 4
    assert serve(ServeRequest("llama-3.1-70b", "h100-sxm", precision="int4", price=1.0), CATALOG).devices == 1


def test_more_than_a_replica_can_answer_is_said():
    warned = serve(replace(LLAMA, concurrency=None, rate_per_s=1e5), CATALOG).warnings
    assert any("the queue grows without end" in text for text in warned)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"tp": 7}, "does not divide the 32 attention heads"),
        ({"model": "llama-3.1-405b", "tp": 1}, "use more devices"),
        ({"prompt": 0}, "prompt must be a whole number"),
        ({"rate_per_s": -1.0, "concurrency": None}, "rate_per_s is -1"),
        ({"rate_per_s": 1.0}, "two loads"),
        ({"cached_fraction": 1.0}, "cached_fraction is 1"),
        ({"model": "resnet-50"}, "generates no tokens"),
        ({"ep": 8}, "has no experts"),
        ({"memory_utilization": 1.2}, "memory_utilization is 1.2"),
    ],
)
def test_requests_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(InputError, match=said):
        serve(replace(LLAMA, **wrong), CATALOG)


@pytest.mark.parametrize("wrong", [{"engine": "vlm"}, {"precision": "fp5"}, {"kv_precision": "fp3"}, {"model": "x-1"}])
def test_unknown_names_bring_the_nearest(wrong):
    with pytest.raises(UnknownName):
        serve(replace(LLAMA, **wrong), CATALOG)


APART = replace(LLAMA, concurrency=None, rate_per_s=6.0, prompt=4000, output=200, replicas=2, prefill_replicas=1)


def test_two_pools_answer_as_their_simulation_does():
    found = serve(APART, CATALOG)
    names = ("model", "accelerator", "tp", "rate_per_s", "prompt", "output", "replicas", "prefill_replicas", "price")
    fleet = SimulateServeRequest(**{name: getattr(APART, name) for name in names}, count=2000)
    summary = simulate_serve(fleet, CATALOG).result.summary
    assert value(found.ttft_s) == pytest.approx(summary.ttft_s.mean, rel=0.1)
    assert value(found.tpot_s) == pytest.approx(summary.tpot_s.mean, rel=0.03)
    assert value(found.requests_per_s) == pytest.approx(6.0, rel=1e-3)


def test_two_pools_cost_all_their_devices_and_a_first_token_is_the_sum_of_its_parts():
    found = serve(replace(APART, prefill_tp=2), CATALOG)
    assert (found.devices, found.usd_per_hour) == (4, 12.0)
    assert found.disaggregation["prefill"]["tp"] == 2
    parts = found.explain["ttft_s"].children
    assert sum(part.value for part in parts) == pytest.approx(found.ttft_s.value)
    assert {part.name for part in parts} == {"front", "queue", "prompt", "transfer", "room"}


def test_prompts_elsewhere_leave_a_token_alone():
    assert value(serve(APART, CATALOG).tpot_s) < value(
        serve(replace(LLAMA, concurrency=None, rate_per_s=3.0, prompt=4000, output=200), CATALOG).tpot_s
    )


def test_more_than_two_pools_answer_is_said():
    found = serve(replace(APART, rate_per_s=200.0), CATALOG)
    assert value(found.requests_per_s) < 200.0 and "add replicas" in found.warnings[0]
    assert found.ttft_s.value == float("inf")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prefill_replicas": 0}, "one replica is answered for, not 2"),
        ({"prefill_replicas": 0, "replicas": 1, "prefill_tp": 2}, "prefill_tp is given without prefill replicas"),
        ({"prefill_replicas": -1}, "-1 replicas compute prompts"),
        ({"replicas": 0}, "0 decode"),
        ({"prefill_tp": 0}, "prefill_tp is 0"),
        ({"prefill_tp": 5}, "tp 5 does not divide"),
        ({"link_bytes_per_s": 0.0}, "link_bytes_per_s is 0"),
        ({"tp": 2, "prefill_tp": 1, "memory_utilization": 0.26, "prompt": 60_000}, "on a prefill replica"),
    ],
)
def test_pools_that_cannot_be_say_why(changes, said):
    with pytest.raises(InputError, match=said):
        serve(replace(APART, **changes), CATALOG)


def test_a_closed_loop_obeys_littles_law():
    """What clients wait for at the front end is part of their cycle."""
    for prompt, output, concurrency in ((16, 2, 1), (16, 2, 8), (1024, 256, 16), (1024, 256, 64)):
        request = ServeRequest("llama-3.1-8b", "h100-sxm", concurrency=concurrency, prompt=prompt, output=output)
        found = serve(request, CATALOG)
        assert found.requests_per_s.value * found.e2e_s.value == pytest.approx(concurrency, rel=1e-3)


def test_a_rate_that_is_kept_up_with_is_answered_exactly_and_one_that_is_not_waits_without_end():
    calm = serve(ServeRequest("llama-3.1-8b", "h100-sxm", rate_per_s=4.0), CATALOG)
    assert calm.keeps_up
    assert calm.requests_per_s.low == calm.requests_per_s.high == pytest.approx(4.0, rel=1e-6)
    flood = serve(ServeRequest("llama-3.1-8b", "h100-sxm", rate_per_s=1e4), CATALOG)
    assert not flood.keeps_up and flood.to_dict()["ttft_s"]["value"] is None and "without end" in flood.headline


def test_an_engine_without_kernels_for_an_accelerator_is_refused():
    with pytest.raises(InputError, match="no kernels for Google TPU v6e"):
        serve(ServeRequest("llama-3.1-8b", "tpu-v6e", engine="tensorrt-llm"), CATALOG)


@pytest.mark.parametrize("name", ["llama-3.1-8b", "gemma-2-27b"])
def test_a_lone_request_is_never_faster_through_more_stages(name):
    """One sequence is in one stage of a pipeline at a time."""
    times = []
    for pp in (1, 2, 4):
        found = serve(ServeRequest(name, "h200", pp=pp, tp=1, concurrency=1, prompt=4000, output=64), CATALOG)
        times.append((found.ttft_s.value, found.tpot_s.value))
    assert times == sorted(times)
