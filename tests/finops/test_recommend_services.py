"""Narrower weights: the saving is that of the serving estimate; what is unknown or narrow already is left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.finops.recommend.services import estimated_share, quantise
from groundplan.tasks.finops.allocate import AllocateRequest
from groundplan.tasks.finops.lake import import_files
from groundplan.tasks.finops.recommend import RecommendResult, recommend
from groundplan.tasks.serve import serve
from groundplan.tasks.serve_request import ServeRequest

Bill = Callable[..., Path]
H100 = "NVIDIA H100 80GB HBM3"
SERVICE: dict[str, Any] = {
    "service": "chat", "model": "meta-llama/Llama-3.1-8B-Instruct", "requests": 1000.0, "input_tokens": 1e6,
    "output_tokens": 256e3, "jobs": ["1", "2"], "cost": 400.0, "gpu_hours": 200.0, "hours": 100.0, "gpus": 1.0,
    "least_gpus": 1.0, "dtypes": ["bfloat16"], "unknown_dtypes": 0, "quantised": 0, "accelerator": H100,
}  # fmt: skip


def test_the_share_is_that_of_the_serving_estimate() -> None:
    catalog = load_catalog()
    wide, narrow = (
        serve(ServeRequest("llama-3.1-8b", tp=1, precision=weights, prompt=1000, output=256), catalog)
        for weights in ("bf16", "fp8")
    )
    share = estimated_share(SERVICE, catalog)
    assert share == pytest.approx(wide.requests_per_s.value / narrow.requests_per_s.value, rel=1e-9)
    assert 0.5 < share < 1.0  # half the bytes to read, as many tokens of cache to read


@pytest.mark.parametrize(("share", "low"), [(0.5, 200.0), (0.4, 200.0), (0.75, 0.0)])
def test_the_low_end_gives_back_whole_replicas(share: float, low: float) -> None:
    ((row,), _) = quantise([SERVICE], lambda service: share, 1.0)  # two replicas
    assert (row.low_usd, row.high_usd) == (pytest.approx(low), pytest.approx(400.0 * (1.0 - share)))
    assert row.about == {"job:1", "job:2"}


@pytest.mark.parametrize(
    "narrow", [{"quantised": 1}, {"model": "x/Llama-3.1-8B-FP8"}, {"model": "Llama-AWQ"}, {"dtypes": ["fp8"]}]
)
def test_what_is_narrow_already_is_left_alone(narrow: dict[str, Any]) -> None:
    assert quantise([SERVICE | narrow], lambda service: 0.5, 1.0) == ([], [])


@pytest.mark.parametrize(
    ("change", "needs"),
    [
        ({"jobs": None}, "label service=chat"),
        ({"unknown_dtypes": 1}, "label dtype=bfloat16"),
        ({"accelerator": None}, "its accelerators in telemetry"),
        ({"requests": 0.0}, "requests, prompt and generation tokens"),
        ({"least_gpus": 0.5}, "replicas of chat of one size"),
        ({"model": "own/secret"}, "unknown model 'secret'"),
        ({"accelerator": "NVIDIA A100-SXM4-40GB"}, "does not compute in fp8"),
    ],
)
def test_what_is_unknown_is_not_judged(change: dict[str, Any], needs: str) -> None:
    catalog = load_catalog()
    found, (missing,) = quantise([SERVICE | change], lambda service: estimated_share(service, catalog), 1.0)
    assert found == [] and needs in missing.needs
    assert quantise([], lambda service: 0.5, 1.0)[1][0].kind == "quantise"


@pytest.fixture
def served(tmp_path: Path, bill: Bill) -> Callable[..., RecommendResult]:
    """Return a function that advises on a service of two replicas of one H100 for a day at $4 an hour each."""

    def advise(comment: str) -> RecommendResult:
        at = 1777593600
        counters = [
            {"metric": {"__name__": f"vllm:{name}_total", "instance": "n1:8000", "model_name": SERVICE["model"],
                        "service": "chat"}, "values": [[at, "0"], [at + 3600, str(grown)]]}
            for name, grown in (("request_success", 1000), ("prompt_tokens", 1_000_000), ("generation_tokens", 256_000))
        ]  # fmt: skip
        answer = {"status": "success", "data": {"resultType": "matrix", "result": counters}}
        (tmp_path / "vllm.json").write_text(json.dumps(answer))
        head = "JobID|JobName|User|Account|State|Submit|Start|End|AllocTRES|NodeList|Comment"
        days = ("2026-05-01T00:00:00", "2026-05-01T00:00:00", "2026-05-02T00:00:00")
        jobs = [f"{job}|chat|a|b|COMPLETED|{'|'.join(days)}|gres/gpu=1|n{job}|{comment}" for job in (1, 2)]
        (tmp_path / "sacct.txt").write_text("\n".join([head, *jobs]) + "\n")
        columns = ("BilledCost", "EffectiveCost", "BillingCurrency", "ChargePeriodStart", "ChargePeriodEnd",
                   "ResourceId", "ResourceName")  # fmt: skip
        charges = [("96", "96", "USD", "2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", "i", f"n{at}") for at in (1, 2)]
        fields = ("timestamp", "Hostname", "gpu", "modelName", "hpc_job", "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
                  "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "DCGM_FI_DEV_FB_USED")  # fmt: skip
        samples = [("2026-05-01T00:00:00Z", f"n{at}", "0", H100, str(at), 0.95, 0.5, 30_000) for at in (1, 2)]
        files = [bill("b.csv", charges, columns), bill("d.csv", samples, fields)]
        import_files(str(tmp_path / "lake"), [*files, tmp_path / "sacct.txt", tmp_path / "vllm.json"])
        return recommend(AllocateRequest(str(tmp_path / "lake")), load_catalog())

    return advise


def test_a_service_in_a_lake_is_judged_by_its_own_requests(served: Callable[..., RecommendResult]) -> None:
    (row,) = [one for one in served("dtype=bfloat16").recommendations if one["kind"] == "quantise"]
    share = estimated_share(SERVICE, load_catalog())
    assert float(row["high_usd"]) == pytest.approx(2 * 96 * 30 * (1 - share), rel=1e-5)
    assert row["low_usd"] == "0.00"  # of two replicas, three quarters are still two
    assert "2.0 replicas of 1 on average" in row["evidence"]


def test_a_service_whose_format_nobody_said_is_not_judged(served: Callable[..., RecommendResult]) -> None:
    found = served("")
    assert [row for row in found.not_judged if row["kind"] == "quantise" and "dtype=bfloat16" in row["needs"]]
    assert not [row for row in found.recommendations if row["kind"] == "quantise"]
