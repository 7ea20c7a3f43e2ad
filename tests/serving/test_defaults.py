"""Where layout and precision are left open: the fewest devices that hold what is asked, weights as released."""

from __future__ import annotations

import json

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.cli import main
from groundplan.errors import InputError
from groundplan.tasks.plan_serving import plan_serving
from groundplan.tasks.serve import serve
from groundplan.tasks.serve_request import ServeRequest
from groundplan.tasks.simulate_serve import SimulateServeRequest, simulate_serve
from groundplan.workload.models import load_model
from groundplan.workload.service_brief import read_serving_brief

CATALOG = load_catalog([])


def answer(model="llama-3.1-8b", accelerator="h100-sxm", **changes):
    return serve(ServeRequest(model, accelerator, price=3.0, **changes), CATALOG)


@pytest.mark.parametrize(
    ("model", "released"),
    [
        ("deepseek-v3", "fp8"),
        ("kimi-k2", "fp8"),
        ("minimax-m2", "fp8"),
        ("gpt-oss-120b", "mxfp4"),
        ("qwen3-32b", "bf16"),
    ],
)
def test_weights_are_served_as_they_were_released(model, released):
    assert answer(model, "h200").deployment["weights"] == released
    assert answer(model, "h200", precision="bf16", tp=16).deployment["weights"] == "bf16"


def test_published_checkpoints_fit_where_they_are_known_to():
    assert answer("deepseek-v3", "h200", tp=8).fits  # eight H200 of 141 GB hold the 671 GB
    assert answer("gpt-oss-120b", "h100-sxm").devices == 1  # "fits on a single 80 GB GPU", says its card


def test_a_config_says_what_it_was_quantised_to(tmp_path):
    plain = {"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 128,
             "num_attention_heads": 4, "vocab_size": 100}  # fmt: skip
    for method, released in (("fp8", "fp8"), ("awq", "int4"), ("mystery", "bf16"), (None, "bf16")):
        quantised = {} if method is None else {"quantization_config": {"quant_method": method}}
        path = tmp_path / "config.json"
        path.write_text(json.dumps(plain | quantised), encoding="utf-8")
        assert load_model(str(path), CATALOG).released_in == released


def test_a_share_of_the_memory_chooses_no_absurd_fleet():
    chosen, four = answer(memory_utilization=0.1), answer(memory_utilization=0.1, tp=4)
    assert chosen.devices <= 4
    assert chosen.usd_per_million_output.value <= four.usd_per_million_output.value


@pytest.mark.parametrize("concurrency", [16, 100, 400, 700])
def test_the_fewest_devices_hold_all_that_is_asked_at_once(concurrency):
    asked = {"prompt": 1000, "output": 500, "concurrency": concurrency}
    chosen = answer(**asked)
    assert chosen.kv_tokens.value >= 1500 * concurrency
    if chosen.devices > 1:
        assert answer(**asked, tp=chosen.devices // 2).kv_tokens.value < 1500 * concurrency


def test_clients_of_a_simulation_are_held_as_well():
    asked = SimulateServeRequest("llama-3.1-8b", clients=500, count=500, prompt=1000, output=500)
    assert simulate_serve(asked, CATALOG).result.deployment["tp"] == 2


def test_what_was_chosen_is_said():
    told = {row.name: row for row in answer("gpt-oss-20b").assumptions}
    assert told["tp"].value == 1 and "fewest devices" in told["tp"].source
    assert told["precision"].value == "mxfp4" and "released" in told["precision"].source
    said = {row.name for row in answer(tp=1, precision="bf16", kv_precision="bf16").assumptions}
    assert not said & {"tp", "precision", "kv_precision"}


def test_the_table_shows_layout_formats_and_engine(capsys):
    words = "--tp 2 --precision fp8 --kv-precision fp8 --engine sglang --concurrency 4"
    assert main(["serve", "--model", "llama-3.1-70b", "--accelerator", "h200", *words.split()]) == 0
    shown = capsys.readouterr().out
    for said in ("2 x h200", "tp 2, pp 1, dp 1, ep 1", "weights fp8, cache fp8", "sglang"):
        assert said in shown


def test_too_small_says_how_many_bytes_and_what_would_help():
    with pytest.raises(InputError) as caught:
        answer("llama-3.1-405b", tp=1)
    assert "each device needs 817 GB, 76.9 GB are there" in caught.value.what
    for way in ("use more devices (--tp 2)", "--precision fp8", "--kv-precision fp8", "shorter requests"):
        assert way in caught.value.mend
    with pytest.raises(InputError) as caught:
        simulate_serve(
            SimulateServeRequest("llama-3.1-405b", tp=1, precision="int4", kv_precision="fp8", rate_per_s=1.0), CATALOG
        )
    assert "each device needs" in caught.value.what
    assert "--precision" not in caught.value.mend and "--kv-precision" not in caught.value.mend


def test_tensor_parallelism_over_hosts_is_warned_of():
    assert any("tp 128 goes beyond the 8" in said for said in answer("llama-3.1-405b", "t4").warnings)
    assert not any("goes beyond" in said for said in answer("llama-3.1-70b").warnings)


def test_a_plan_tries_the_format_of_release():
    asked = {"serve": {"model": "gpt-oss-120b", "traffic": {"rate": 2}}, "candidates": {"accelerators": "h100-sxm"}}
    brief = read_serving_brief(asked, CATALOG)
    assert brief.precisions == ("fp8", "bf16", "mxfp4")
    planned = plan_serving(brief, CATALOG)
    assert any(one.deployment["weights"] == "mxfp4" for one in (planned.recommended, *planned.alternatives))
