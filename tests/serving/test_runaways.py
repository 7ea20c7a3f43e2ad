"""A simulation that would not end is refused before it runs, with what it would take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.errors import InputError
from groundplan.tasks.simulate_serve import SimulateServeRequest, simulate_serve

CATALOG = load_catalog([])
ASKED = SimulateServeRequest("llama-3.1-8b", tp=1, price=3.0, rate_per_s=5.0, count=50)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mtbf_s": 0.01}, r"a request takes up to [\d.]+ s alone and a replica fails every 10 ms: about .* restarts"),
        ({"count": 100_000_000}, r"100,000,000 requests would take about 41 GB of memory"),
        ({"rate_per_s": 1e-9, "count": 9, "target_in_flight": 3.0, "most": 2}, "looks of the autoscaler"),
        ({"rate_per_s": 1e-9, "count": 9, "mtbf_s": 60.0}, "failures and 0 looks"),
    ],
)
def test_what_would_not_end_is_refused(changes, said):
    with pytest.raises(InputError, match=said):
        simulate_serve(replace(ASKED, **changes), CATALOG)


def test_a_run_that_load_makes_hopeless_stops_and_says_so():
    """Alone a request would end in time; behind others, which come back after every failure, it does not."""
    with pytest.raises(InputError, match=r"replicas fail before requests can end: 2.* restarts"):
        simulate_serve(replace(ASKED, count=2000, rate_per_s=1000.0, mtbf_s=0.8), CATALOG)


@pytest.mark.parametrize("mtbf_s", [3.0, 8.0])
def test_failures_that_let_requests_end_are_simulated(mtbf_s):
    summary = simulate_serve(replace(ASKED, mtbf_s=mtbf_s), CATALOG).result.summary
    assert summary.requests == 50 and summary.restarts > 0 and summary.rejected == 0
