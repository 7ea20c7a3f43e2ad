"""Task: what one deployment of a model holds, how fast it answers under a load, and what a token costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Engine
from groundplan.design.deployment import Deployment, check_deployment
from groundplan.errors import InputError, UnknownName
from groundplan.estimate.formats import kv_format_bytes, weight_format
from groundplan.estimate.service import Load, Steady
from groundplan.estimate.serving import (
    ServingSetting,
    iteration_terms,
    power_w,
    serving_setting,
    smallest_tp,
    steady_of,
)
from groundplan.estimate.serving_intervals import serving_interval
from groundplan.evidence import Assumption, Prediction, Result, Term, total_of
from groundplan.tasks.cost import CostRequest, cost
from groundplan.workload.model import TransformerModel
from groundplan.workload.models import load_model, model_from_mapping

SECONDS_PER_HOUR = 3600.0
MILLION = 1e6
CACHE_SPREAD = (0.93, 1.05)
"""Factors on the cache that fits; class assumed."""
FORMULAS = {
    "layers": "weights and activations of all layers for the sequences that decode, and the communication between them",
    "cache": "cached tokens x bytes of a token / memory rate",
    "host": "scheduling, sampling and launching that the device waits for",
    "prompts": "share of iterations with prompts x what prompts add to one",
}


@dataclass(frozen=True, slots=True)
class ServeRequest:
    """What is asked. Lengths in tokens; None = the engine's default, or derived.

    The load is a `concurrency`, or a rate of requests (`rate_per_s`); with neither, as many at once as the cache holds.
    """

    model: str | Mapping[str, Any]
    accelerator: str = "h100-sxm"
    tp: int | None = None  # None: the fewest devices that hold the model
    pp: int = 1
    dp: int = 1
    ep: int = 1
    engine: str = "vllm"
    precision: str = "bf16"
    kv_precision: str = "bf16"
    prompt: int = 1024
    output: int = 256
    concurrency: int | None = None
    rate_per_s: float | None = None
    cached_fraction: float = 0.0
    max_sequences: int | None = None
    max_batched_tokens: int | None = None
    memory_utilization: float | None = None
    price: float | None = None
    purchase: str = "on_demand"
    as_of: str | None = None


@dataclass(frozen=True, slots=True)
class ServeResult(Result):
    """Memory, speed and cost of one replica. `memory` sums to what the engine takes of a device."""

    schema: str
    tool_version: str
    catalog_version: str
    headline: str
    as_of: str
    model: str
    accelerator: str
    engine: str
    deployment: Mapping[str, Any]
    devices: int
    memory: Mapping[str, float]
    capacity_bytes: float
    fits: bool
    kv_tokens: Prediction
    concurrent_requests: float
    load: Mapping[str, float | None]
    ttft_s: Prediction
    tpot_s: Prediction
    e2e_s: Prediction
    requests_per_s: Prediction
    output_tokens_per_s: Prediction
    total_tokens_per_s: Prediction
    usd_per_hour: float | None
    usd_per_million_output: Prediction | None
    usd_per_million_input: Prediction | None
    usd_per_million_blended: Prediction | None
    joules_per_output_token: Prediction | None
    definitions: Mapping[str, str]
    assumptions: tuple[Assumption, ...]
    warnings: tuple[str, ...]
    explain: Mapping[str, Term] = field(default_factory=dict)


DEFINITIONS = {
    "ttft_s": "from sending a request to its first token, waiting included; mean",
    "tpot_s": "(last token - first token) / (tokens - 1); mean over requests",
    "e2e_s": "ttft + tpot x (output - 1)",
    "usd_per_million_output": "all cost over output tokens",
    "usd_per_million_input": "cost of the time prompts take, over prompt tokens that are computed",
    "usd_per_million_blended": "all cost over prompt and output tokens",
}


def serve(request: ServeRequest, catalog: Catalog) -> ServeResult:
    """Return memory, latency, throughput and cost of one replica.

    Raises
    ------
    InputError, UnknownName
        A name is unknown, a value impossible, or the model does not fit.
    """
    setting, load = resolve(request, catalog)
    steady = steady_of(setting, load, request.rate_per_s)
    as_of = request.as_of or date.today().isoformat()
    hourly = hourly_usd(request, setting, catalog)
    spread = serving_interval(setting.engine.id, setting.model.experts is not None)
    rate = float(steady.requests_per_s)
    output_rate = rate * request.output
    computed = request.prompt * (1.0 - request.cached_fraction)
    total_rate = rate * (request.prompt + request.output)
    prompt_share = min(float(steady.tpot_s - steady.decode_s) / float(steady.tpot_s), 1.0)
    watts = power_w(setting, min(float(steady.decoding), 1.0))
    terms = iteration_terms(setting, load, steady)
    tree = total_of("tpot_s", "s", tuple(Term(name, value, "s", FORMULAS[name]) for name, value in terms.items()))
    held = {name: value for name, value in setting.pool.terms.items() if value}
    ttft = Prediction.within(float(steady.ttft_s), *spread["ttft_ms"])
    tpot = Prediction.within(float(steady.tpot_s), *spread["tpot_ms"])
    through = spread["tokens_per_s_total"]
    return ServeResult(
        schema="groundplan/serve/1",
        tool_version=__version__,
        catalog_version=catalog.version,
        headline=_headline(request, setting, steady, hourly),
        as_of=as_of,
        model=setting.model.id,
        accelerator=setting.accelerator.id,
        engine=setting.engine.id,
        deployment=_deployed(setting.deployment),
        devices=setting.deployment.devices,
        memory=held,
        capacity_bytes=setting.accelerator.memory_bytes or math.nan,
        fits=True,
        kv_tokens=Prediction.within(setting.pool.tokens, *CACHE_SPREAD),
        concurrent_requests=min(
            setting.pool.tokens / (request.prompt + request.output), float(setting.engine.max_sequences)
        ),
        load={
            "prompt": request.prompt,
            "output": request.output,
            "concurrency": request.concurrency,
            "rate_per_s": request.rate_per_s,
            "decoding": float(steady.decoding),
            "queued": float(steady.queued) if math.isfinite(float(steady.queued)) else None,
        },
        ttft_s=ttft,
        tpot_s=tpot,
        e2e_s=Prediction(
            *(getattr(ttft, n) + getattr(tpot, n) * (request.output - 1) for n in ("value", "low", "high"))
        ),
        requests_per_s=Prediction.within(rate, *through),
        output_tokens_per_s=Prediction.within(output_rate, *through),
        total_tokens_per_s=Prediction.within(total_rate, *through),
        usd_per_hour=hourly,
        usd_per_million_output=_per_million(hourly, output_rate, through),
        usd_per_million_input=_per_million(None if hourly is None else hourly * prompt_share, rate * computed, through),
        usd_per_million_blended=_per_million(hourly, total_rate, through),
        joules_per_output_token=None if watts is None else _inverse(watts / output_rate, through),
        definitions=DEFINITIONS,
        assumptions=_assumptions(request, setting),
        warnings=_warnings(request, setting, steady),
        explain={"tpot_s": tree},
    )


def resolve(request: ServeRequest, catalog: Catalog) -> tuple[ServingSetting, Load]:
    """Return the replica and the load a request describes.

    Raises
    ------
    InputError, UnknownName
        A name is unknown or a value impossible.
    """
    _check(request)
    if isinstance(request.model, str):
        model = load_model(request.model, catalog)
    else:
        model = model_from_mapping(request.model, Path.cwd(), catalog)
    if not isinstance(model, TransformerModel) or model.domain != "text":
        raise InputError(f"{model.id} generates no tokens", "serve a language model")
    accelerator, engine = catalog.accelerator(request.accelerator), _engine(request, catalog)
    weights = weight_format(request.precision)
    kv_format_bytes(request.kv_precision)
    context = float(request.prompt + request.output)
    split = Deployment(request.tp or 1, request.pp, request.dp, request.ep, weights.id, request.kv_precision)
    if request.tp is None:
        split = replace(split, tp=smallest_tp(model, split, engine, accelerator, context))
    check_deployment(model, split)
    setting = serving_setting(model, split, engine, accelerator, context, catalog)
    most = math.inf if request.concurrency is None else float(request.concurrency)
    return setting, Load(float(request.prompt), float(request.output), most, request.cached_fraction)


def _engine(request: ServeRequest, catalog: Catalog) -> Engine:
    """Return the engine with the limits that the request sets."""
    limits: dict[str, Any] = {
        "max_sequences": request.max_sequences,
        "max_batched_tokens": request.max_batched_tokens,
        "memory_utilization": request.memory_utilization,
    }
    return replace(
        catalog.engine(request.engine), **{name: value for name, value in limits.items() if value is not None}
    )


def _check(request: ServeRequest) -> None:
    for name in ("tp", "pp", "dp", "ep", "prompt", "output", "concurrency", "max_sequences", "max_batched_tokens"):
        value = getattr(request, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise InputError(f"{name} must be a whole number of at least 1, not {value!r}", f"set {name} to 1 or more")
    if request.rate_per_s is not None and not 0.0 < request.rate_per_s < math.inf:
        raise InputError(f"rate is {request.rate_per_s} requests/s", "give a number above zero")
    if request.rate_per_s is not None and request.concurrency is not None:
        raise InputError("a rate and a concurrency are two loads", "give one of them")
    if not 0.0 <= request.cached_fraction < 1.0:
        raise InputError(
            f"cached fraction is {request.cached_fraction}", "give a share of the prompt below 1, e.g. 0.3"
        )
    if request.memory_utilization is not None and not 0.0 < request.memory_utilization <= 1.0:
        raise InputError(f"memory utilization is {request.memory_utilization}", "give a share up to 1, e.g. 0.9")
    if request.price is not None and not 0.0 <= request.price < math.inf:
        raise InputError(f"price is {request.price}", "give dollars per accelerator-hour, e.g. 3")


def hourly_usd(request: ServeRequest, setting: ServingSetting, catalog: Catalog) -> float | None:
    """Return dollars for an hour of the replica's devices; None where no price is known."""
    devices = setting.deployment.devices
    if request.price is not None:
        return request.price * devices
    asked = CostRequest(
        accelerators=devices,
        hours=1.0,
        accelerator=setting.accelerator.id,
        purchase=request.purchase,
        as_of=request.as_of,
    )
    try:
        return cost(asked, catalog).price.usd_per_accelerator_hour * devices
    except UnknownName:
        raise
    except InputError:
        return None


