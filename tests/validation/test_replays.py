"""Replays of a trace on a real engine: read as published, put through the simulator, scored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.errors import InputError
from groundplan.tasks.calibrate import calibrate, catalog_rows
from groundplan.tasks.simulate_serve import SimulateServeRequest, simulate_serve
from groundplan.tasks.validate_serving import validate_serving
from groundplan.validation.replays import read_replay_case, read_replays

CATALOG = load_catalog([])
WALL_S, ENGINE_S = 1.7e9, 4000.0
META = {
    "model": "meta-llama/Llama-3.1-8B",
    "vllm_version": "0.19.0",
    "started_at": "2026-08-20T23:19:39Z",
    "engine_kwargs": {
        "model": "meta-llama/Llama-3.1-8B",
        "tensor_parallel_size": 1,
        "max_num_seqs": 64,
        "max_num_batched_tokens": 2048,
        "dtype": "bfloat16",
        "kv_cache_dtype": "auto",
    },
    "kv_cache": {"num_kv_tokens": 41408, "gpu_memory_utilization": 0.9},
    "hardware": {"device_name": "NVIDIA GeForce RTX 4090"},
}


def simulated(catalog=CATALOG, **changed):
    """Return requests with the times that the simulator itself gives them."""
    asked = {"count": 60, "rate_per_s": 4.0, "prompt": 700, "output": 200, **changed}
    request = SimulateServeRequest("llama-3.1-8b", "rtx4090", max_sequences=64, max_batched_tokens=2048, **asked)
    return simulate_serve(request, catalog).rows()


def write(folder: Path, rows, name: str = "RTX4090_Llama-3.1-8B__", meta=META, slower: float = 1.0) -> Path:
    """Write a replay whose requests take `slower` times what the simulator says."""
    lines = [
        {
            "request_id": f"bench-{row['request']}",
            "input_toks": row["prompt_tokens"],
            "output_toks": row["output_tokens"],
            "arrival_time": WALL_S + row["arrival_s"],
            "queued_ts": ENGINE_S + row["arrival_s"] + (0.02 if row["request"] else 0.0),
            "scheduled_ts": ENGINE_S + row["arrival_s"] + slower * row["wait_s"],
            "first_token_ts": ENGINE_S + row["arrival_s"] + slower * row["ttft_s"],
            "last_token_ts": ENGINE_S + row["arrival_s"] + slower * row["e2e_s"],
        }
        for row in rows
    ]
    path = folder / f"{name}requests.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n", encoding="utf-8")
    (folder / f"{name}meta.json").write_text(json.dumps(meta), encoding="utf-8")
    return path


def test_a_replay_of_the_simulator_is_predicted_by_it(tmp_path):
    path = write(tmp_path, simulated())
    result = validate_serving(CATALOG, [path])
    rows = {row.quantity: row for row in result.rows}
    latencies = {f"{name}{tail}" for name in ("ttft_ms", "tpot_ms") for tail in ("", "_p50", "_p95")}
    assert set(rows) == latencies | {"tokens_per_s_total", "kv_tokens"}
    assert all(rows[name].ape < 0.1 for name in latencies | {"tokens_per_s_total"})
    assert rows["kv_tokens"].ape < 3.0
    assert all(row.low < row.predicted < row.high for row in result.rows)
    assert {row.id for row in result.rows} == {"RTX4090_Llama-3.1-8B"}


def test_a_replay_twice_as_slow_is_half_off(tmp_path):
    rows = {row.quantity: row for row in validate_serving(CATALOG, [write(tmp_path, simulated(), slower=2.0)]).rows}
    assert rows["ttft_ms"].predicted == pytest.approx(0.5 * rows["ttft_ms"].measured, rel=1e-3)
    assert rows["tpot_ms_p95"].predicted == pytest.approx(0.5 * rows["tpot_ms_p95"].measured, rel=1e-3)


def test_a_folder_gives_each_replay_and_stands_beside_a_table(tmp_path):
    rows = simulated(count=20)
    write(tmp_path, rows, "a__")
    write(tmp_path, rows, "b__")
    table = tmp_path / "runs.csv"
    table.write_text(
        "id,model,gpu,engine,n_gpus,tp,isl,osl,tpot_ms\nc,llama-3.1-8b,h100-sxm,vllm,1,1,900,100,9\n", encoding="utf-8"
    )
    assert {row.id for row in validate_serving(CATALOG, [tmp_path]).rows} == {"a", "b"}
    assert {row.id for row in validate_serving(CATALOG, [tmp_path, table]).rows} == {"a", "b", "c"}


def test_settings_are_read_as_the_engine_tells_them(tmp_path):
    settings = {**META["engine_kwargs"], "kv_cache_dtype": "fp8_e4m3", "max_num_seqs": 7, "data_parallel_size": 2}
    meta = {**META, "engine_kwargs": settings}
    (replay,) = read_replays(write(tmp_path, simulated(count=5), meta=meta))
    case = read_replay_case(replay, CATALOG)
    assert (case.engine.id, case.engine.max_sequences, case.engine.max_batched_tokens) == ("vllm", 7, 2048)
    assert (case.deployment.weights, case.deployment.kv, case.deployment.tp, case.replicas) == ("bf16", "fp8", 1, 2)
    assert case.cluster.accelerator.id == "rtx4090"


def test_the_device_is_that_of_the_file_name_where_no_file_tells(tmp_path):
    meta = {name: value for name, value in META.items() if name not in ("hardware", "kv_cache")}
    (replay,) = read_replays(write(tmp_path, simulated(count=5), "L40S_8B__", meta))
    assert read_replay_case(replay, CATALOG).cluster.accelerator.id == "l40s"
    assert replay.kv_tokens is None


def test_first_tokens_count_from_arrival_though_the_engine_queues_later(tmp_path):
    rows = simulated(count=20)
    (replay,) = read_replays(write(tmp_path, rows))
    assert replay.ttft_s == pytest.approx(np.asarray([row["ttft_s"] for row in rows]), abs=1e-4)


def test_a_replay_that_cannot_be_predicted_is_named(tmp_path):
    rows = simulated(count=5)
    write(tmp_path, rows, "known__")
    unknown = {**META, "engine_kwargs": {"model": "llama-99"}}
    write(tmp_path, rows, "unknown__", unknown)
    large = {**META, "engine_kwargs": {**META["engine_kwargs"], "model": "Qwen/Qwen3-32B"}}
    write(tmp_path, rows, "large__", large)
    result = validate_serving(CATALOG, [tmp_path])
    assert {row.id for row in result.rows} == {"known"}
    reasons = {one.id: one.reason for one in result.unpredictable}
    assert "unknown model" in reasons["unknown"]
    assert "cache" in reasons["large"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 3: this is no JSON object"),
        ('{"input_toks": 3}', "line 3: output_toks is missing"),
        ("[1]", "line 3: this is no JSON object"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, said):
    path = write(tmp_path, simulated(count=2))
    path.write_text(path.read_text(encoding="utf-8") + line, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_replays(path)


def test_times_out_of_order_and_failed_requests_are_refused(tmp_path):
    rows = simulated(count=2)
    with pytest.raises(InputError, match="line 1: its times are out of order"):
        read_replays(write(tmp_path, [{**row, "e2e_s": 0.5 * row["ttft_s"]} for row in rows]))
    with pytest.raises(InputError, match="line 1: a request without tokens"):
        read_replays(write(tmp_path, [{**row, "output_tokens": 0} for row in rows]))


def test_what_is_no_replay_says_how_one_is_given(tmp_path):
    with pytest.raises(InputError, match="has no replay in it"):
        read_replays(tmp_path)
    path = write(tmp_path, simulated(count=2))
    path.with_name("RTX4090_Llama-3.1-8B__meta.json").unlink()
    with pytest.raises(InputError, match=r"meta\.json: no such file"):
        read_replays(path)
    with pytest.raises(InputError, match="not named as the requests of a replay"):
        read_replays(tmp_path / "times.jsonl")


SLOWER = """
engines:
  vllm:
    like: vllm
    matmul_factor: {value: 0.75, evidence: assumed, source: a slower machine}
    stream_factor: {value: 0.85, evidence: assumed, source: a slower machine}
