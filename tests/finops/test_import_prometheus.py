"""Answers of Prometheus become telemetry, hosts, jobs and counters."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from groundplan.errors import InputError
from groundplan.finops.lake.engine import rows
from groundplan.finops.lake.lake import Lake
from groundplan.tasks.finops.lake import ImportResult, import_files

START = 1767225600  # 2026-01-01


def series(metric: str, values: list[Any], step: int = 30, **labels: str) -> dict[str, Any]:
    """Return one series of an answer."""
    samples = [[START + step * place, str(value)] for place, value in enumerate(values) if value is not None]
    return {"metric": {"__name__": metric, **labels}, "values": samples}


def bring(tmp_path: Path, *found: dict[str, Any], name: str = "answer.json") -> ImportResult:
    """Import an answer with these series."""
    path = tmp_path / name
    path.write_text(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": found}}))
    return import_files(str(tmp_path / "lake"), [path])


def held(tmp_path: Path, dataset: str) -> list[dict[str, Any]]:
    """Return the rows of a dataset."""
    return rows(Lake(str(tmp_path / "lake")).connect(), f"SELECT * FROM {dataset} ORDER BY ALL")


GPU = {"Hostname": "gpu-1", "gpu": "0", "UUID": "GPU-a", "modelName": "NVIDIA A100", "hpc_job": "77"}


def test_fields_of_dcgm_become_one_row_an_instant(tmp_path: Path) -> None:
    report = bring(
        tmp_path,
        series("DCGM_FI_DEV_GPU_UTIL", [50, 100], **GPU),
        series("DCGM_FI_PROF_GR_ENGINE_ACTIVE", [0.4, "NaN"], **GPU),
        series("DCGM_FI_DEV_FB_USED", [1024], **GPU),
        series("DCGM_FI_PROF_NVLINK_TX_BYTES", [1e9], **GPU),
        series("DCGM_FI_PROF_NVLINK_RX_BYTES", [2e9], **GPU),
        series("DCGM_FI_DEV_GPU_TEMP", [60], **GPU),
    )
    assert (report.kept, report.quarantined) == (2, 1)
    assert report.files[0].problems == ("DCGM_FI_PROF_GR_ENGINE_ACTIVE is NaN, no number",)
    first, second = held(tmp_path, "telemetry")
    assert (first["time"], first["node"], first["gpu"], first["job_id"]) == (datetime(2026, 1, 1), "gpu-1", "0", "77")
    assert (first["gpu_util"], first["engine_active"], first["memory_used_bytes"]) == (0.5, 0.4, 2**30)
    assert first["nvlink_bytes_per_s"] == 3e9
    assert (second["gpu_util"], second["engine_active"]) == (1.0, None)


def test_one_file_a_metric_gives_the_rows_that_one_file_gives(tmp_path: Path) -> None:
    bring(tmp_path, series("DCGM_FI_DEV_GPU_UTIL", [50, 60], **GPU), name="a.json")
    unnamed = series("", [200, 210], **GPU)
    del unnamed["metric"]["__name__"]
    bring(tmp_path, unnamed, name="DCGM_FI_DEV_POWER_USAGE.json")
    bring(tmp_path, series("DCGM_FI_DEV_GPU_UTIL", [50, 60, 75], **GPU), name="longer.json")
    found = held(tmp_path, "telemetry")
    assert [(row["gpu_util"], row["power_w"]) for row in found] == [(0.5, 200), (0.6, 210), (0.75, None)]


def test_slices_of_one_accelerator_are_told_apart(tmp_path: Path) -> None:
    for number in ("1", "2"):
        labels = GPU | {"GPU_I_PROFILE": "1g.10gb", "GPU_I_ID": number}
        bring(tmp_path, series("DCGM_FI_PROF_GR_ENGINE_ACTIVE", [0.5], **labels), name=f"{number}.json")
    assert [(row["slice"], row["slice_id"]) for row in held(tmp_path, "telemetry")] == [
        ("1g.10gb", "1"),
        ("1g.10gb", "2"),
    ]


def test_a_pod_that_holds_an_accelerator_is_its_job(tmp_path: Path) -> None:
    labels = {"Hostname": "nvidia-dcgm-exporter-x1", "instance": "10.0.0.1:9400", "node": "n1", "gpu": "0"}
    mine = {"pod": "nvidia-dcgm-exporter-x1", "namespace": "gpu-operator"}
    bring(
        tmp_path,
        series("DCGM_FI_DEV_GPU_UTIL", [50], **labels, **mine, exported_pod="train-0", exported_namespace="vision"),
        series("DCGM_FI_DEV_GPU_UTIL", [0], **(labels | {"gpu": "1"}), **mine),
    )
    assert [(row["node"], row["job_id"]) for row in held(tmp_path, "telemetry")] == [
        ("n1", "vision/train-0"),
        ("n1", None),
    ]


def test_hosts_from_counters_that_begin_again(tmp_path: Path) -> None:
    at = {"instance": "n1:9100"}
    bring(
        tmp_path,
        *(series("node_cpu_seconds_total", [100, 115, 130], cpu=cpu, mode="idle", **at) for cpu in ("0", "1")),
        series("node_cpu_seconds_total", [10, 16, 16], cpu="0", mode="iowait", **at),
        series("node_network_receive_bytes_total", [1000, 4000, 600], device="eth0", **at),
        series("node_network_receive_bytes_total", [0, 9e9, 9e9], device="lo", **at),
        series("node_memory_MemTotal_bytes", [100, 100, 100], **at),
        series("node_memory_MemAvailable_bytes", [90, 80, 70], **at),
    )
    first, second, third = held(tmp_path, "hosts")
    assert (first["node"], first["memory_used_bytes"], first["cpu_busy"]) == ("n1", 10, None)
    assert second["cpu_busy"] == pytest.approx(1 - 36 / 60)
    assert second["cpu_iowait"] == pytest.approx(0.2)
    assert (second["network_bytes_per_s"], third["network_bytes_per_s"]) == (100, 20)


def test_counters_of_a_service(tmp_path: Path) -> None:
    labels = {"model_name": "llama", "service": "chat", "instance": "n1:8000"}
    bring(
        tmp_path,
        series("vllm:request_success_total", [10, 14, 2], finished_reason="stop", **labels),
        series("vllm:request_success_total", [0, 1, 1], finished_reason="length", **labels),
        series("vllm:prompt_tokens_total", [0, 1000, 1500], **labels),
        series("vllm:generation_tokens_total", [0, 300, 400], **labels),
    )
    found = [(row["requests"], row["input_tokens"], row["output_tokens"]) for row in held(tmp_path, "counters")]
    assert found == [(5, 1000, 300), (2, 500, 100)]
    assert {(row["service"], row["node"], row["model"], row["interval_s"]) for row in held(tmp_path, "counters")} == {
        ("chat", "n1", "llama", 30.0)
    }


def test_pods_that_ask_for_accelerators_are_jobs(tmp_path: Path) -> None:
    def pod(name: str, resource: str, values: list[Any], made: bool = True) -> list[dict[str, Any]]:
        labels = {"namespace": "vision", "pod": name}
        asked = series("kube_pod_container_resource_requests", values, container="c", resource=resource, node="n1",
                       unit="integer", **labels)  # fmt: skip
        return [asked, *([series("kube_pod_created", [START - 600] * 4, **labels)] if made else [])]

    report = bring(
        tmp_path,
        *pod("train-0", "nvidia_com_gpu", [4, 4, None, None]),
        *pod("serve-0", "nvidia_com_mig_1g_10gb", [2, 2, 2, 2]),
        *pod("cpu-only", "cpu", [2, 2, 2, 2]),
        *pod("unknown", "nvidia_com_gpu", [1, 1, 1, 1], made=False),
        series("kube_pod_labels", [1] * 4, namespace="vision", pod="train-0", label_team="perception"),
        series("kube_pod_status_phase", [1] * 4, namespace="vision", pod="serve-0", phase="Running"),
    )
    assert (report.kept, report.quarantined) == (2, 1)
    serve, train = held(tmp_path, "jobs")
    assert (train["job_id"], train["account"], train["gpus"], train["nodes"]) == (
        "vision/train-0",
        "vision",
        4,
        '["n1"]',
    )
    assert json.loads(train["labels"]) == {"namespace": "vision", "team": "perception"}
    assert (train["start_time"], train["end_time"]) == (datetime(2025, 12, 31, 23, 50), datetime(2026, 1, 1, 0, 0, 30))
    assert (serve["gpus"], serve["end_time"], serve["state"]) == (pytest.approx(2 / 7), None, "Running")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": "error", "errorType": "bad_data", "error": "parse error"}, "parse error"),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, "found nothing"),
        ({"status": "success", "data": {"resultType": "scalar", "result": [1, "1"]}}, "holds a scalar"),
        ({"status": "success", "data": {"resultType": "matrix", "result": [series("up", [1])]}}, "no row .* up"),
        ({"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": []}]}}, "rate"),
    ],
)
def test_answers_that_hold_nothing_are_refused_in_words(tmp_path: Path, answer: dict[str, Any], words: str) -> None:
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(answer))
    with pytest.raises(InputError, match=words):
        import_files(str(tmp_path / "lake"), [path])
