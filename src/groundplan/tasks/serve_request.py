"""What is asked of one deployment that serves, and the replica it describes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Engine
from groundplan.design.deployment import Adapters, Deployment, Speculation, check_deployment, draft_head
from groundplan.errors import InputError, UnknownName, WrongField
from groundplan.estimate.engines import check_engine
from groundplan.estimate.formats import kv_format_bytes, weight_format
from groundplan.estimate.service import Load
from groundplan.estimate.serving import ServingSetting, serving_setting
from groundplan.estimate.serving_pools import PoolsSetting, pools_setting
from groundplan.estimate.serving_room import fewest_tp
from groundplan.plan.hosting import Bill, HostPrice, Replicas, cheapest, host_prices
from groundplan.tasks.cost import OPTIONS
from groundplan.workload.context import check_context, check_generates
from groundplan.workload.model import TransformerModel
from groundplan.workload.models import load_model, model_from_mapping

KV_PRECISION = "bf16"
MOST_DRAFTED = 64
"""Tokens drafted ahead, beyond which it is a slip: engines draft 1 to 8."""
MOST_AT_ONCE = 1_000_000
"""Requests in flight at one replica, beyond which they are a slip."""
HEAD, NGRAM = "head", "ngram"
ACCEPTANCE = 0.7
"""Probability that a drafted token is accepted; between 0.6 and 0.8 for heads trained with the model (Li et al. 2024,
EAGLE-2, arXiv 2406.16858); class assumed."""


@dataclass(frozen=True, slots=True)
class ServeRequest:
    """What is asked. Lengths in tokens; None = the engine's default, or derived.

    With `prefill_replicas`, that many compute prompts and `replicas` decode; each pool has parallel sizes of its own.
    The load is a `concurrency`, or a rate of requests (`rate_per_s`); with neither, as many at once as the cache holds.
    """

    model: str | Mapping[str, Any]
    accelerator: str = "h100-sxm"
    tp: int | None = None  # None: the fewest devices that hold the model and the requests
    pp: int = 1
    dp: int = 1
    ep: int = 1
    engine: str = "vllm"
    precision: str | None = None  # None: the format in which the model was released
    kv_precision: str | None = None  # None: 16 bits
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
    speculate: int = 0  # tokens drafted for each iteration
    acceptance: float = ACCEPTANCE
    draft: str = HEAD  # a model, `head` (EAGLE, multi-token prediction) or `ngram`
    adapters: int = 0  # LoRA adapters held at once
    adapter_rank: int = 16
    replicas: int = 1  # that decode, where others compute prompts
    prefill_replicas: int = 0
    prefill_tp: int | None = None  # None: as those that decode
    prefill_pp: int | None = None
    prefill_dp: int | None = None
    prefill_ep: int | None = None
    link_bytes_per_s: float | None = None  # of one prefill replica; None: its devices' own network


def resolve(request: ServeRequest, catalog: Catalog) -> tuple[ServingSetting, Load]:
    """Return the replica and the load a request describes.

    Raises
    ------
    InputError, UnknownName
        A name is unknown or a value impossible.
    """
    _check(request)
    model = _model(request.model, catalog)
    check_context(model, request.prompt, request.output, catalog)
    accelerator, engine = catalog.accelerator(request.accelerator), _engine(request, catalog)
    check_engine(engine, accelerator, catalog.engines.values())
    weights = weight_format(request.precision or model.released_in)
    kv = request.kv_precision or KV_PRECISION
    kv_format_bytes(kv)
    context = float(request.prompt + request.output)
    speculation = _speculation(request, model, catalog)
    adapters = Adapters(request.adapters, request.adapter_rank) if request.adapters else None
    split = Deployment(
        request.tp or 1,
        request.pp,
        request.dp,
        request.ep,
        weights.id,
        kv,
        speculation,
        adapters,
    )
    if request.tp is None:
        at_once = None if request.concurrency is None else float(request.concurrency)
        split = replace(split, tp=fewest_tp(model, split, engine, accelerator, context, at_once))
    check_deployment(model, split)
    if speculation is not None and speculation.draft is not None:
        check_deployment(speculation.draft, replace(split, pp=1, ep=1))
    setting = serving_setting(model, split, engine, accelerator, context, catalog)
    most = math.inf if request.concurrency is None else float(request.concurrency)
    return setting, Load(float(request.prompt), float(request.output), most, request.cached_fraction)


PREFILL_SIZES = ("tp", "pp", "dp", "ep")


def resolve_pools(request: ServeRequest, decode: ServingSetting, catalog: Catalog) -> PoolsSetting | None:
    """Return a prefill pool before the replicas that decode; None where none is asked for.

    Raises
    ------
    InputError
        A size that cannot be, or one of prefill replicas that are not there.
    """
    asked = {name: getattr(request, f"prefill_{name}") for name in PREFILL_SIZES}
    stated = {name: size for name, size in asked.items() if size is not None}
    for name, size in stated.items():
        if size < 1:
            raise WrongField(f"prefill_{name}", f"is {size}", "give a whole number of at least 1")
    if request.prefill_replicas == 0:
        if stated:
            name = f"prefill_{next(iter(stated))}"
            raise WrongField(name, "is given without prefill replicas", "add --prefill-replicas")
        return None
    if request.prefill_replicas < 0 or request.replicas < 1:
        raise InputError(
            f"{request.prefill_replicas} replicas compute prompts and {request.replicas} decode",
            "give at least 1 of each",
        )
    if request.link_bytes_per_s is not None and not request.link_bytes_per_s > 0.0:
        raise InputError(
            f"link_bytes_per_s is {request.link_bytes_per_s:g}", "give bytes per second above 0, e.g. 25e9"
        )
    split = replace(decode.deployment, **stated)
    check_deployment(decode.model, split)
    context = float(request.prompt + request.output)
    prefill = serving_setting(decode.model, split, decode.engine, decode.accelerator, context, catalog)
    return pools_setting(prefill, request.prefill_replicas, decode, request.replicas, context, request.link_bytes_per_s)


def _model(asked: str | Mapping[str, Any], catalog: Catalog) -> TransformerModel:
    model = load_model(asked, catalog) if isinstance(asked, str) else model_from_mapping(asked, Path.cwd(), catalog)
    return check_generates(model)


def _speculation(request: ServeRequest, model: TransformerModel, catalog: Catalog) -> Speculation | None:
    if not request.speculate:
        return None
    if request.draft in (HEAD, NGRAM):
        drafts = draft_head(model) if request.draft == HEAD else None
        return Speculation(request.speculate, request.acceptance, drafts, own_tables=False)
    drafts = _model(request.draft, catalog)
    if drafts.parameters >= model.parameters:
        raise WrongField("draft", f"{drafts.id} is no smaller than {model.id}", "draft with a smaller model")
    if drafts.vocabulary > 1.05 * model.vocabulary or model.vocabulary > 1.05 * drafts.vocabulary:
        raise InputError(
            f"{drafts.id} has {drafts.vocabulary:,} tokens in its vocabulary, {model.id} {model.vocabulary:,}: "
            f"one cannot draft for the other",
            f"draft with a smaller model of the same family, with {HEAD} or {NGRAM}",
        )
    return Speculation(request.speculate, request.acceptance, drafts, own_tables=True)


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


def check_wholes(request: object, names: Sequence[str], least: int = 1) -> None:
    """Refuse fields that are no whole numbers of at least so much; None is not given.

    Raises
    ------
    WrongField
        The first of them.
    """
    for name in names:
        value = getattr(request, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise WrongField(
                name, f"must be a whole number of at least {least}, not {value!r}", f"give {least} or more"
            )


def _check(request: ServeRequest) -> None:
    check_wholes(request, ("tp", "pp", "dp", "ep", "prompt", "output", "concurrency", "adapter_rank"))
    check_wholes(request, ("max_sequences", "max_batched_tokens"))
    check_wholes(request, ("speculate", "adapters"), 0)
    if request.speculate > MOST_DRAFTED:
        raise WrongField("speculate", f"is {request.speculate:,}", f"give up to {MOST_DRAFTED}; engines draft 1 to 8")
    if request.concurrency is not None and request.concurrency > MOST_AT_ONCE:
        raise WrongField("concurrency", f"is {request.concurrency:,}", f"give up to {MOST_AT_ONCE:,}, or a rate")
    if not 0.0 <= request.acceptance <= 1.0:
        raise WrongField("acceptance", f"is {request.acceptance}", "give a probability, e.g. 0.7")
    if request.rate_per_s is not None and not 0.0 < request.rate_per_s < math.inf:
        raise WrongField("rate_per_s", f"is {request.rate_per_s:g} requests/s", "give a number above zero")
    if request.rate_per_s is not None and request.concurrency is not None:
        raise InputError("a rate and a concurrency are two loads", "give one of them")
    check_shares(request)
    if request.price is not None and not 0.0 < request.price < math.inf:
        raise WrongField("price", f"is {request.price:g}", "give dollars per accelerator-hour above zero, e.g. 3")


def check_shares(request: ServeRequest) -> None:
    """Refuse shares that are none.

    Raises
    ------
    WrongField
        Cached prompts or a share of the memory that cannot be.
    """
    if not 0.0 <= request.cached_fraction < 1.0:
        raise WrongField(
            "cached_fraction", f"is {request.cached_fraction}", "give a share of the prompt below 1, e.g. 0.3"
        )
    if request.memory_utilization is not None and not 0.0 < request.memory_utilization <= 1.0:
        raise WrongField("memory_utilization", f"is {request.memory_utilization}", "give a share up to 1, e.g. 0.9")


def bill_of(request: ServeRequest, accelerator: str, replicas: Sequence[Replicas], catalog: Catalog) -> Bill | None:
    """Return the whole hosts that replicas fill and their price; None where none is known.

    Raises
    ------
    UnknownName
        No such way to buy.
    """
    if request.purchase not in OPTIONS:
        raise UnknownName("purchase option", request.purchase, OPTIONS)
    if request.price is not None:
        devices = sum(one.devices * one.count for one in replicas)
        return Bill(HostPrice(None, None, 1, request.price), devices, request.price * devices)
    return cheapest(host_prices(catalog, accelerator, (request.purchase,)), replicas)