def _per_million(hourly: float | None, tokens_per_s: float, spread: tuple[float, float]) -> Prediction | None:
    if hourly is None or tokens_per_s <= 0.0:
        return None
    return _inverse(hourly / SECONDS_PER_HOUR / tokens_per_s * MILLION, spread)


def _inverse(value: float, spread: tuple[float, float]) -> Prediction:
    """Interval of what falls as throughput grows."""
    low, high = spread
    return Prediction(value, value / high, value / low)


def _deployed(deployment: Deployment) -> dict[str, Any]:
    return {name: getattr(deployment, name) for name in ("tp", "pp", "dp", "ep", "weights", "kv")}


def _headline(request: ServeRequest, setting: ServingSetting, steady: Steady, hourly: float | None) -> str:
    at = (
        f"{request.rate_per_s:g} requests/s"
        if request.rate_per_s is not None
        else "full load"
        if request.concurrency is None
        else f"{request.concurrency} at once"
    )
    rate = float(steady.requests_per_s) * request.output
    said = f"{setting.deployment.devices} x {setting.accelerator.name} at {at}: {rate:,.0f} output tokens/s, "
    if math.isfinite(float(steady.ttft_s)):
        said += f"first token in {1e3 * float(steady.ttft_s):,.0f} ms, "
    said += f"{1e3 * float(steady.tpot_s):,.1f} ms a token"
    return said + (
        "" if hourly is None else f", ${hourly / SECONDS_PER_HOUR / rate * MILLION:,.2f} per 1M output tokens"
    )


