"""What would be ignored is refused, with the flag that was typed and what to do about it."""

from __future__ import annotations

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.cli import main
from groundplan.errors import InputError
from groundplan.questions.serving import SERVE, SIMULATE
from groundplan.workload.service_brief import read_serving_brief

MODEL = {"model": "llama-3.1-8b", "accelerator": "h100-sxm"}
SERVING = ["serve", "--model", "llama-3.1-8b"]
SIMULATING = ["simulate", "serve", "--model", "llama-3.1-8b"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([*SIMULATING, "--rate", "5", "--requests", "trace.csv"], "--rate says nothing beside --requests"),
        ([*SIMULATING, "--rate", "5", "--clients", "4"], "--rate says nothing beside --clients"),
        ([*SIMULATING, "--arrivals", "bursts", "--clients", "4"], "--arrivals says nothing beside --clients"),
        ([*SIMULATING, "--prompt", "9", "--requests", "trace.csv"], "--prompt says nothing beside --requests"),
        ([*SIMULATING, "--rate", "5", "--least", "3"], "--least says nothing without --target"),
        ([*SIMULATING, "--rate", "5", "--most", "5"], "--most says nothing without --target"),
        ([*SIMULATING, "--rate", "5", "--set", "most=5"], "--most says nothing without --target"),
        ([*SIMULATING, "--requests", ""], "--requests is empty"),
        ([*SERVING, "--acceptance", "0.5"], "--acceptance says nothing without --speculate"),
        ([*SERVING, "--draft", "head"], "--draft says nothing without --speculate"),
        ([*SERVING, "--adapter-rank", "8"], "--adapter-rank says nothing without --adapters"),
        ([*SERVING, "--purchase", "spot", "--price", "2"], "--purchase says nothing beside --price"),
        ([*SERVING, "--accelerator", "h100-sxm", "--accelerator", "b200"], "--accelerator is given twice"),
        ([*SERVING, "--format", "json", "-f", "csv"], "--format is given twice"),
    ],
)
def test_a_flag_that_says_nothing_is_refused(capsys, arguments, said):
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert said in told and "fix: " in told and told.count("\n") == 2


def test_options_that_may_be_repeated_still_may(capsys):
    assert main([*SERVING, "--set", "prompt=100", "--set", "output=10", "--price", "2"]) == 0
    assert "100 prompt + 10 output" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("question", "given"),
    [
        (SERVE, {"speculate": "3", "acceptance": "0.5", "draft": "ngram"}),
        (SERVE, {"adapters": "4", "adapter_rank": "8"}),
        (SIMULATE, {"rate_per_s": "5", "target_in_flight": "20", "least": "1", "most": "5"}),
        (SIMULATE, {"clients": "4", "count": "10", "prompt": "9"}),
    ],
)
def test_fields_that_belong_together_are_taken(question, given):
    request = question.request_of({**MODEL, **given})
    assert all(str(getattr(request, name)).removesuffix(".0") == value for name, value in given.items())


@pytest.mark.parametrize("key", ["counts", "fabric", "storage"])
def test_a_candidate_that_says_nothing_of_a_service_is_no_key(key):
    asked = {"serve": {"model": "llama-3.1-8b", "traffic": {"rate": 1}}, "candidates": {key: "3"}}
    with pytest.raises(InputError, match=f"unknown key '{key}' in candidates"):
        read_serving_brief(asked, load_catalog([]))
