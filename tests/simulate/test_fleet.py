"""Many replicas: routing, autoscaling, failures, prefill and decode apart, clients in a closed loop."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundplan.errors import InputError
from groundplan.simulate.arrivals import poisson_arrivals
from groundplan.simulate.chrome import write_chrome_trace
from groundplan.simulate.fleet import Fleet, simulate_service
from groundplan.simulate.pool import Autoscaling, Pool
from groundplan.simulate.requests import Requests, make_requests
from groundplan.simulate.results import ServiceResult
from groundplan.simulate.routing import Routing
from groundplan.simulate.scheduler import Scheduler
from groundplan.simulate.traces import read_requests
from simulate.services import draw_conversations, draw_requests, make_replica

LINK = 50e9


def columns(result: ServiceResult) -> list[list[float]]:
    times = result.requests
    return [np.nan_to_num(getattr(times, name), nan=-1.0).tolist() for name in times.__slots__]


def disaggregated(**changes: Any) -> Fleet:
    return Fleet(Pool(make_replica(**changes), 2), Pool(make_replica(**changes), 2), LINK)


fleets = st.one_of(
    st.builds(
        lambda kv, count, routing, mtbf, caching: Fleet(
            Pool(make_replica(kv_tokens=kv, prefix_caching=caching, start_s=3.0), count, routing, None, mtbf)
        ),
        st.sampled_from([1_500, 100_000]),
        st.integers(1, 4),
        st.sampled_from(Routing),
        st.sampled_from([None, 5.0, 50.0]),
        st.booleans(),
    ),
    st.builds(
        lambda kv, chunked: disaggregated(kv_tokens=kv, chunked_prefill=chunked),
        st.sampled_from([1_500, 100_000]),
        st.booleans(),
    ),
    st.builds(
        lambda target, down, mtbf: Fleet(
            Pool(make_replica(start_s=2.0), 2, autoscaling=Autoscaling(target, 1, 5, down), mtbf_s=mtbf)
        ),
        st.floats(0.5, 20.0),
        st.floats(0.0, 100.0),
        st.sampled_from([None, 20.0]),
    ),
)


@settings(max_examples=80, deadline=None)
@given(fleet=fleets, seed=st.integers(0, 10**6), clients=st.sampled_from([None, 1, 7]))
def test_every_request_ends_whatever_the_fleet(fleet: Fleet, seed: int, clients: int | None) -> None:
    requests = draw_requests(np.random.default_rng(seed), 60, 6.0, prefixes=True)
    result = simulate_service(requests, fleet, clients=clients, seed=seed)
    times = result.requests
    blocks = -(-(requests.prompt_tokens + requests.output_tokens - 1) // 16)
    assert times.ended.tolist() == (blocks <= fleet.pool.replica.kv_tokens // 16).tolist()
    done = times.ended
    assert np.all(times.arrival_s[done] <= times.start_s[done])
    assert np.all(times.start_s[done] < times.first_token_s[done])
    assert np.all(times.first_token_s[done] <= times.end_s[done])
    assert result.in_flight(result.end_s) == 0
    assert all(0.0 <= use.busy_s <= use.on_s * (1 + 1e-9) <= result.end_s * (1 + 2e-9) for use in result.replicas)
    again = simulate_service(requests, fleet, clients=clients, seed=seed)
    assert columns(again) == columns(result)


@settings(max_examples=60, deadline=None)
@given(fleet=fleets, seed=st.integers(0, 10**6))
def test_jumps_of_a_fleet_are_iterations_taken_one_by_one(fleet: Fleet, seed: int) -> None:
    requests = draw_requests(np.random.default_rng(seed), 60, 6.0, prefixes=True)
    jumped = simulate_service(requests, fleet, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scheduler, "_steps_ahead", lambda self: 1)
        walked = simulate_service(requests, fleet, seed=seed)
    for one, other in zip(columns(jumped), columns(walked), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    busy = [[use.busy_s for use in result.replicas] for result in (jumped, walked)]
    np.testing.assert_allclose(busy[0], busy[1], atol=1e-6)


def test_round_robin_takes_turns() -> None:
    requests = make_requests(np.arange(6.0), [10] * 6, [1] * 6)
    result = simulate_service(requests, Fleet(Pool(make_replica(), 3, Routing.ROUND_ROBIN)))
    assert result.requests.replica.tolist() == [0, 1, 2, 0, 1, 2]


def test_the_least_loaded_gets_the_next() -> None:
    requests = make_requests([0.0, 0.1, 0.2, 9.0], [10] * 4, [200, 2, 2, 2])
    result = simulate_service(requests, Fleet(Pool(make_replica(), 2)))
    assert result.requests.replica.tolist() == [0, 1, 1, 0]


def test_affinity_brings_a_conversation_back_to_its_replica() -> None:
    requests = draw_conversations(np.random.default_rng(3))
    replica = make_replica(prefix_caching=True)
    hits = {
        routing: simulate_service(requests, Fleet(Pool(replica, 4, routing))).summary().prefix_hit_share
        for routing in (Routing.PREFIX_AFFINITY, Routing.ROUND_ROBIN)
    }
    repeated = sum(128 * turn for turn in range(6)) / sum(128 * turn + 129 for turn in range(6))
    assert 0.8 * repeated < hits[Routing.PREFIX_AFFINITY] <= repeated
    assert hits[Routing.ROUND_ROBIN] < 0.75 * repeated


def test_an_endless_cache_hits_as_often_as_the_trace_repeats_itself(shared: Path) -> None:
    """Mooncake's conversations: 36.6 % of their blocks have been seen before, as its authors count."""
    trace = read_requests(shared / "samples" / "requests" / "mooncake_conversation_trace.jsonl.gz")
    replica = make_replica(prefix_caching=True, kv_tokens=10**9)
    hits = simulate_service(trace, Fleet(Pool(replica))).replicas[0].hit_tokens
    assert trace.prefix_hashes is not None
    assert hits / 512 / sum(map(len, trace.prefix_hashes)) == pytest.approx(0.366, abs=0.005)


