"""The simulator against queues that have closed forms, and Little's law."""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np
import pytest

from groundplan.physics.queueing import md1_wait_s, mm1_wait_s, mmc_wait_quantile_s, mmc_wait_s
from groundplan.simulate.arrivals import poisson_arrivals
from groundplan.simulate.fleet import Fleet, simulate_service
from groundplan.simulate.pool import Pool
from groundplan.simulate.requests import Requests, make_requests
from groundplan.simulate.results import ServiceResult
from simulate.services import draw_requests, make_counter, make_replica

COUNT = 60_000
TICK_S = 1e-3  # a thousandth of the mean service


def draw(servers: int, load: float, constant: bool) -> Requests:
    """Draw requests whose rate is the load and whose mean service is a second in the sample itself, not on average."""
    generator = np.random.default_rng(12)
    arrivals = poisson_arrivals(COUNT, load * servers, generator)
    service = np.ones(COUNT) if constant else generator.exponential(1.0, COUNT)
    arrivals *= COUNT / (load * servers) / arrivals[-1]
    return make_requests(arrivals, np.ones(COUNT), np.maximum(np.round(service / service.mean() / TICK_S), 1))


def serve(servers: int, load: float, constant: bool) -> ServiceResult:
    """Simulate a counter whose mean service is a second."""
    return simulate_service(draw(servers, load, constant), Fleet(Pool(make_counter(servers, TICK_S))))


@pytest.mark.parametrize("servers", [1, 3, 20])
def test_each_wait_is_that_of_the_first_free_server(servers: int) -> None:
    """Request by request, to the tick that an arrival may wait for."""
    requests = draw(servers, 0.8, constant=False)
    free_s = [0.0] * servers
    expected = []
    for arrival, ticks in zip(requests.arrival_s.tolist(), requests.output_tokens.tolist(), strict=True):
        start = max(heappop(free_s), arrival)
        expected.append(start - arrival)
        heappush(free_s, start + ticks * TICK_S)
    waits = serve(servers, 0.8, constant=False).requests.wait_s
    np.testing.assert_allclose(waits, expected, atol=20 * TICK_S)


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_waits_are_those_of_mm1(load: float) -> None:
    waits = serve(1, load, constant=False).requests.wait_s
    assert waits.mean() == pytest.approx(float(mm1_wait_s(load, 1.0)), rel=0.06)


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_waits_are_those_of_md1(load: float) -> None:
    waits = serve(1, load, constant=True).requests.wait_s
    assert waits.mean() == pytest.approx(float(md1_wait_s(load, 1.0)), rel=0.05)


@pytest.mark.parametrize("servers", [2, 5, 20])
def test_waits_are_those_of_mmc(servers: int) -> None:
    waits = serve(servers, 0.8, constant=False).requests.wait_s
    rate = 0.8 * servers
    assert waits.mean() == pytest.approx(float(mmc_wait_s(rate, 1.0, servers)), rel=0.06)
    for share in (0.8, 0.95):
        expected = float(mmc_wait_quantile_s(rate, 1.0, servers, share))
        assert np.quantile(waits, share) == pytest.approx(expected, rel=0.08, abs=10 * TICK_S)


def test_requests_in_flight_are_rate_times_time() -> None:
    """Little's law, on a replica that batches: the mean of what is in flight, seen at even times, is lambda W."""
    result = simulate_service(draw_requests(np.random.default_rng(5), 2000), Fleet(Pool(make_replica())))
    times = np.linspace(0.0, result.end_s, 200_001)
    rate = len(result.requests.arrival_s) / result.end_s
    assert result.in_flight(times).mean() == pytest.approx(rate * result.requests.e2e_s.mean(), rel=2e-3)
    assert result.queue_length(times).mean() == pytest.approx(rate * result.requests.wait_s.mean(), rel=0.05)


def test_busy_share_is_the_load() -> None:
    assert serve(1, 0.6, constant=True).summary().busy_share == pytest.approx(0.6, rel=0.02)
