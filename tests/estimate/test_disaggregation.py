"""Prefill and decode apart: the closed form against the event simulation, and what must hold of any two pools."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundplan.catalog.catalog import load_catalog
from groundplan.estimate.disaggregation import (
    Pools,
    Workers,
    handed_at,
    handed_at_rate,
    handed_steady,
    most_handed,
    most_held,
)
from groundplan.estimate.replica import Replica
from groundplan.estimate.service import Load
from groundplan.simulate.arrivals import poisson_arrivals
from groundplan.simulate.fleet import Fleet, simulate_service
from groundplan.simulate.pool import Pool
from groundplan.simulate.requests import make_requests
from simulate.services import make_replica

ENGINE = load_catalog([]).engines["vllm"]
LINK = 25e9
COUNT = 1500


def workers(replica: Replica, replicas: int) -> Workers:
    names = ("max_batched_tokens", "max_sequences", "request_s", "chunked_prefill")
    engine = replace(ENGINE, reserves_output=False, **{name: getattr(replica, name) for name in names})
    return Workers(replica.law, engine, replica.kv_tokens, replicas)


def two_pools(prefill: int, decode: int, link: float = LINK, replica: Replica | None = None) -> Pools:
    replica = replica or make_replica()
    return Pools(workers(replica, prefill), workers(replica, decode), replica.kv_token_bytes, link)


def capacity(pools: Pools, load: Load) -> float:
    full = handed_at(pools, load, most_held(pools.decode, load))
    return float(np.minimum(most_handed(pools, load), full.requests_per_s))


def simulated(prefill: int, decode: int, load: Load, rate: float | None, link: float = LINK) -> tuple[float, ...]:
    """Return TTFT, TPOT and requests a second of the middle of a run."""
    replica = make_replica()
    times = np.zeros(COUNT) if rate is None else poisson_arrivals(COUNT, rate, np.random.default_rng(1))
    requests = make_requests(times, np.full(COUNT, int(load.prompt)), np.full(COUNT, int(load.output)))
    clients = int(load.concurrency) if rate is None else None
    run = simulate_service(requests, Fleet(Pool(replica, decode), Pool(replica, prefill), link), clients=clients)
    middle = slice(COUNT // 5, COUNT * 4 // 5)
    ends = np.sort(run.requests.end_s)[middle]
    through = (len(ends) - 1) / (ends[-1] - ends[0])
    return float(run.requests.ttft_s[middle].mean()), float(run.requests.tpot_s[middle].mean()), float(through)


shapes = st.sampled_from([(1, 1), (1, 3), (3, 1), (2, 2)])
lengths = st.sampled_from([(128, 64), (1000, 200), (4000, 50)])


@settings(max_examples=25, deadline=None)
@given(shapes, lengths, st.floats(0.05, 0.75))
def test_requests_at_random_take_the_time_that_the_simulation_finds(shape, length, share):
    load = Load(float(length[0]), float(length[1]), np.inf)
    rate = share * capacity(two_pools(*shape), load)
    found = handed_at_rate(two_pools(*shape), load, rate)
    ttft, tpot, _ = simulated(*shape, load, rate)
    assert float(found.ttft_s) == pytest.approx(ttft, rel=0.12)
    assert float(found.tpot_s) == pytest.approx(tpot, rel=0.05)


@settings(max_examples=20, deadline=None)
@given(shapes, lengths)
def test_saturated_pools_answer_what_the_simulation_finds(shape, length):
    load = Load(float(length[0]), float(length[1]), 400.0)
    found = handed_steady(two_pools(*shape), load)
    ttft, tpot, through = simulated(*shape, load, None)
    assert float(found.requests_per_s) == pytest.approx(through, rel=0.05)
    assert float(found.ttft_s) == pytest.approx(ttft, rel=0.05)
    assert float(found.tpot_s) == pytest.approx(tpot, rel=0.05)


def test_one_client_meets_nobody():
    load = Load(1000.0, 200.0, 1.0)
    found = handed_steady(two_pools(2, 2), load)
    ttft, tpot, through = simulated(2, 2, load, None)
    assert float(found.queue_s) == float(found.room_s) == 0.0
    assert float(found.ttft_s) == pytest.approx(ttft, rel=1e-3)
    assert (float(found.tpot_s), float(found.requests_per_s)) == pytest.approx((tpot, through), rel=5e-3)


def test_a_slow_link_is_what_both_pools_wait_for():
    load, slow = Load(1000.0, 200.0, 200.0), 0.5e9
    found = handed_steady(two_pools(2, 2, slow), load)
    _, _, through = simulated(2, 2, load, None, slow)
    assert float(found.requests_per_s) == pytest.approx(2 * slow / (1000 * make_replica().kv_token_bytes), rel=0.01)
    assert float(found.requests_per_s) == pytest.approx(through, rel=0.02)


@settings(max_examples=30, deadline=None)
@given(shapes, lengths, st.floats(0.05, 0.9), st.floats(1.05, 3.0))
def test_more_of_either_pool_is_never_slower(shape, length, share, more):
    pools, load = two_pools(*shape), Load(float(length[0]), float(length[1]), np.inf)
    rate = share * capacity(pools, load)
    found = handed_at_rate(pools, load, rate)
    for wider in (two_pools(shape[0] + 1, shape[1]), two_pools(shape[0], shape[1] + 1), two_pools(*shape, more * LINK)):
        other = handed_at_rate(wider, load, rate)
        assert float(other.tpot_s) <= float(found.tpot_s) * (1 + 1e-6)
        assert float(other.queue_s + other.transfer_s) <= float(found.queue_s + found.transfer_s) * (1 + 1e-6)


def test_little_holds_of_the_clients():
    load = Load(1000.0, 200.0, np.array([1.0, 7.0, 60.0, 300.0]))
    found = handed_steady(two_pools(1, 2), load)
    inside = found.requests_per_s * (found.ttft_s + found.tpot_s * 199.0)
    assert inside == pytest.approx(load.concurrency, rel=2e-3)
    alone = [handed_steady(two_pools(1, 2), replace(load, concurrency=one)).ttft_s for one in load.concurrency]
    assert found.ttft_s == pytest.approx(np.array(alone), rel=1e-9)
