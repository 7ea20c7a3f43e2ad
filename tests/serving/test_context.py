"""No request is longer than the model's context, and what writes nothing is not served."""

from __future__ import annotations

from dataclasses import replace

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.errors import InputError
from groundplan.tasks.plan_serving import plan_serving
from groundplan.tasks.serve import serve
from groundplan.tasks.serve_request import ServeRequest
from groundplan.tasks.simulate_serve import SimulateServeRequest, simulate_serve
from groundplan.workload.service_brief import read_serving_brief

CATALOG = load_catalog([])
LLAMA = ServeRequest("llama-3.1-8b", "h200", tp=1, concurrency=1)


def brief(model: str = "llama-3.1-8b", **traffic: object):
    return read_serving_brief({"serve": {"model": model, "traffic": traffic}}, CATALOG)


def test_the_longest_request_is_answered_and_one_token_more_is_not():
    assert serve(replace(LLAMA, prompt=131_072 - 256), CATALOG).fits
    with pytest.raises(InputError, match=r"130,817 prompt \+ 256 output .* 131,072 tokens that llama-3.1-8b"):
        serve(replace(LLAMA, prompt=131_072 - 255), CATALOG)


def test_a_drawn_request_and_a_planned_one_are_checked_as_well():
    with pytest.raises(InputError, match=r"1,000,000 prompt .* 131,072"):
        simulate_serve(SimulateServeRequest("llama-3.1-8b", rate_per_s=1.0, prompt=1_000_000, count=2), CATALOG)
    with pytest.raises(InputError, match=r"8,000 prompt .* 4,096 tokens that llama-2-7b"):
        brief("llama-2-7b", rate=1, prompt=8000)


def test_requests_of_a_trace_that_are_too_long_are_counted(tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text("arrival_s,prompt_tokens,output_tokens\n0,100,10\n1,4090,10\n2,5000,10\n", encoding="utf-8")
    said = "2 of 3 requests are longer than the 4,096 tokens that llama-2-7b takes, up to 5,010"
    with pytest.raises(InputError, match=said):
        simulate_serve(SimulateServeRequest("llama-2-7b", requests=str(trace)), CATALOG)
    with pytest.raises(InputError, match=said):
        plan_serving(brief("llama-2-7b", requests=str(trace)), CATALOG)


def test_a_model_of_sizes_alone_has_no_known_context():
    described = {"layers": 16, "hidden": 2048, "heads": 16, "vocab": 32000}
    assert serve(replace(LLAMA, model=described, prompt=30_000), CATALOG).fits


@pytest.mark.parametrize("model", ["bert-base", "resnet-50", "vit-b-16"])
def test_what_generates_no_tokens_is_not_served(model):
    with pytest.raises(InputError, match="generates no tokens"):
        serve(replace(LLAMA, model=model, prompt=100, output=10), CATALOG)
    with pytest.raises(InputError, match=r"serve\.model: .* generates no tokens"):
        brief(model, rate=1)
