"""Whether a replica's devices hold the model and its requests: the fewest that do, and what lacks where none do."""

from __future__ import annotations

from dataclasses import replace

from groundplan.catalog.rows import Accelerator, Engine
from groundplan.design.deployment import Deployment, check_deployment
from groundplan.errors import InputError
from groundplan.estimate.formats import SIXTEEN_BIT, weight_format
from groundplan.estimate.service import Pool, cache_pool
from groundplan.estimate.serving import CONTEXT_BYTES, DRIVER_BYTES, ServingSetting
from groundplan.estimate.serving_memory import cache_token_bytes
from groundplan.quantities import format_bytes
from groundplan.workload.model import TransformerModel

USUAL_AT_ONCE = 32.0
"""Requests that the fewest devices hold where no number is asked for: for fewer, weights are read for too few tokens;
class assumed."""
ROOM_FOR_CACHE = 0.15
"""Part of what the engine takes of a device that is enough for the cache, however long requests are; class assumed."""
ONE_HOST = 8
"""Devices up to which a replica grows for the requests asked for; beyond, further replicas serve better."""


def fewest_tp(
    model: TransformerModel,
    deployment: Deployment,
    engine: Engine,
    accelerator: Accelerator,
    context: float,
    at_once: float | None,
) -> int:
    """Return the fewest tensor-parallel devices whose memory holds the weights and the requests.

    Parameters
    ----------
    context : float
        Tokens of a request, prompt and output.
    at_once : float or None
        Requests asked for at once; None = as many as is usual.

    Notes
    -----
    Tried in turn: devices of one host that hold all requests asked for (as many as the engine runs); any that hold the
    usual number, or leave the cache its usual part; any that hold one request; else the most that divide the model.
    """
    memory = accelerator.memory_bytes or 0.0
    pools: dict[int, Pool] = {}
    for tp in _sizes(model, deployment):
        laid_out = replace(deployment, tp=tp)
        pools[tp] = cache_pool(model, laid_out, engine, memory - DRIVER_BYTES, CONTEXT_BYTES, context)
    taken = engine.memory_utilization * (memory - DRIVER_BYTES)
    holds = {tp: pool.tokens / context for tp, pool in pools.items()}
    asked = None if at_once is None else min(at_once, float(engine.max_sequences))
    all_asked = [tp for tp in pools if asked is not None and holds[tp] >= asked and tp <= ONE_HOST]
    usual = [
        tp
        for tp, pool in pools.items()
        if holds[tp] >= USUAL_AT_ONCE or (holds[tp] >= 1.0 and pool.terms["kv_cache"] >= ROOM_FOR_CACHE * taken)
    ]
    one = [tp for tp in pools if holds[tp] >= 1.0]
    return next((min(found) for found in (all_asked, usual, one) if found), max(pools))


def _sizes(model: TransformerModel, deployment: Deployment) -> list[int]:
    """Return the powers of two by which tensor parallelism splits a model; one where it cannot be laid out at all."""
    sizes = []
    for power in range(model.attention.heads.bit_length()):
        try:
            check_deployment(model, replace(deployment, tp=1 << power))
        except InputError:
            continue
        sizes.append(1 << power)
    return sizes or [1]


def lack_of(setting: ServingSetting, context: float) -> tuple[float, float]:
    """Return the bytes that each device needs for the model and one request, and those that the engine takes of it."""
    held = sum(size for name, size in setting.pool.terms.items() if name != "kv_cache")
    needed = held + context * cache_token_bytes(setting.model, setting.deployment, context)
    memory = (setting.accelerator.memory_bytes or 0.0) - DRIVER_BYTES
    return needed, setting.engine.memory_utilization * memory


def too_small(setting: ServingSetting, context: float) -> InputError:
    """Return the error of a replica that does not hold one request: the bytes needed and there, and what helps."""
    split, accelerator = setting.deployment, setting.accelerator
    needed, there = lack_of(setting, context)
    narrower = {SIXTEEN_BIT: "fp8", 1.0: "int4"}.get(weight_format(split.weights).weight_bytes)
    ways = [
        f"use more devices (--tp {2 * split.tp})",
        *([f"narrower weights (--precision {narrower})"] if narrower else []),
        *(["a narrower cache (--kv-precision fp8)"] if split.kv in ("bf16", "fp16", "fp32") else []),
    ]
    return InputError(
        f"{setting.model.id} in {split.weights} leaves {max(setting.pool.tokens, 0.0):,.0f} tokens of cache on "
        f"{split.devices} x {accelerator.name}, a request has {context:,.0f}: each device needs "
        f"{format_bytes(needed)}, {format_bytes(there)} are there",
        f"{', '.join(ways)} or shorter requests",
    )
