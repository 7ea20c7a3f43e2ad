"""Task: what one deployment of a model holds, how fast it answers under a load, and what a token costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError
from groundplan.estimate.service import Steady
from groundplan.estimate.serving import (
    ServingSetting,
    iteration_terms,
    power_w,
    steady_of,
)
from groundplan.estimate.serving_intervals import serving_interval
from groundplan.estimate.serving_pools import decode_steady, handed_of, pools_power_w
from groundplan.estimate.serving_room import too_small
from groundplan.evidence import Assumption, Prediction, Result, Term, total_of
from groundplan.plan.hosting import Bill, replicas_of
from groundplan.tasks.serve_assumptions import assumptions_of, deployed, price_told
from groundplan.tasks.serve_pools import pools_assumptions, told_pools, ttft_tree
from groundplan.tasks.serve_request import ServeRequest, bill_of, resolve, resolve_pools

SECONDS_PER_HOUR = 3600.0
KEEPS_UP = 0.99
"""Share of a rate from which on a replica is said to keep up with it: the search for its state stops there."""
MILLION = 1e6
CACHE_SPREAD = (0.93, 1.05)
"""Factors on the cache that fits; class assumed."""
FORMULAS = {
    "layers": "weights and activations of all layers for the sequences that decode, and the communication between them",
    "drafts": "drafted tokens one after another, by the draft's own law, over the tokens that an iteration gives",
    "cache": "cached tokens x bytes of a token / memory rate",
    "host": "scheduling, sampling and launching that the device waits for",
    "prompts": "share of iterations with prompts x what prompts add to one",
}


@dataclass(frozen=True, slots=True)
class ServeResult(Result):
    """Memory, speed and cost of one replica, or of a prefill and a decode pool.

    `memory` sums to what the engine takes of a device, of one that decodes where prompts are computed apart.
    """

    schema: str
    tool_version: str
    catalog_version: str
    headline: str
    as_of: str
    model: str
    accelerator: str
    engine: str
    deployment: Mapping[str, Any]
    disaggregation: Mapping[str, Any] | None  # the prefill pool before `replicas` of the deployment
    devices: int
    memory: Mapping[str, float]
    capacity_bytes: float
    fits: bool
    keeps_up: bool  # with the rate asked for; where it does not, waits have no end and are unknown
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
    price: Mapping[str, Any] | None  # of the hosts: instance, provider, option, region, date, source
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
    apart = resolve_pools(request, setting, catalog)
    if apart is None and request.replicas != 1:
        raise InputError(
            f"one replica is answered for, not {request.replicas}",
            "divide the load by the replicas, add prefill_replicas, or ask simulate serve",
        )
    if apart is None and setting.pool.tokens < request.prompt + request.output:
        raise too_small(setting, float(request.prompt + request.output))
    handed = None if apart is None else handed_of(apart, load, request.rate_per_s)
    steady = decode_steady(handed) if handed else steady_of(setting, load, request.rate_per_s)
    as_of = request.as_of or date.today().isoformat()
    devices = apart.design.devices if apart else setting.deployment.devices
    bill = bill_of(
        request, setting.accelerator.id, replicas_of(setting.deployment, apart.design if apart else None), catalog
    )
    hourly = None if bill is None else bill.usd_per_hour
    spread = serving_interval(setting.engine.id, setting.model.experts is not None)
    rate = float(steady.requests_per_s)
    output_rate = rate * request.output
    computed = request.prompt * (1.0 - request.cached_fraction)
    total_rate = rate * (request.prompt + request.output)
    prompt_share = min(float(steady.tpot_s - steady.decode_s) / float(steady.tpot_s), 1.0)
    watts = power_w(setting, min(float(steady.decoding), 1.0))
    if apart and handed:
        prompt_share = 1.0 - request.replicas * setting.deployment.devices / devices
        watts = pools_power_w(apart, handed)
    terms = iteration_terms(setting, load, steady)
    tree = total_of("tpot_s", "s", tuple(Term(name, value, "s", FORMULAS[name]) for name, value in terms.items()))
    held = {name: value for name, value in setting.pool.terms.items() if value}
    keeps_up = request.rate_per_s is None or rate >= KEEPS_UP * request.rate_per_s
    ttft = Prediction.within(float(steady.ttft_s) if keeps_up else math.inf, *spread["ttft_ms"])
    tpot = Prediction.within(float(steady.tpot_s), *spread["tpot_ms"])
    # What keeps up with a rate answers just that rate, however fast it could.
    through = spread["tokens_per_s_total"] if request.rate_per_s is None or not keeps_up else (1.0, 1.0)
    return ServeResult(
        schema="groundplan/serve/1",
        tool_version=__version__,
        catalog_version=catalog.version,
        headline=_headline(request, setting, devices, steady, hourly, keeps_up),
        as_of=as_of,
        model=setting.model.id,
        accelerator=setting.accelerator.id,
        engine=setting.engine.id,
        deployment=deployed(setting.deployment),
        disaggregation=told_pools(apart, handed) if apart and handed else None,
        devices=devices,
        memory=held,
        capacity_bytes=setting.accelerator.memory_bytes or math.nan,
        fits=True,
        keeps_up=keeps_up,
        kv_tokens=Prediction.within(setting.pool.tokens, *CACHE_SPREAD),
        concurrent_requests=request.replicas
        * float(min(setting.pool.tokens // (request.prompt + request.output), setting.engine.max_sequences)),
        load={
            "prompt": request.prompt,
            "output": request.output,
            "concurrency": request.concurrency,
            "rate_per_s": request.rate_per_s,
            "decoding": float(steady.decoding) * request.replicas,
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
        price=price_told(bill),
        usd_per_million_output=_per_million(hourly, output_rate, through),
        usd_per_million_input=_per_million(None if hourly is None else hourly * prompt_share, rate * computed, through),
        usd_per_million_blended=_per_million(hourly, total_rate, through),
        joules_per_output_token=None if watts is None else _inverse(watts / output_rate, through),
        definitions=DEFINITIONS,
        assumptions=(*assumptions_of(request, setting), *(pools_assumptions(request, apart) if apart else ())),
        warnings=_warnings(request, setting, steady, bill),
        explain={"tpot_s": tree, **({"ttft_s": ttft_tree(handed)} if handed else {})},
    )


def _per_million(hourly: float | None, tokens_per_s: float, spread: tuple[float, float]) -> Prediction | None:
    if hourly is None or tokens_per_s <= 0.0:
        return None
    return _inverse(hourly / SECONDS_PER_HOUR / tokens_per_s * MILLION, spread)


def _inverse(value: float, spread: tuple[float, float]) -> Prediction:
    """Interval of what falls as throughput grows."""
    low, high = spread
    return Prediction(value, value / high, value / low)


def _headline(
    request: ServeRequest, setting: ServingSetting, devices: int, steady: Steady, hourly: float | None, keeps_up: bool
) -> str:
    at = (
        f"{request.rate_per_s:g} requests/s"
        if request.rate_per_s is not None
        else "full load"
        if request.concurrency is None
        else f"{request.concurrency} at once"
    )
    rate = float(steady.requests_per_s) * request.output
    apart = f", {request.prefill_replicas} prefill and {request.replicas} decode replicas," * (
        devices > setting.deployment.devices
    )
    said = f"{devices} x {setting.accelerator.name}{apart} at {at}: {rate:,.0f} output tokens/s, "
    if not keeps_up:
        said += f"too few: it answers {float(steady.requests_per_s):.3g} requests/s and the queue grows without end, "
    elif math.isfinite(float(steady.ttft_s)):
        said += f"first token in {1e3 * float(steady.ttft_s):,.0f} ms, "
    said += f"{1e3 * float(steady.tpot_s):,.1f} ms a token" if request.output > 1 else "one token an answer"
    return said + (
        "" if hourly is None else f", ${hourly / SECONDS_PER_HOUR / rate * MILLION:,.2f} per 1M output tokens"
    )


def _warnings(request: ServeRequest, setting: ServingSetting, steady: Steady, bill: Bill | None) -> tuple[str, ...]:
    said = []
    if bill is None:
        what = f"no {request.purchase} price of a host with so many {setting.accelerator.name} is known"
        said.append(f"{what}: give --price in dollars per accelerator-hour")
    if request.rate_per_s is not None and float(steady.requests_per_s) < KEEPS_UP * request.rate_per_s:
        said.append(
            f"{request.rate_per_s:g} requests/s are more than can be answered "
            f"({float(steady.requests_per_s):.3g}/s): the queue grows without end; add replicas"
        )
    if request.concurrency is not None and float(steady.queued) >= 1.0:
        where = "before a pool" if request.prefill_replicas else "for room in the cache"
        said.append(f"{float(steady.queued):,.0f} of {request.concurrency} requests wait {where}")
    per_host = max(setting.cluster.host.accelerators, setting.cluster.host.scaleup_domain)
    if setting.deployment.tp > per_host:
        said.append(
            f"tp {setting.deployment.tp} goes beyond the {per_host} accelerators whose links are fast: "
            f"every layer waits for the network; use narrower weights, larger accelerators or pp"
        )
    kv_heads = setting.model.attention.kv_heads
    if setting.deployment.tp > kv_heads and setting.model.attention.kind.value == "gqa":
        said.append(
            f"tp {setting.deployment.tp} exceeds the {kv_heads} key-value heads: the cache is held more than once"
        )
    return tuple(said)
