"""Published serving runs as the laws see them: what the cells say, what a rule fills in, how far predictions are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.errors import InputError
from groundplan.tasks.validate import PUBLISHED
from groundplan.tasks.validate_serving import read_serving_cases, validate_serving
from groundplan.validation.measured import MeasuredRun, read_measured
from groundplan.validation.serving_predict import predict_serving
from groundplan.validation.serving_reading import COLUMNS, NEEDED, read_serving_case

CATALOG = load_catalog([])
RUN = {
    "engine": "vllm",
    "year": "2026",
    "model": "meta-llama/Llama-3.1-70B",
    "gpu": "h200_sxm",
    "n_gpus": "4",
    "tp": "4",
    "pp": "1",
    "precision": "fp8",
    "isl": "1024",
    "osl": "1024",
    "concurrency_or_batch": "16",
    "ttft_ms": "109",
    "tpot_ms": "9.7",
}


def case(**cells: str):
    return read_serving_case(MeasuredRun("r", {key: cell for key, cell in (RUN | cells).items() if cell}), CATALOG)


@pytest.fixture(scope="module")
def published():
    return validate_serving(CATALOG)


def test_every_published_run_is_predicted_or_named(published):
    runs = read_measured(PUBLISHED / "serving.csv", COLUMNS, NEEDED)
    known = {row.id for row in published.rows} | {row.id for row in published.unpredictable}
    assert {run.id for run in runs} == known
    assert len(published.unpredictable) < 0.03 * len(runs)
    assert all(row.reason and row.mend for row in published.unpredictable)


def test_throughput_of_dense_models_at_full_load_is_met(published):
    errors = [row.ape for row in published.rows if row.set.startswith("tensorrt-llm / hopper / dense / tokens")]
    assert len(errors) > 20
    assert np.median(errors) < 15.0


def test_rows_carry_their_quantity_and_interval(published):
    assert {row.quantity for row in published.rows} == {"ttft_ms", "tpot_ms", "tokens_per_s_total"}
    assert all(row.low <= row.predicted <= row.high for row in published.rows)


@pytest.mark.parametrize(
    ("cells", "engine"),
    [
        ({"engine": "vllm"}, "vllm"),
        ({"engine": "vLLM 0.6.5", "year": "2024"}, "vllm-v0"),
        ({"engine": "TensorRT-LLM (PyTorch backend)"}, "tensorrt-llm"),
        ({"engine": "TensorRT-LLM (C++ backend)"}, "tensorrt-llm-cpp"),
        ({"engine": "TensorRT 10.11, CUDA 12.9"}, "tensorrt-llm-cpp"),
        ({"engine": "SGLang v0.4.9"}, "sglang"),
        ({"engine": "LMDeploy TurboMind"}, "lmdeploy"),
    ],
)
def test_the_engine_is_the_one_the_words_name(cells, engine):
    assert case(**cells).engine.id == engine


def test_parallel_sizes_are_read_as_the_sources_write_them():
    moe = {"model": "deepseek-ai/DeepSeek-R1", "n_gpus": "8", "tp": "8", "ep": "8"}
    spread = case(**moe, notes="agg; closed loop; adp=8 moe_tp=1").deployment
    assert (spread.tp, spread.dp, spread.ep) == (1, 8, 8)
    split = case(**moe, notes="agg; closed loop; adp=1 moe_tp=1").deployment
    assert (split.tp, split.dp, split.ep) == (8, 1, 8)
    racked = case(model="deepseek-ai/DeepSeek-R1", gpu="gb200", n_gpus="36", tp="36").deployment
    assert (racked.tp, racked.dp) == (1, 36)  # 36 devices cannot split 128 heads


APART = {
    "model": "deepseek-ai/DeepSeek-R1",
    "n_gpus": "",
    "tp": "p8/d1",
    "pp": "p1/d1",
    "ep": "p1/d8",
    "concurrency_or_batch": "96",
    "notes": "disagg; closed loop at stated concurrency; pw=2 dw=3 padp=1 dadp=8; throughput not in file",
}


def test_two_pools_are_read_where_the_source_states_them():
    pools = case(**APART).apart
    assert (pools.prefill_replicas, pools.decode_replicas, pools.devices) == (2, 3, 40)
    assert (pools.prefill.tp, pools.prefill.dp, pools.prefill.ep) == (8, 1, 1)
    assert (pools.decode.tp, pools.decode.dp, pools.decode.ep) == (1, 8, 8)
    assert case(notes="agg; closed loop").apart is None


def test_more_clients_of_two_pools_wait_longer_and_get_more_answers():
    cases = [case(**APART | {"concurrency_or_batch": clients}) for clients in ("4", "32", "128", "512")]
    ttft, tpot, tokens = predict_serving(cases, CATALOG).T
    assert np.all(np.diff(ttft) > 0) and np.all(np.diff(tpot) > 0) and np.all(np.diff(tokens) > 0)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"notes": "disagg; pw= dw= padp=1 dadp=1"}, "numbers of instances the source leaves open"),
        ({"notes": "disaggregated 1P3D", "tp": ""}, "sizes of both pools are not stated"),
        ({"notes": "disaggregated 0P3D"}, "0 prefill and 3 decode instances"),
        ({"concurrency_or_batch": ""}, "concurrency over both pools is not stated"),
        ({"model": "meta-llama/Llama-3.1-70B", "tp": "p3/d8"}, "tp 3 does not divide"),
    ],
)
def test_pools_the_source_leaves_open_say_what(cells, said):
    with pytest.raises(InputError, match=said):
        case(**APART | cells)


def test_parallel_sizes_nobody_states_are_the_fewest_that_hold_the_model():
    found = case(tp="", n_gpus="8", scenario="offline", concurrency_or_batch="")
    assert (found.deployment.tp, found.replicas) == (1, 8)
    assert "tp 1" in found.assumed


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"model": "llama-99"}, "unknown model"),
        ({"gpu": "H1000"}, "unknown accelerator"),
        ({"gpu": ""}, "gpu is not stated"),
        ({"isl": ""}, "isl and osl are not stated"),
        ({"isl": "-5"}, "isl is '-5'"),
        ({"concurrency_or_batch": "0"}, "concurrency_or_batch is '0'"),
        ({"tp": "3"}, "does not divide the 64 heads"),
        ({"ttft_ms": "", "tpot_ms": ""}, "nothing was measured"),
        ({"notes": "disagg; closed loop"}, "prefill and decode run apart"),
    ],
)
def test_what_cannot_be_predicted_says_why(cells, said):
    with pytest.raises(InputError, match=said):
        case(**cells)


def test_groups_give_what_single_cases_give():
    cases, _ = read_serving_cases(read_measured(PUBLISHED / "serving.csv", COLUMNS, NEEDED), CATALOG)
    some = cases[::60]
    together = predict_serving(some, CATALOG)
    for row, one in zip(together, some, strict=True):
        assert row == pytest.approx(predict_serving([one], CATALOG)[0], rel=0.02, nan_ok=True)


def test_all_rows_of_the_makers_table_are_predicted_or_named(shared: Path):
    path = shared / "truth" / "serving_open.csv"
    if not path.is_file():
        pytest.skip("needs the makers' table of serving runs")
    result = validate_serving(CATALOG, [path])
    assert len({row.id for row in result.rows} | {row.id for row in result.unpredictable}) == 3394
