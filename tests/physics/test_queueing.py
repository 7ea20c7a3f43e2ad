"""Queues against tables, against each other, and against the sums they are short for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.physics.queueing import (
    batch_wait_s,
    erlang_b,
    erlang_c,
    md1_wait_s,
    mg1_wait_s,
    mm1_wait_s,
    mmc_wait_quantile_s,
    mmc_wait_s,
    offered_load,
)
from physics.broadcasting import broadcasts

SERVERS = (1, 2, 5, 40)
LOADS = (0.1, 0.5, 0.9)


@pytest.mark.parametrize(
    ("load", "servers", "blocked"), [(1.0, 1, 0.5), (2.0, 3, 0.2105), (10.0, 10, 0.2146), (20, 30, 0.0085)]
)
def test_erlang_b_is_that_of_the_tables(load: float, servers: int, blocked: float) -> None:
    assert float(erlang_b(load, servers)) == pytest.approx(blocked, abs=5e-5)


@given(load=st.floats(0.01, 30.0), servers=st.integers(1, 40))
def test_erlang_b_is_the_share_of_the_last_state(load: float, servers: int) -> None:
    states = [load**k / math.factorial(k) for k in range(servers + 1)]
    assert float(erlang_b(load, servers)) == pytest.approx(states[-1] / math.fsum(states), rel=1e-9)


@given(load=st.floats(0.01, 0.99), servers=st.integers(1, 40))
def test_more_have_to_wait_than_find_no_server(load: float, servers: int) -> None:
    offered = load * servers
    assert float(erlang_b(offered, servers)) <= float(erlang_c(offered, servers)) <= 1.0


@given(rate=st.floats(0.01, 0.99), service=st.floats(0.1, 10.0))
def test_one_server_of_many_laws_is_one_law(rate: float, service: float) -> None:
    arrivals = rate / service
    single = float(mm1_wait_s(arrivals, service))
    assert float(mmc_wait_s(arrivals, service, 1)) == pytest.approx(single, rel=1e-9)
    assert float(md1_wait_s(arrivals, service)) == pytest.approx(single / 2, rel=1e-9)
    assert float(mg1_wait_s(arrivals, service, 3.0)) == pytest.approx(single * 5, rel=1e-9)


def test_pooling_servers_shortens_the_wait() -> None:
    waits = [float(mmc_wait_s(0.8 * servers, 1.0, servers)) for servers in SERVERS]
    assert waits == sorted(waits, reverse=True)


@given(load=st.floats(0.05, 0.95), servers=st.integers(1, 20))
def test_the_mean_wait_is_the_integral_of_its_quantiles(load: float, servers: int) -> None:
    shares = (np.arange(200_000) + 0.5) / 200_000
    quantiles = mmc_wait_quantile_s(load * servers, 1.0, servers, shares)
    assert float(np.mean(quantiles)) == pytest.approx(
        float(mmc_wait_s(load * servers, 1.0, servers)), rel=1e-3, abs=1e-6
    )


def test_waits_without_end_are_infinite() -> None:
    assert float(mm1_wait_s(1.0, 1.0)) == math.inf
    assert float(mmc_wait_s(7.0, 1.0, 3)) == math.inf
    assert float(mmc_wait_quantile_s(7.0, 1.0, 3, 0.5)) == math.inf
    assert float(erlang_c(7.0, 3)) == 1.0


def test_every_law_broadcasts() -> None:
    queue = {"arrival_per_s": (0.1, 0.4, 0.8), "service_s": (0.5, 1.0)}
    broadcasts(offered_load, queue)
    broadcasts(erlang_b, {"load": LOADS, "servers": SERVERS})
    broadcasts(erlang_c, {"load": LOADS, "servers": SERVERS})
    broadcasts(mm1_wait_s, queue)
    broadcasts(md1_wait_s, queue)
    broadcasts(mg1_wait_s, {**queue, "service_variation": (0.0, 1.0, 3.0)})
    broadcasts(mmc_wait_s, {**queue, "servers": SERVERS})
    broadcasts(mmc_wait_quantile_s, {**queue, "servers": SERVERS, "probability": (0.1, 0.5, 0.99)})


def _waits_of_many_servers(rate: float, servers: int, count: int = 60_000) -> float:
    """Mean wait of requests of one second before c servers, by hand: each goes to the server that is free first."""
    import heapq

    times = np.cumsum(np.random.default_rng(3).exponential(1.0 / rate, count))
    free = [0.0] * servers
    waited = 0.0
    for at in times:
        start = max(at, heapq.heappop(free))
        waited += start - at
        heapq.heappush(free, start + 1.0)
    return waited / count


@pytest.mark.parametrize("servers", [1, 2, 4, 8])
@pytest.mark.parametrize("load", [0.5, 0.8])
def test_waits_before_several_servers_are_those_of_a_simulation(servers, load):
    rate = load * servers
    law = float(batch_wait_s(rate, 1.0, 1.0, 1.0, servers))
    assert law == pytest.approx(_waits_of_many_servers(rate, servers), rel=0.15)


def test_batch_waits_broadcast():
    servers = np.array([1, 2, 8])
    waits = batch_wait_s(0.5 * servers, 1.0, 1.0, 1.0, servers)
    for place, count in enumerate(servers):
        assert waits[place] == batch_wait_s(0.5 * count, 1.0, 1.0, 1.0, count)
