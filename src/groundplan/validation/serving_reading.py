"""A measured serving run as the laws see it: model, deployment, engine, load, and what was measured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Accelerator, Engine
from groundplan.design.cluster import Cluster
from groundplan.design.deployment import Deployment, Disaggregation
from groundplan.design.hosting import replica_cluster
from groundplan.errors import InputError, UnknownName
from groundplan.estimate.formats import multiplied, weight_format
from groundplan.estimate.service import Load
from groundplan.estimate.serving_room import fewest_tp
from groundplan.validation.measured import MeasuredRun
from groundplan.validation.serving_splits import disaggregated, stated_pools, stated_split
from groundplan.workload.model import TransformerModel
from groundplan.workload.models import find_model, model_from_row

COLUMNS = [
    "id",
    "source",
    "url_or_path",
    "reference",
    "year",
    "engine",
    "engine_version",
    "model",
    "params_b",
    "gpu",
    "n_gpus",
    "tp",
    "pp",
    "ep",
    "precision",
    "kv_dtype",
    "isl",
    "osl",
    "concurrency_or_batch",
    "scenario",
    "tokens_per_s_total",
    "tokens_per_s_per_gpu",
    "ttft_ms",
    "tpot_ms",
    "requests_per_s",
    "notes",
]
"""Columns of a file of measured serving runs, as in docs/measurements.md."""
NEEDED = ("model", "gpu", "engine")
"""Columns no serving run can be predicted without."""
QUANTITIES = ("ttft_ms", "tpot_ms", "tokens_per_s_total")
"""Measured columns that are predicted."""
DATASETS = {
    "llama-2-70b": (294.45, 294.45),  # OpenOrca
    "mixtral-8x7b": (400.0, 145.9),  # OpenOrca, GSM8K, MBPP
    "llama-3.1-405b": (9428.0, 684.7),  # LongBench, LongDataCollections, Ruler, GovReport
    "llama-3.1-8b": (870.0, 128.0),  # CNN/DailyMail
    "deepseek-v3": (800.0, 3880.0),  # mathematics, code and knowledge for DeepSeek-R1
}
"""Mean tokens of prompt and answer of MLPerf's data sets (github.com/mlcommons/inference, language/*/README)."""
SHAREGPT = (220.0, 190.0)
"""Mean tokens of a ShareGPT request, where a source says no more than the name."""
FP8_SINCE = ("hopper", "ada", "blackwell", "blackwell-rtx", "cdna3")
"""Architectures on which MLPerf submissions without a stated precision run 8-bit weights."""
USUAL_CONTEXT = 2048.0
"""Tokens of a request for which the devices of a submission are counted where it does not state its parallel sizes."""
INFERENCEMAX = "InferenceMAX"
"""Word of the sources whose recipes are public: their limits and caches are known though the tables leave them out."""
OLD_VLLM = 2024
"""Last year whose runs of vLLM are of its first engine."""
WAVES = 10.0
"""Requests that each client of a closed-loop benchmark sends (github.com/InferenceMAX/InferenceMAX)."""
ONE_WAVE_RELEASE = "0.5.1.post1"
ONE_WAVE = 1.0
"""The same for the SGLang runs of NVIDIA's gap analysis: their first tokens come after all prompts; class derived."""


@dataclass(frozen=True, slots=True)
class ServingCase:
    """One measured serving run as the laws see it."""

    run: MeasuredRun
    model: TransformerModel
    deployment: Deployment  # of a replica that decodes, where prompts are computed apart
    apart: Disaggregation | None
    replicas: int
    cluster: Cluster
    engine: Engine
    load: Load  # without end where a source runs as many at once as the cache holds
    rate_per_s: float | None  # requests offered, where the load is a rate
    static: bool  # one batch that starts and ends together
    waves: float  # requests that each client of a closed loop sends, one after the other
    measured: Mapping[str, float]
    assumed: tuple[str, ...]

    @property
    def sparse(self) -> bool:
        """Whether the model is a mixture of experts."""
        return self.model.experts is not None


