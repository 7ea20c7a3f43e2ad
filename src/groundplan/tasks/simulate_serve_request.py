"""What is asked of a simulated service: a replica, requests, a fleet, limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from groundplan.errors import InputError, UnknownName, WrongField
from groundplan.estimate.serving import ServingSetting
from groundplan.simulate.arrivals import diurnal_arrivals, gamma_arrivals
from groundplan.simulate.requests import Requests, make_requests
from groundplan.simulate.routing import Routing
from groundplan.simulate.traces import read_requests
from groundplan.tasks.serve_request import ACCEPTANCE, HEAD, ServeRequest, check_wholes
from groundplan.tasks.simulate_bounds import check_count

POSITIVE = ("rate_per_s", "variation", "target_in_flight", "mtbf_s", "ttft_s", "tpot_s", "e2e_s")
ARRIVALS = ("poisson", "bursts", "diurnal")


@dataclass(frozen=True, slots=True)
class SimulateServeRequest:
    """What is asked: a replica as `ServeRequest` describes it, requests, and a fleet.

    Requests are those of a trace (`requests`), or `count` drawn ones of `prompt` and `output` tokens at `rate_per_s`.
    With `clients`, each sends its next request when its last has ended. Limits make an objective to be attained.
    """

    model: str | Mapping[str, Any]
    accelerator: str = "h100-sxm"
    tp: int | None = None
    pp: int = 1
    dp: int = 1
    ep: int = 1
    engine: str = "vllm"
    precision: str | None = None
    kv_precision: str | None = None
    max_sequences: int | None = None
    max_batched_tokens: int | None = None
    memory_utilization: float | None = None
    cached_fraction: float = 0.0  # of every prompt, which the cache holds when it comes
    price: float | None = None
    purchase: str = "on_demand"
    as_of: str | None = None
    speculate: int = 0
    acceptance: float = ACCEPTANCE
    draft: str = HEAD
    adapters: int = 0
    adapter_rank: int = 16
    requests: str | None = None
    arrivals: str = "poisson"
    rate_per_s: float | None = None
    count: int = 1000
    prompt: int = 1024
    output: int = 256
    variation: float = 2.0  # of the gaps between bursts
    swing: float = 0.5  # of the day's rate about its mean
    clients: int | None = None
    replicas: int = 1
    routing: str = Routing.LEAST_OUTSTANDING.value
    target_in_flight: float | None = None
    least: int = 1
    most: int | None = None
    mtbf_s: float | None = None
    prefill_replicas: int = 0
    prefill_tp: int | None = None
    prefill_pp: int | None = None
    prefill_dp: int | None = None
    prefill_ep: int | None = None
    link_bytes_per_s: float | None = None  # of one prefill replica; None: its devices' own network
    ttft_s: float | None = None
    tpot_s: float | None = None
    e2e_s: float | None = None
    seed: int = 0


def requests_of(request: SimulateServeRequest) -> Requests:
    """Return the requests of the trace, or draw them.

    Raises
    ------
    InputError, UnknownName
        A trace that is none, or nothing to draw by.
    """
    _check(request)
    if request.requests is None:
        return _drawn(request)
    requests = read_requests(Path(request.requests))
    if request.cached_fraction and any(requests.prefix_hashes or ()):
        raise InputError("the trace itself tells which prompts share their beginnings", "leave --cached out")
    return replace(requests, cached_share=request.cached_fraction)


def _check(request: SimulateServeRequest) -> None:
    check_wholes(request, ("count", "prompt", "output", "clients", "replicas", "least", "most"))
    check_wholes(request, ("seed",), 0)
    if not 0.0 <= request.cached_fraction < 1.0:
        raise WrongField(
            "cached_fraction", f"is {request.cached_fraction}", "give a share of the prompt below 1, e.g. 0.3"
        )
    for name in POSITIVE:
        value = getattr(request, name)
        if value is not None and not 0.0 < value < math.inf:
            raise WrongField(name, f"is {value:g}", "give a number above zero")


def _drawn(request: SimulateServeRequest) -> Requests:
    check_count(request.count)
    ones = np.ones(request.count)
    if request.clients is not None:
        times = np.zeros(request.count)
    else:
        if request.rate_per_s is None:
            raise InputError("neither a trace nor a rate is given", "name a trace with --requests, or give --rate")
        generator = np.random.default_rng(request.seed)
        if request.arrivals == "diurnal":
            times = diurnal_arrivals(request.count, request.rate_per_s, request.swing, generator)
        elif request.arrivals in ARRIVALS:
            variation = request.variation if request.arrivals == "bursts" else 1.0
            times = gamma_arrivals(request.count, request.rate_per_s, variation, generator)
        else:
            raise UnknownName("kind of arrivals", request.arrivals, ARRIVALS)
    return make_requests(times, ones * request.prompt, ones * request.output, cached_share=request.cached_fraction)


def replica_asked(request: SimulateServeRequest, requests: Requests) -> ServeRequest:
    """Return what is asked of one replica, for the mean request."""
    shared = {one.name: getattr(request, one.name) for one in fields(ServeRequest) if hasattr(request, one.name)}
    prompt, output = (max(int(np.mean(one)), 1) for one in (requests.prompt_tokens, requests.output_tokens))
    at_once = None if request.clients is None else -(-request.clients // max(request.replicas, 1))
    return replace(ServeRequest(**shared), prompt=prompt, output=output, rate_per_s=None, concurrency=at_once)


def told_request(request: SimulateServeRequest, setting: ServingSetting) -> dict[str, Any]:
    """Return what was asked in plain values, with what was derived filled in: asked again it gives the same answer."""
    split, engine = setting.deployment, setting.engine
    drawn = () if request.requests is not None else ("count", "prompt", "output", "seed")
    told: dict[str, Any] = {
        "model": request.model,
        "accelerator": setting.accelerator.id,
        **{name: getattr(split, name) for name in ("tp", "pp", "dp", "ep")},
        "engine": engine.id,
        "precision": split.weights,
        "kv_precision": split.kv,
        "max_sequences": engine.max_sequences,
        "max_batched_tokens": engine.max_batched_tokens,
        "memory_utilization": engine.memory_utilization,
        "replicas": request.replicas,
        "routing": request.routing,
        **{name: getattr(request, name) for name in drawn},
    }
    if drawn and request.clients is None:
        told["arrivals"] = request.arrivals
    changed = {one.name: getattr(request, one.name) for one in fields(request) if one.name not in told}
    usual = {one.name: one.default for one in fields(request)}
    told |= {name: value for name, value in changed.items() if value != usual[name]}
    return told if request.requests is None else {**told, "requests": str(request.requests)}
