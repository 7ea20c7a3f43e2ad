"""A value that cannot be is refused by the name under which it was typed, with a mend that is one; nonsense as well."""

from __future__ import annotations

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.cli import main
from groundplan.errors import InputError
from groundplan.questions.serving import SERVE
from groundplan.tasks.serve import serve
from groundplan.tasks.serve_request import ServeRequest
from groundplan.workload.service_brief import read_serving_brief

CATALOG = load_catalog([])
SERVING = ["serve", "--model", "llama-3.1-8b"]
SIMULATING = ["simulate", "serve", "--model", "llama-3.1-8b", "--rate", "5"]


@pytest.mark.parametrize(
    ("arguments", "said", "mend"),
    [
        ([*SERVING, "--rate", "abc"], "--rate: 'abc' is not a rate per second", "5, 0.5/s"),
        ([*SERVING, "--rate", "0"], "--rate is 0 requests/s", "above zero"),
        ([*SERVING, "--cached", "1"], "--cached is 1.0", "below 1"),
        ([*SERVING, "--memory-utilization", "0"], "--memory-utilization is 0.0", "up to 1"),
        ([*SERVING, "--tp", "0"], "--tp must be a whole number", "1 or more"),
        ([*SERVING, "--output", "1e300"], "--output: '1e300' is too large", "1,000,000,000,000,000 or less"),
        ([*SERVING, "--speculate", "1000000"], "--speculate is 1,000,000", "up to 64"),
        ([*SERVING, "--adapters", "2", "--adapter-rank", "0"], "--adapter-rank must be", "1 or more"),
        ([*SERVING, "--concurrency", "1e9"], "--concurrency is 1,000,000,000", "or a rate"),
        (
            [*SERVING, "--speculate", "3", "--draft", "llama-3.1-405b"],
            "--draft llama-3.1-405b is no smaller",
            "smaller",
        ),
        ([*SERVING, "--price", "0"], "--price is 0", "above zero"),
        ([*SIMULATING, "--price", "0"], "--price is 0", "above zero"),
        ([*SIMULATING, "--count", "0"], "--count must be a whole number", "1 or more"),
        ([*SIMULATING, "--ttft", "-1s"], "--ttft: '-1s' is negative", "500 ms"),
        ([*SIMULATING, "--ttft", "0"], "--ttft is 0", "above zero"),
        ([*SIMULATING, "--mtbf", "0"], "--mtbf is 0", "above zero"),
        ([*SIMULATING, "--target", "0"], "--target is 0", "above zero"),
        ([*SIMULATING, "--trace", "x.json", "--replicas", "0"], "--replicas must be a whole number", "1 or more"),
    ],
)
def test_a_value_is_refused_by_the_name_that_was_typed(capsys, tmp_path, monkeypatch, arguments, said, mend):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    what, fix = capsys.readouterr().err.splitlines()
    assert said in what and mend in fix


def test_set_takes_the_names_of_flags():
    by_flag, by_field = (SERVE.request_of({"model": "llama-3.1-8b"}, [text]) for text in ("rate=3", "rate_per_s=3"))
    assert by_flag == by_field and by_flag.rate_per_s == 3.0
    assert SERVE.request_of({"model": "x"}, ["memory-utilization=50 %"]).memory_utilization == 0.5


def test_rates_have_units():
    rates = [SERVE.request_of({"model": "x", "rate_per_s": text}).rate_per_s for text in ("2", "2/s", "120/min", "2k")]
    assert rates == [2.0, 2.0, 2.0, 2000.0]


def test_a_library_call_names_the_field():
    with pytest.raises(InputError, match="cached_fraction is 1"):
        serve(ServeRequest("llama-3.1-8b", cached_fraction=1.0), CATALOG)


@pytest.mark.parametrize(
    ("traffic", "said"),
    [
        ({"rate": 1e9}, r"serve\.traffic\.rate: 1e\+09 requests"),
        ({"rate": "abc"}, r"serve\.traffic\.rate.*is not a rate"),
    ],
)
def test_a_brief_of_a_mad_rate_is_refused(traffic, said):
    with pytest.raises(InputError, match=said):
        read_serving_brief({"serve": {"model": "llama-3.1-8b", "traffic": traffic}}, CATALOG)
