"""The memory calculator: golden requests, verified fixes, bad input, the JSON contract."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.errors import InputError, UnknownName
from groundplan.tasks.memory import MemoryRequest, memory

LLAMA = MemoryRequest("llama-2-7b", accelerator="a100-sxm-80", sequence=2048)


@pytest.fixture(scope="module")
def catalog():
    return load_catalog()


def test_7b_with_adamw_does_not_fit_on_one_80_gb_device(catalog):
    result = memory(LLAMA, catalog)
    states = sum(result.terms[name] for name in ("weights", "gradients", "optimizer_states"))
    assert result.parameters == 6_738_415_616
    assert states == pytest.approx(16 * result.parameters)  # 107.8 GB; a round 7.0e9 parameters make 112 GB
    assert not result.fits and result.total_bytes.value > states > result.capacity_bytes
    assert "2-3x" in " ".join(result.notes) and "16 bytes" in " ".join(result.notes)


def test_its_fixes_are_lora_an_8_bit_optimizer_and_sharding_over_two(catalog):
    changes = [fix.change for fix in memory(LLAMA, catalog).fixes]
    assert any(change.startswith("lora") for change in changes)
    assert any(change.startswith("optimizer adamw-8bit") for change in changes)
    assert "zero 3 over 2 ranks" in changes


def test_fixes_do_what_they_say(catalog):
    by_change = {fix.change: fix for fix in memory(LLAMA, catalog).fixes}
    again = memory(replace(LLAMA, zero=3, dp=2), catalog)
    assert again.fits and again.total_bytes.value == by_change["zero 3 over 2 ranks"].total_bytes
    assert memory(replace(LLAMA, method="lora"), catalog).fits
    assert all(fix.fits for fix in by_change.values())


def test_terms_sum_to_the_total_and_the_interval_holds_it(catalog):
    for request in (LLAMA, replace(LLAMA, method="qlora"), replace(LLAMA, mode="serve", batch=8)):
        result = memory(request, catalog)
        total = result.total_bytes
        assert math.fsum(result.terms.values()) == pytest.approx(total.value)
        assert total.low <= total.value < total.high
        tree = result.explain["total_bytes"]
        assert tree.value == total.value and {child.name for child in tree.children} == set(result.terms)


def test_a_request_that_fits_needs_no_fix(catalog):
    result = memory(replace(LLAMA, method="lora"), catalog)
    assert result.fits and result.fixes == ()


def test_a_serving_request_counts_the_cache_of_every_sequence(catalog):
    one, many = (memory(replace(LLAMA, mode="serve", batch=batch), catalog).terms["kv_cache"] for batch in (1, 64))
    assert many == 64 * one == 64 * 2048 * 2 * 32 * 4096 * 2


def test_70b_at_16_bits_needs_several_80_gb_devices(catalog):
    result = memory(MemoryRequest("llama-3.1-70b", mode="serve", accelerator="h100-sxm"), catalog)
    assert not result.fits and result.terms["weights"] == pytest.approx(141.1e9, rel=1e-3)
    assert any(fix.change in ("tp 2", "precision fp8", "precision int4") for fix in result.fixes)


def test_a_model_too_large_for_any_single_change_gets_a_combination(catalog):
    result = memory(MemoryRequest("llama-3.1-405b", accelerator="a100-sxm-80"), catalog)
    assert result.fixes and all(fix.devices > 1 for fix in result.fixes)


def test_offload_reports_what_the_host_must_hold(catalog):
    result = memory(replace(LLAMA, offload=True, zero=2), catalog)
    assert result.fits and result.host_bytes >= 12 * result.parameters


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tp": 3}, "does not divide"),
        ({"micro_batch": -1}, "micro_batch"),
        ({"sequence": 0}, "sequence"),
        ({"zero": 5}, "zero"),
        ({"pp": 64}, "layers"),
        ({"ep": 2}, "experts"),
        ({"vpp": 2}, "pipeline"),
    ],
)
def test_an_impossible_value_is_named(catalog, change, said):
    with pytest.raises(InputError, match=said):
        memory(replace(LLAMA, **change), catalog)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "llama-2-7c"},
        {"accelerator": "a100-sxm-8"},
        {"optimizer": "adamv"},
        {"precision": "bf17"},
        {"method": "lorra"},
        {"recompute": "ful"},
        {"mode": "trian"},
    ],
)
def test_an_unknown_name_gets_the_nearest(catalog, change):
    with pytest.raises(UnknownName) as caught:
        memory(replace(LLAMA, **change), catalog)
    assert caught.value.nearest


def test_the_result_is_the_json_contract(catalog):
    plain = memory(LLAMA, catalog).to_dict()
    assert plain["schema"] == "groundplan/memory/1"
    assert {
        "total_bytes",
        "capacity_bytes",
        "fits",
        "terms",
        "fixes",
        "accelerator",
        "mode",
        "model",
        "parameters",
    } <= set(plain)
    assert set(plain["total_bytes"]) == {"value", "low", "high"}
    assert {"change", "total_bytes", "fits", "text"} <= set(plain["fixes"][0])
    assert json.loads(json.dumps(plain)) == plain