def _assumptions(request: ServeRequest, setting: ServingSetting) -> tuple[Assumption, ...]:
    engine = setting.engine
    settings = (
        ("memory_utilization", engine.memory_utilization, ""),
        ("max_batched_tokens", float(engine.max_batched_tokens), "tokens"),
        ("max_sequences", float(engine.max_sequences), "sequences"),
    )
    rows = [
        Assumption(name, value, unit, "published", f"default of {engine.name}")
        for name, value, unit in settings
        if getattr(request, name) is None
    ]
    rows.append(Assumption("kv_precision", setting.deployment.kv, "", "assumed", "as asked, or 16 bits"))
    return tuple(rows)


def _warnings(request: ServeRequest, setting: ServingSetting, steady: Steady) -> tuple[str, ...]:
    said = []
    if request.rate_per_s is not None and float(steady.requests_per_s) < 0.99 * request.rate_per_s:
        said.append(
            f"{request.rate_per_s:g} requests/s are more than the replica answers "
            f"({float(steady.requests_per_s):.3g}/s): the queue grows without end; add replicas"
        )
    if request.concurrency is not None and float(steady.queued) >= 1.0:
        said.append(f"{float(steady.queued):,.0f} of {request.concurrency} requests wait for room in the cache")
    kv_heads = setting.model.attention.kv_heads
    if setting.deployment.tp > kv_heads and setting.model.attention.kind.value == "gqa":
        said.append(
            f"tp {setting.deployment.tp} exceeds the {kv_heads} key-value heads: the cache is held more than once"
        )
    return tuple(said)
