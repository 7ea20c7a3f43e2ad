"""A serving brief: the cheapest deployment that keeps the limits, and what is said where nothing does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.errors import InputError
from groundplan.plan.serving import search_services
from groundplan.tasks.plan_serving import plan_serving
from groundplan.tasks.simulate_serve import SimulateServeRequest, simulate_serve
from groundplan.workload.service_brief import kind_of, read_serving_brief

CATALOG = load_catalog([])
CHAT = Path(__file__).resolve().parents[2] / "examples" / "chat" / "brief.yaml"


def brief(**changes):
    serve = {
        "model": "llama-3.1-8b",
        "traffic": {"rate": 20, "prompt": 512, "output": 128, "peak": 2},
        "limits": {"ttft_p95": "1 s", "tpot_p95": "40 ms"},
        **changes.pop("serve", {}),
    }
    candidates = {"accelerators": ["l40s", "a100-sxm-80", "h100-sxm"]}
    return read_serving_brief({"serve": serve, "candidates": candidates, **changes}, CATALOG)


def pools(best):
    """Return the replicas of a whole fleet, and those that compute prompts where they are apart."""
    apart = best.disaggregation
    if apart is None:
        return {"replicas": best.replicas}
    return {
        "replicas": best.replicas * apart["decode_replicas"],
        "prefill_replicas": best.replicas * apart["prefill_replicas"],
        **{f"prefill_{name}": size for name, size in apart["prefill"].items()},
    }


@pytest.fixture(scope="module")
def planned():
    return plan_serving(brief(), CATALOG)


def test_what_is_recommended_keeps_the_limits_when_the_whole_fleet_is_simulated(planned):
    best = planned.recommended
    fleet = SimulateServeRequest(
        "llama-3.1-8b",
        best.accelerator,
        **{name: best.deployment[name] for name in ("tp", "pp", "dp", "ep")},
        **pools(best),
        precision=best.deployment["weights"],
        rate_per_s=20.0,
        prompt=512,
        output=128,
        count=3000,
        ttft_s=1.0,
        tpot_s=0.040,
        price=1.0,
        seed=5,
    )
    assert simulate_serve(fleet, CATALOG).result.attainment >= 0.93


def test_the_recommended_one_is_the_cheapest_that_was_settled(planned):
    simulated = [one for one in planned.alternatives if one.attainment is not None]
    assert simulated and all(one.usd_per_month >= planned.recommended.usd_per_month for one in simulated)
    assert all("times the cost" in one.reason for one in planned.alternatives)


def test_nothing_that_does_not_fit_is_offered(planned):
    big = plan_serving(brief(serve={"model": "llama-3.1-405b", "max_devices": 4}), CATALOG)
    assert not big.verdict.feasible and big.recommended is None
    assert {one.name for one in big.rejected} >= {"NVIDIA L40S"}


def test_replicas_cover_the_mean_and_the_peak(planned):
    best = planned.recommended
    assert best.replicas * best.rate_per_replica >= 20.0
    assert best.most_replicas * best.rate_per_replica >= 40.0
    assert best.usd_per_month == pytest.approx(best.usd_per_hour * 730.0)


def test_tighter_limits_never_cost_less():
    costs = []
    for limit in ("200 ms", "40 ms", "15 ms"):
        answer = plan_serving(brief(serve={"limits": {"tpot_p95": limit}}), CATALOG)
        costs.append(answer.recommended.usd_per_month)
    assert costs == sorted(costs)


def test_a_limit_nothing_can_keep_brings_the_nearest_and_its_cost():
    answer = plan_serving(brief(serve={"limits": {"tpot_p95": "1 ms"}}), CATALOG)
    assert not answer.verdict.feasible
    assert answer.nearest and answer.nearest[0].usd_per_month > 0
    assert "could keep tpot_p95" in answer.nearest[0].reason


def test_a_budget_below_the_cheapest_is_not_feasible(planned):
    poor = plan_serving(brief(goal={"budget_per_month": 10}), CATALOG)
    assert not poor.verdict.feasible and "over the budget" in poor.verdict.headline
    assert poor.recommended.usd_per_month == pytest.approx(planned.recommended.usd_per_month)


def test_the_front_falls_in_time_as_it_rises_in_cost(planned):
    front = planned.pareto
    assert [one.usd_per_million_output for one in front] == sorted(one.usd_per_million_output for one in front)
    assert [one.tpot_s for one in front] == sorted((one.tpot_s for one in front), reverse=True)


def test_the_search_says_how_much_it_looked_at():
    found = search_services(brief(serve={"engine": ["vllm", "sglang", "tensorrt-llm"]}), CATALOG)
    assert found.considered >= len(found.good) + len(found.near) > 50
    assert len({one.name for one in found.good}) == len(found.good)


def test_the_example_plans():
    answer = plan_serving(read_serving_brief(CHAT, CATALOG), CATALOG)
    assert answer.verdict.feasible
    assert (kind_of(CHAT), kind_of({"train": {}})) == ("serve", "train")


def test_the_resolved_brief_means_the_same():
    first = brief()
    again = read_serving_brief(
        {**first.resolved, "candidates": {"accelerators": list(first.candidates.accelerators)}}, CATALOG
    )
    assert replace(again, resolved={}, assumptions=()) == replace(first, resolved={}, assumptions=())


def test_a_trace_brings_rate_and_lengths(tmp_path):
    trace = tmp_path / "trace.csv"
    rows = "\n".join(f"{0.1 * i},{400 + i % 7},{100 + i % 5}" for i in range(200))
    trace.write_text(f"arrival_s,prompt_tokens,output_tokens\n{rows}\n", encoding="utf-8")
    answer = plan_serving(brief(serve={"traffic": {"requests": str(trace), "peak": 1}}), CATALOG)
    assert answer.traffic["rate_per_s"] == pytest.approx(10.0, rel=0.01)
    assert answer.traffic["prompt"] == 402


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"serve": {"traffic": {}}}, "neither a rate nor a trace"),
        ({"serve": {"traffic": {"rate": -1}}}, "above zero|positive|-1"),
        ({"serve": {"traffic": {"rate": 1, "peak": 0.5}}}, "below the mean"),
        ({"serve": {"traffic": {"rate": 1, "cached": "100 %"}}}, "nothing to compute"),
        ({"serve": {"model": "resnet-50"}}, "generates no tokens"),
        ({"serve": {"precision": "fp5"}}, "unknown weight precision"),
        ({"serve": {"engine": "vlm"}}, "unknown engine"),
        ({"serve": {"limit": {}}}, "unknown key 'limit' in serve"),
    ],
)
def test_briefs_that_cannot_be_are_refused(changes, said):
    with pytest.raises(InputError, match=said):
        plan_serving(brief(**changes), CATALOG)


def test_a_plan_of_a_trace_keeps_the_limits_when_the_trace_comes_as_it_came(tmp_path):
    """Requests come in bursts, which the mean rate does not tell: the fleet is sized on the trace itself."""
    lines = ["arrival_s,prompt_tokens,output_tokens"]
    lines += [
        f"{60 * burst + 0.05 * n:.2f},{400 + 20 * (n % 30)},{20 + n % 60}" for burst in range(10) for n in range(200)
    ]
    (tmp_path / "trace.csv").write_text("\n".join(lines) + "\n")
    limits = {"ttft_p95": "500 ms", "tpot_p95": "25 ms"}
    planned = plan_serving(
        brief(serve={"traffic": {"requests": str(tmp_path / "trace.csv")}, "limits": limits}), CATALOG
    )
    best = planned.recommended
    replay = SimulateServeRequest(
        "llama-3.1-8b",
        best.accelerator,
        **{name: best.deployment[name] for name in ("tp", "pp", "dp", "ep")},
        **pools(best),
        precision=best.deployment["weights"],
        requests=tmp_path / "trace.csv",
        ttft_s=0.5,
        tpot_s=0.025,
    )
    assert simulate_serve(replay, CATALOG).result.attainment >= 0.95
    steady = brief(serve={"traffic": {"rate": 2000 / 550, "prompt": 690, "output": 50}, "limits": limits})
    assert best.usd_per_month >= plan_serving(steady, CATALOG).recommended.usd_per_month


def test_hosts_are_paid_whole():
    planned = plan_serving(brief(candidates={"accelerators": ["h100-sxm"], "providers": ["aws"]}), CATALOG)
    best = planned.recommended
    host = CATALOG.hosts[best.instance]
    prices = [price.usd_per_hour for price in CATALOG.prices_of(host.id) if price.option == "on_demand"]
    assert best.hosts >= best.replicas * best.devices / host.accelerators
    assert best.usd_per_hour == pytest.approx(best.hosts * min(prices))


def test_engines_are_planned_only_where_they_run():
    planned = plan_serving(
        brief(serve={"engine": ["tensorrt-llm"]}, candidates={"accelerators": ["tpu-v6e", "mi300x", "h100-sxm"]}),
        CATALOG,
    )
    assert planned.recommended.accelerator == "h100-sxm"
    assert {row.name: row.reason for row in planned.rejected}["Google TPU v6e Trillium"].startswith(
        "tensorrt-llm has no"
    )