def test_replicas_follow_the_load() -> None:
    """A spike starts replicas, which serve after their start; the quiet after it gives them back."""
    generator = np.random.default_rng(1)
    quiet, spike = poisson_arrivals(100, 0.5, generator), poisson_arrivals(4000, 20.0, generator)
    arrivals = np.concatenate([quiet, quiet[-1] + spike, quiet[-1] + spike[-1] + poisson_arrivals(500, 0.5, generator)])
    requests = make_requests(arrivals, [500] * len(arrivals), [100] * len(arrivals))
    scaling = Autoscaling(target_in_flight=8.0, least=1, most=6, down_after_s=120.0)
    scaled = simulate_service(requests, Fleet(Pool(make_replica(), 1, autoscaling=scaling)))
    fixed = simulate_service(requests, Fleet(Pool(make_replica(), 6)))
    alone = simulate_service(requests, Fleet(Pool(make_replica(), 1)))
    latencies = [result.requests.e2e_s.mean() for result in (fixed, scaled, alone)]
    hours = [result.summary().replica_hours for result in (fixed, scaled, alone)]
    assert latencies == sorted(latencies)
    assert hours == sorted(hours, reverse=True)
    first_on_another = scaled.requests.start_s[scaled.requests.replica > 0].min()
    assert first_on_another > quiet[-1] + make_replica().start_s
    assert scaled.requests.replica[-20:].tolist() == [0] * 20


def test_failures_restart_requests_and_take_time() -> None:
    requests = draw_requests(np.random.default_rng(2), 300)
    steady = simulate_service(requests, Fleet(Pool(make_replica(start_s=10.0), 2)))
    failing = simulate_service(requests, Fleet(Pool(make_replica(start_s=10.0), 2, mtbf_s=15.0)), seed=4)
    assert failing.summary().restarts > 0
    assert failing.summary().requests == 300
    assert failing.requests.e2e_s.mean() > steady.requests.e2e_s.mean()
    other = simulate_service(requests, Fleet(Pool(make_replica(start_s=10.0), 2, mtbf_s=15.0)), seed=5)
    assert columns(other) != columns(failing)


def test_a_prompt_computed_elsewhere_comes_over_the_link() -> None:
    """Keys and values travel at the end of prefill; the first token is sent where they arrive; then each further."""
    replica = make_replica()
    fleet = Fleet(Pool(replica), Pool(replica), link_bytes_per_s=1e9)
    times = simulate_service(make_requests([0.0], [1000], [11]), fleet).requests
    together = simulate_service(make_requests([0.0], [1000], [11]), Fleet(Pool(replica))).requests
    transfer = 1000 * replica.kv_token_bytes / 1e9
    assert times.first_token_s[0] == pytest.approx(together.first_token_s[0] + transfer, rel=1e-9)
    assert times.end_s[0] == pytest.approx(together.end_s[0] + transfer, rel=1e-9)
    assert times.replica[0] == 1