"""


@pytest.fixture(scope="module")
def slower(tmp_path_factory):
    """A replay on a machine that is slower than the catalog has it."""
    folder = tmp_path_factory.mktemp("slower")
    (folder / "slower.yaml").write_text(SLOWER, encoding="utf-8")
    return write(folder, simulated(load_catalog([folder]), count=120, rate_per_s=6.0))


def test_a_replay_moves_the_constants_towards_its_machine(slower, tmp_path):
    found = calibrate(CATALOG, [slower], refine=True)
    assert found.held_out is not None
    assert found.before.median_ape > 8.0
    assert found.held_out.median_ape < 2.0
    fitted = {one.attribute: one for one in found.constants}
    assert fitted["matmul_factor"].fitted == pytest.approx(0.75, rel=0.1)
    assert fitted["stream_factor"].fitted < fitted["stream_factor"].catalog
    assert all(one.rows == 60 for one in found.constants)
    (tmp_path / "ours.yaml").write_text(catalog_rows(found), encoding="utf-8")
    rows = {row.quantity: row for row in validate_serving(load_catalog([tmp_path]), [slower]).rows}
    assert rows["ttft_ms"].ape < 3.0
    assert rows["tpot_ms"].ape < 2.0


def test_a_replay_that_agrees_moves_little(tmp_path):
    found = calibrate(CATALOG, [write(tmp_path, simulated())], refine=True)
    assert all(one.fitted == pytest.approx(one.catalog, rel=0.02) for one in found.constants)


def test_a_split_replica_moves_its_link_as_well(tmp_path):
    meta = {**META, "engine_kwargs": {**META["engine_kwargs"], "tensor_parallel_size": 2}}
    found = calibrate(CATALOG, [write(tmp_path, simulated(tp=2, count=40), meta=meta)], refine=True)
    assert ("accelerators", "rtx4090", "pcie_bytes_per_s") in {
        (one.table, one.row, one.attribute) for one in found.constants
    }


def test_what_replays_cannot_refine_is_said(slower, tmp_path):
    with pytest.raises(InputError, match="replays refine constants of serving"):
        calibrate(CATALOG, [slower])
    with pytest.raises(InputError, match="move different constants"):
        calibrate(CATALOG, [slower, tmp_path / "runs.csv"], refine=True)
    with pytest.raises(InputError, match="has 5 requests, too few"):
        calibrate(CATALOG, [write(tmp_path, simulated(count=5))], refine=True)


def test_the_published_replays_are_met_by_what_their_first_halves_teach(shared: Path):
    for name, most in (("RTX4090_Llama-3.1-8B", 1.5), ("RTXPRO6000_Qwen3-32B", 2.5)):
        path = shared / "truth" / "serving_replays" / f"{name}__requests.jsonl"
        found = calibrate(CATALOG, [path], refine=True)
        assert found.held_out is not None
        assert found.before.median_ape > 10.0
        assert found.held_out.median_ape < most
