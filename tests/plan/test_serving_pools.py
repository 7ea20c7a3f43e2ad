"""Prefill and decode apart in a plan: the ratios that are tried, what wins, and what is said where it loses."""

from __future__ import annotations

import numpy as np
import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.estimate.disaggregation import decoded, most_handed, most_held
from groundplan.estimate.service import Load
from groundplan.estimate.serving_pools import pools_setting
from groundplan.plan.serving import search_services
from groundplan.plan.serving_pools import at_most
from groundplan.tasks.plan_serving import plan_serving
from groundplan.tasks.simulate_serve import SimulateServeRequest, simulate_serve
from groundplan.workload.service_brief import read_serving_brief

CATALOG = load_catalog([])


def brief(rate, prompt, ttft, tpot):
    serve = {
        "model": "llama-3.1-8b",
        "traffic": {"rate": rate, "prompt": prompt, "output": 200, "peak": 2},
        "limits": {"ttft_p95": ttft, "tpot_p95": tpot},
    }
    return read_serving_brief({"serve": serve, "candidates": {"accelerators": ["h100-sxm"]}}, CATALOG)


LONG = brief(100, 4000, "2 s", "15 ms")


@pytest.fixture(scope="module")
def long_prompts():
    return plan_serving(LONG, CATALOG)


def test_long_prompts_and_swift_tokens_are_served_apart(long_prompts):
    best = long_prompts.recommended
    assert best.disaggregation is not None and long_prompts.disaggregation.startswith("wins")
    together = [one for one in long_prompts.alternatives if one.disaggregation is None and one.attainment is not None]
    assert together and all(one.usd_per_month > best.usd_per_month for one in together)


def test_what_wins_apart_keeps_the_limits_under_other_arrivals(long_prompts):
    best = long_prompts.recommended
    apart = best.disaggregation
    fleet = SimulateServeRequest(
        "llama-3.1-8b",
        best.accelerator,
        **{name: best.deployment[name] for name in ("tp", "pp", "dp", "ep")},
        **{f"prefill_{name}": size for name, size in apart["prefill"].items()},
        precision=best.deployment["weights"],
        rate_per_s=best.rate_per_replica,
        prompt=4000,
        output=200,
        count=4000,
        replicas=apart["decode_replicas"],
        prefill_replicas=apart["prefill_replicas"],
        ttft_s=2.0,
        tpot_s=0.015,
        price=1.0,
        seed=7,
    )
    assert simulate_serve(fleet, CATALOG).result.attainment >= 0.90


def test_few_requests_are_not_worth_two_pools():
    answer = plan_serving(brief(1, 500, "2 s", "50 ms"), CATALOG)
    assert answer.recommended.disaggregation is None
    assert answer.disaggregation.startswith("lost: ") and "times as much" in answer.disaggregation


def test_the_ratios_tried_are_few_and_no_other_ratio_is_much_cheaper():
    found = search_services(LONG, CATALOG)
    apart = [one.apart for one in found.good if one.apart is not None]
    assert 0 < len(apart) <= 2 * 2 * 4  # formats, kinds of prefill replicas, ratios
    best = min((one for one in found.good if one.apart is not None), key=lambda one: one.usd_per_request)
    setting = best.apart
    unit = min(one.usd_per_hour / one.accelerators for one in best.offer.prices)
    for prefills in range(1, 9):
        for decodes in range(1, 5):
            other = pools_setting(setting.prefill, prefills, setting.decode, decodes, 4200.0)
            excess, _, taken = at_most(other, LONG)
            if excess <= 1.0:
                per_request = unit * other.design.devices / 3600.0 / taken[0]
                assert per_request > 0.85 * best.usd_per_request


def test_two_pools_take_no_more_than_the_slower_answers():
    load = Load(4000.0, 200.0, np.inf)
    for one in search_services(LONG, CATALOG).good:
        if one.apart is not None:
            pools = one.apart.pools
            full, _ = decoded(pools.decode, load, most_held(pools.decode, load))
            assert one.rate_per_s <= min(float(most_handed(pools, load)), float(full))