def test_decoding_apart_is_not_disturbed_by_prompts() -> None:
    requests = draw_requests(np.random.default_rng(8), 400, 8.0, longest_prompt=2000)
    together = simulate_service(requests, Fleet(Pool(make_replica(), 4))).requests
    apart = simulate_service(requests, disaggregated()).requests
    assert np.nanpercentile(apart.tpot_s[requests.output_tokens > 50], 99) < np.nanpercentile(
        together.tpot_s[requests.output_tokens > 50], 99
    )


@pytest.mark.parametrize("clients", [1, 5, 32])
def test_so_many_clients_have_so_many_requests_in_flight(clients: int) -> None:
    requests = make_requests(np.zeros(200), [100] * 200, np.arange(200) % 50 + 1)
    result = simulate_service(requests, Fleet(Pool(make_replica())), clients=clients)
    last_start = result.requests.arrival_s.max()
    seen = result.in_flight(np.linspace(0.0, last_start * 0.999, 1000))
    assert set(seen.tolist()) == {clients}


def test_cost_and_energy_are_those_of_the_time_on() -> None:
    result = simulate_service(draw_requests(np.random.default_rng(6)), Fleet(Pool(make_replica(), 3)))
    summary = result.summary()
    busy, on = (sum(getattr(use, name) for use in result.replicas) for name in ("busy_s", "on_s"))
    assert on == pytest.approx(3 * result.span_s)
    assert summary.cost_usd == pytest.approx(3.6 * on / 3600)
    assert summary.energy_j == pytest.approx(700 * busy + 100 * (on - busy))
    assert summary.busy_share == pytest.approx(busy / on)
    unpriced = simulate_service(draw_requests(np.random.default_rng(6)), Fleet(Pool(make_replica(usd_per_hour=None))))
    assert unpriced.summary().cost_usd is None


def test_limits_that_all_keep_are_kept_by_all() -> None:
    result = simulate_service(draw_requests(np.random.default_rng(6)), Fleet(Pool(make_replica())))
    assert result.attainment() == 1.0
    assert result.attainment(ttft_s=0.0) == 0.0
    median = float(np.median(result.requests.ttft_s))
    assert result.attainment(ttft_s=median) == pytest.approx(0.5, abs=0.02)
    assert result.goodput() == pytest.approx(60 / result.span_s)


def test_the_chrome_trace_holds_every_request_and_all_busy_time(tmp_path: Path) -> None:
    result = simulate_service(draw_requests(np.random.default_rng(6)), Fleet(Pool(make_replica(), 2)), record=True)
    write_chrome_trace(result, tmp_path / "out.json")
    events = json.loads((tmp_path / "out.json").read_text())["traceEvents"]
    busy = sum(event["dur"] for event in events if event["ph"] == "X")
    assert busy / 1e6 == pytest.approx(sum(use.busy_s for use in result.replicas))
    assert len({event["id"] for event in events if event["ph"] == "b"}) == 60
    assert sum(event["ph"] == "b" for event in events) == sum(event["ph"] == "e" for event in events) == 180


def refused(requests: Requests, fleet: Fleet, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        simulate_service(requests, fleet, **options)
    assert caught.value.mend
    return caught.value


def test_a_fleet_that_cannot_be_is_refused() -> None:
    requests = make_requests([0.0], [10], [10])
    replica = make_replica()
    assert "clients" in refused(requests, Fleet(Pool(replica)), clients=0).what
    assert "replicas" in refused(requests, Fleet(Pool(replica, 0))).what
    assert "mtbf_s" in refused(requests, Fleet(Pool(replica, mtbf_s=0.0))).what
    assert "link" in refused(requests, Fleet(Pool(replica), Pool(replica))).what
    assert "keeps 2 to 4" in refused(requests, Fleet(Pool(replica, 1, autoscaling=Autoscaling(8.0, 2, 4)))).what
    assert "target" in refused(requests, Fleet(Pool(replica, 2, autoscaling=Autoscaling(0.0, 2, 4)))).what
    assert "kv_tokens" in refused(requests, Fleet(Pool(replace(replica, kv_tokens=0)))).what
    prefixed = make_requests([0.0], [100], [10], [(1, 2, 3)], 30)
    assert "blocks" in refused(prefixed, Fleet(Pool(replace(replica, prefix_caching=True)))).what
