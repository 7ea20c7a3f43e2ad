"""The clock of a simulation starts at the first arrival: rate, replica-hours and cost are of one span."""

from __future__ import annotations

from dataclasses import replace

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.errors import InputError
from groundplan.tasks.simulate_serve import SimulateServeRequest, simulate_serve

CATALOG = load_catalog([])
ASKED = SimulateServeRequest("llama-3.1-8b", tp=1, price=3.0, seed=3)


def traced(tmp_path, first_s: str, second_s: str, **changes):
    trace = tmp_path / "trace.csv"
    trace.write_text(f"arrival_s,prompt_tokens,output_tokens\n{first_s},100,50\n{second_s},100,50\n", encoding="utf-8")
    return simulate_serve(replace(ASKED, requests=str(trace), **changes), CATALOG).result


@pytest.mark.parametrize("scaling", [{}, {"target_in_flight": 4.0, "most": 2}, {"mtbf_s": 1e6}])
def test_seconds_since_1970_are_answered_as_seconds_since_the_first(tmp_path, scaling):
    since_first, since_1970 = (
        traced(tmp_path, *times, **scaling) for times in (("0", "1"), ("1787267980", "1787267981"))
    )
    assert since_1970.to_dict() == since_first.to_dict()
    assert since_1970.course[0].at_s == 0.0


@pytest.mark.parametrize("arrivals", [{"rate_per_s": 0.001}, {"rate_per_s": 4.0}, {"clients": 2}])
def test_rate_hours_and_cost_are_of_one_span(arrivals):
    summary = simulate_serve(replace(ASKED, count=40, replicas=2, **arrivals), CATALOG).result.summary
    assert summary.requests_per_s * summary.span_s == pytest.approx(40)
    assert summary.replica_hours * 3600 == pytest.approx(2 * summary.span_s, rel=1e-9)
    assert summary.cost_usd == pytest.approx(2 * 3.0 * summary.span_s / 3600, rel=1e-9)


@pytest.mark.parametrize("second_s", ["1e300", "1787267980123"])
def test_an_absurd_arrival_is_refused(tmp_path, second_s):
    with pytest.raises(InputError, match=r"request 2 has arrival_s .*seconds, no milliseconds"):
        traced(tmp_path, "0", second_s)