def read_serving_case(run: MeasuredRun, catalog: Catalog) -> ServingCase:
    """Turn a measured serving run into a case.

    Raises
    ------
    InputError, UnknownName
        What is missing or unknown, by which the run cannot be predicted.
    """
    assumed: list[str] = []
    model = served_model(run.text("model"), catalog)
    accelerator = served_accelerator(run.text("gpu"), catalog)
    multiplied(weight_format("bf16"), accelerator)  # has a known rate
    engine = served_engine(run, catalog, assumed)
    weights, kv = _formats(run, accelerator, engine, model, assumed)
    apart = stated_pools(run, model, (weights, kv)) if disaggregated(run) else None
    devices = apart.devices if apart else run.size("n_gpus", 1)
    deployment = apart.decode if apart else _deployment(run, model, weights, kv, devices, engine, accelerator, assumed)
    cluster = replica_cluster(accelerator, deployment.devices, catalog)
    prompt, output = _lengths(run, model, assumed)
    concurrency = run.measured("concurrency_or_batch")
    if INFERENCEMAX in run.text("source"):
        engine = _inferencemax(engine, concurrency or 1.0, prompt)
    replicas = 1 if apart else max(devices // deployment.devices, 1)
    load = Load(prompt, output, float("inf") if concurrency is None else concurrency / replicas)
    said = QUANTITIES if "P99" not in run.text("notes") else ("tokens_per_s_total",)
    measured = {name: value for name in said if (value := run.measured(name))}
    if not measured:
        raise InputError("nothing was measured", "fill in ttft_ms, tpot_ms or tokens_per_s_total")
    static = "static" in run.text("engine") or run.text("scenario") == "latency"
    single = "gap-analysis" in run.text("source") and run.text("engine_version") == ONE_WAVE_RELEASE
    waves = ONE_WAVE if single or engine.id == "lmdeploy" else WAVES
    offered = re.search(r"offered (?:QPS=|RPS)([\d.]*)", run.text("notes"))
    rate = (float(offered[1]) if offered[1] else run.number("requests_per_s")) if offered else None
    return ServingCase(
        run, model, deployment, apart, replicas, cluster, engine, load, rate, static, waves, measured, tuple(assumed)
    )


@lru_cache(maxsize=512)
def served_model(name: str, catalog: Catalog) -> TransformerModel:
    """Return the model a benchmark names.

    Raises
    ------
    InputError, UnknownName
        Unknown, or no transformer.
    """
    spoken = re.sub(r"(?<=\s)v(?=\d)", "", name.rsplit("/", 1)[-1].lower())
    spoken = re.sub(r"-(99|99\.9|edge)$", "", spoken).replace("llama2", "llama-2")
    spoken = {
        "r1": "deepseek-r1",
        "deepseek-v3.1-nvfp4": "deepseek-v3.1",
        "llama 70b": "llama-1-65b",
        "llama 7b": "llama-1-7b",
    }.get(spoken, spoken)
    identity = find_model(spoken, catalog.models)
    if identity is None:
        raise UnknownName("model", name, catalog.models)
    model = model_from_row(catalog.models[identity])
    if not isinstance(model, TransformerModel):
        raise InputError(f"{name} generates no tokens", "leave it out")
    return model


@lru_cache(maxsize=512)
def served_accelerator(name: str, catalog: Catalog) -> Accelerator:
    """Return the accelerator of any of its names, those of virtual machines and superchips included."""
    if not name:
        raise InputError("gpu is not stated", "fill in gpu")
    bare = re.sub(r"^(virtualized|nvidia|amd instinct)\s+", "", name, flags=re.IGNORECASE).replace("_", "-")
    for spoken in (name, bare, re.sub(r"^nvidia\s+", "", bare, flags=re.IGNORECASE)):
        try:
            return catalog.accelerator(spoken)
        except UnknownName:
            continue
    return catalog.accelerator(name)


def _inferencemax(engine: Engine, concurrency: float, prompt: float) -> Engine:
    """Return the engine with the limits of InferenceMAX's recipes (github.com/InferenceMAX/InferenceMAX, benchmarks/).

    TensorRT-LLM takes one prompt an iteration beside the sequences that decode; SGLang four times its usual chunk.
    """
    if engine.id.startswith("tensorrt-llm"):
        return replace(engine, max_batched_tokens=int(concurrency + prompt + 64), memory_utilization=0.85)
    if engine.id == "sglang":
        return replace(engine, max_batched_tokens=32768, memory_utilization=0.82)
    return engine


def served_engine(run: MeasuredRun, catalog: Catalog, assumed: list[str]) -> Engine:
    """Return the engine whose name or alias is in the words of a source; vLLM where none is.

    vLLM of the years up to `OLD_VLLM` is its first engine.
    """
    words = run.text("engine").lower()
    found = [
        (len(spoken), engine.id)
        for engine in catalog.engines.values()
        for spoken in (engine.id, *engine.aliases)
        if spoken.lower() in words
    ]
    if found:
        name = max(found)[1]
        return catalog.engines["vllm-v0" if name == "vllm" and _year(run) <= OLD_VLLM else name]
    assumed.append("engine vllm")
    return catalog.engines["vllm"]


def _year(run: MeasuredRun) -> float:
    """Year of a run, whatever remark follows it; a late one where none is stated."""
    return float(re.sub(r"\D.*$", "", run.text("year")) or "9999")


def _formats(
    run: MeasuredRun, accelerator: Accelerator, engine: Engine, model: TransformerModel, assumed: list[str]
) -> tuple[str, str]:
    """Weights and cache: as stated, else what the checkpoint's name or the accelerator suggests."""
    said = f"{run.text('precision')}|{run.text('model')}".lower()
    weights = next(
        (
            spoken
            for word, spoken in (
                ("nvfp4", "nvfp4"),
                ("mxfp4", "mxfp4"),
                ("fp4", "mxfp4" if model.family == "gpt_oss" else "nvfp4"),
                ("fp8", "fp8"),
                ("int4", "int4"),
                ("uint4", "int4"),
                ("int8", "int8"),
                ("fp32", "bf16"),
                ("fp16", "fp16"),
                ("bf16", "bf16"),
                ("bfloat16", "bf16"),
            )
            if word in said
        ),
        None,
    )
    if weights is None:
        narrow = "MLPerf" in run.text("source") and accelerator.architecture in FP8_SINCE
        weights = "fp8" if narrow else "mxfp4" if model.family == "gpt_oss" else "bf16"
        assumed.append(f"weights {weights}")
    stated = run.text("kv_dtype").lower()
    if stated:
        kv = "fp8" if stated.startswith("fp8") else "int8" if stated.startswith("int8") else "bf16"
    else:
        narrow = weight_format(weights).weight_bytes <= 1.0
        recipe = INFERENCEMAX in run.text("source") and engine.id == "vllm" and weights != "mxfp4"
        kv = "fp8" if narrow and (recipe or engine.id.startswith("tensorrt-llm")) else "bf16"
        assumed.append(f"cache {kv}")
    return weights, kv


def _deployment(
    run: MeasuredRun,
    model: TransformerModel,
    weights: str,
    kv: str,
    devices: int,
    engine: Engine,
    accelerator: Accelerator,
    assumed: list[str],
) -> Deployment:
    """Parallel sizes as stated; else the fewest devices that hold the model."""
    if run.text("tp"):
        tp, pp, ep = run.size("tp"), run.size("pp", 1), run.size("ep", 1)
        stated = re.search(r"(?:adp|attention_dp)=(\d+)", run.text("notes"))
        dp = int(stated[1]) if stated else 1
        return stated_split(model, tp, pp, dp, ep, devices, (weights, kv))
    if "server" in run.text("scenario") and "MLPerf" not in run.text("source"):
        return Deployment(devices, 1, 1, 1, weights, kv)
    tp = min(fewest_tp(model, Deployment(1, 1, 1, 1, weights, kv), engine, accelerator, USUAL_CONTEXT, None), devices)
    assumed.append(f"tp {tp}")
    return Deployment(tp, 1, 1, 1, weights, kv)


def _lengths(run: MeasuredRun, model: TransformerModel, assumed: list[str]) -> tuple[float, float]:
    """Mean tokens of prompt and answer: as stated, else of the benchmark's data set."""
    prompt, output = run.measured("isl"), run.measured("osl")
    if prompt and output:
        return prompt, output
    lengths = DATASETS.get(model.id) if "MLPerf" in run.text("source") else None
    if "sharegpt" in run.text("notes").lower():
        lengths = SHAREGPT
    if lengths is None:
        raise InputError("isl and osl are not stated", "fill in isl and osl")
    assumed.append(f"{lengths[0]:g} prompt and {lengths[1]:g} output tokens")
    return lengths
