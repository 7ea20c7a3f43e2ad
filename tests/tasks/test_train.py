"""The training calculator."""

from __future__ import annotations

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.errors import InputError
from groundplan.tasks.train import TrainRequest, train

CATALOG = load_catalog([])


def asked(**changes) -> dict:
    request = {"model": "llama-3.1-8b", "accelerator": "H100", "accelerators": 8, "tokens": "1B", "global_batch": 128}
    return train(TrainRequest(**{**request, **changes}), CATALOG).to_dict()


def test_it_has_the_shape_of_a_design():
    result = asked()
    assert {"layout", "step_s", "run_s", "cost_usd", "energy_j", "mfu", "memory", "network", "storage"} <= set(result)
    assert result["schema"] == "groundplan/train/1" and result["accelerators"] == 8


def test_twice_the_tokens_take_twice_the_time():
    once, twice = asked(tokens="50B"), asked(tokens="100B")
    assert twice["run_terms"]["training"] == pytest.approx(2.0 * once["run_terms"]["training"], rel=1e-3)


def test_fixed_sizes_are_used():
    layout = asked(tp=2, pp=2, micro_batch=2, recompute="full")["layout"]
    assert (layout["tp"], layout["pp"], layout["micro_batch"], layout["recompute"]) == (2, 2, 2, "full")


def test_what_does_not_fit_is_shown_with_what_it_lacks():
    result = asked(model="llama-3.1-405b", accelerators=8)
    assert result["memory"]["fits"] is False
    assert result["memory"]["total_bytes"]["value"] > result["memory"]["capacity_bytes"]


def test_llama_2_70b_takes_about_what_meta_reports():
    """1,720,320 A100-80GB hours for 2 trillion tokens (arXiv 2307.09288, table 2)."""
    result = asked(
        model="llama-2-70b", accelerator="a100-sxm-80", accelerators=2048, tokens="2T", global_batch="4M tokens"
    )
    hours = result["run_s"]["value"] / 3600 * 2048
    assert hours == pytest.approx(1_720_320, rel=0.35)
    assert result["run_s"]["low"] / 3600 * 2048 < 1_720_320


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"accelerators": 0}, "accelerators is 0"),
        ({"tp": 3}, "attention heads"),
        ({"global_batch": 127, "micro_batch": 2}, "global batch of 127"),
        ({"accelerator": "H100", "accelerators": 7, "tp": 2}, "cannot train this"),
    ],
)
def test_impossible_requests_are_named(changes, said):
    with pytest.raises(InputError, match=said):
        asked(**changes)
