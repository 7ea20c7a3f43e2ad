"""A simulated fleet as a user asks for it: it agrees with the steady state, keeps its books, refuses the impossible."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.errors import InputError, UnknownName
from groundplan.tasks.serve import serve
from groundplan.tasks.serve_request import ServeRequest
from groundplan.tasks.simulate_serve import SimulateServeRequest, simulate_serve

CATALOG = load_catalog([])
ASKED = SimulateServeRequest("llama-3.1-8b", "h100-sxm", tp=1, rate_per_s=8.0, count=600, price=3.0)


def test_a_long_run_settles_where_the_steady_state_is():
    run = simulate_serve(replace(ASKED, count=4000), CATALOG).result.summary
    steady = serve(ServeRequest("llama-3.1-8b", "h100-sxm", tp=1, rate_per_s=8.0, price=3.0), CATALOG)
    assert run.tpot_s.mean == pytest.approx(steady.tpot_s.value, rel=0.05)
    assert run.ttft_s.mean == pytest.approx(steady.ttft_s.value, rel=0.15)
    assert run.output_tokens_per_s == pytest.approx(8.0 * 256, rel=0.05)


def test_clients_keep_as_many_requests_in_flight():
    run = simulate_serve(replace(ASKED, rate_per_s=None, clients=16, count=1600), CATALOG)
    in_flight = [moment.in_flight for moment in run.result.course[5:-5]]
    assert max(in_flight) <= 16
    steady = serve(ServeRequest("llama-3.1-8b", "h100-sxm", tp=1, concurrency=16, price=3.0), CATALOG)
    assert run.result.summary.requests_per_s == pytest.approx(steady.requests_per_s.value, rel=0.1)


def test_the_cost_is_that_of_the_replicas_while_they_are_on():
    summary = simulate_serve(replace(ASKED, replicas=2), CATALOG).result.summary
    assert summary.cost_usd == pytest.approx(summary.replica_hours * 3.0)
    assert summary.replica_hours * 3600 == pytest.approx(2 * summary.span_s, rel=0.02)


def test_more_replicas_never_make_the_tail_longer():
    crowded = replace(ASKED, rate_per_s=40.0, ttft_s=0.5)
    tails = [simulate_serve(replace(crowded, replicas=n), CATALOG).result.attainment for n in (1, 2, 4)]
    assert tails == sorted(tails)
    assert tails[-1] > 0.99


def test_an_autoscaler_starts_replicas_when_requests_come_in_bursts():
    scaled = replace(ASKED, rate_per_s=60.0, count=6000, target_in_flight=20.0, most=8)
    alone = simulate_serve(replace(scaled, target_in_flight=None), CATALOG).result.summary
    assert simulate_serve(scaled, CATALOG).result.summary.ttft_s.p95 < alone.ttft_s.p95


def test_every_request_has_a_row_and_the_trace_holds_the_iterations():
    done = simulate_serve(ASKED, CATALOG, record=True)
    rows = done.rows()
    assert len(rows) == ASKED.count
    assert all(row["e2e_s"] >= row["ttft_s"] >= row["wait_s"] >= 0 for row in rows)
    events = done.trace()["traceEvents"]
    assert events and all("ph" in event for event in events)


def test_the_same_seed_gives_the_same_course():
    bursts = replace(ASKED, arrivals="bursts", seed=7)
    assert simulate_serve(bursts, CATALOG).rows() == simulate_serve(bursts, CATALOG).rows()
    assert simulate_serve(bursts, CATALOG).rows() != simulate_serve(replace(bursts, seed=8), CATALOG).rows()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rate_per_s": None}, "neither a trace nor a rate"),
        ({"count": 0}, "count must be a whole number of at least 1"),
        ({"replicas": 0}, "replicas must be a whole number of at least 1"),
        ({"target_in_flight": -1.0}, "target_in_flight is -1"),
        ({"requests": "/nowhere/trace.csv"}, "trace.csv"),
        ({"model": "llama-3.1-405b"}, "tokens of cache"),
    ],
)
def test_what_cannot_be_simulated_is_refused(wrong, said):
    with pytest.raises(InputError, match=said):
        simulate_serve(replace(ASKED, **wrong), CATALOG)


@pytest.mark.parametrize("wrong", [{"routing": "random"}, {"arrivals": "uniform"}])
def test_unknown_names_bring_the_nearest(wrong):
    with pytest.raises(UnknownName):
        simulate_serve(replace(ASKED, **wrong), CATALOG)


def test_the_azure_trace_is_served_whole(shared: Path):
    path = shared / "samples" / "requests" / "AzureLLMInferenceTrace_conv.csv"
    if not path.is_file():
        pytest.skip("needs the Azure sample trace")
    summary = simulate_serve(replace(ASKED, requests=str(path), rate_per_s=None), CATALOG).result.summary
    assert (summary.requests, summary.rejected) == (19_366, 0)
