"""A serving replica at work: what it holds, and how fast it answers at a concurrency or at a rate of requests."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from groundplan.catalog.rows import Engine
from groundplan.design.deployment import Deployment
from groundplan.estimate.replica import IterationLaw
from groundplan.estimate.serving_memory import cache_token_bytes, serving_memory_terms
from groundplan.physics.arrays import Floats
from groundplan.workload.model import TransformerModel

ROUNDS = 40
"""Halvings of the step in which a steady state is searched: it is then known to a millionth."""
FEWEST_PROMPT_TOKENS = 64.0
"""Prompt tokens that an iteration takes even when decoding sequences fill its budget."""
CROWDED = 0.95
"""Largest share of iterations with prompts at which their queue is still computed."""


@dataclass(frozen=True, slots=True)
class Pool:
    """What a replica's cache holds: `tokens` over all its devices, and bytes of one device by term."""

    tokens: float
    terms: dict[str, float]


def cache_pool(
    model: TransformerModel,
    deployment: Deployment,
    engine: Engine,
    capacity_bytes: float,
    context_bytes: float,
    context: float,
) -> Pool:
    """Return the cache that is left after weights, activations, graphs and the driver's context.

    ``tokens = dp x (utilization x capacity - weights - workspace - graphs - context) / bytes of a token``, in whole
    blocks, for sequences of `context` tokens; zero or less where the weights alone do not fit.
    """
    terms = serving_memory_terms(model, deployment, engine.max_batched_tokens, engine.max_sequences)
    terms["graphs"] = engine.graph_bytes
    terms["framework"] = context_bytes
    left = engine.memory_utilization * capacity_bytes - sum(terms.values())
    token_bytes = cache_token_bytes(model, deployment, context)
    blocks = np.floor(left / token_bytes / engine.block_tokens)
    terms["kv_cache"] = max(left, 0.0)
    return Pool(float(blocks * engine.block_tokens) * deployment.dp, terms)


@dataclass(frozen=True, slots=True)
class Load:
    """Steady work: requests of `prompt` and `output` tokens, `concurrency` of them at once."""

    prompt: Floats
    output: Floats
    concurrency: Floats
    cached_share: float = 0.0  # of prompt tokens that the prefix cache holds


@dataclass(frozen=True, slots=True)
class Steady:
    """The steady state of a replica under a load; arrays broadcast. Times in seconds."""

    ttft_s: Floats  # from the request to its first token
    tpot_s: Floats  # between two tokens of a request, the first one excepted
    decode_s: Floats  # the same while no prompt comes in
    prompt_s: Floats  # what a prompt adds to the iterations that take it
    decoding: Floats  # sequences that decode at once
    queued: Floats  # requests that wait for room in the cache
    requests_per_s: Floats


def steady_state(law: IterationLaw, engine: Engine, pool_tokens: float, load: Load) -> Steady:
    """Return the steady state at a concurrency.

    Notes
    -----
    D sequences decode; each iteration they finish D / output requests, whose prompts come in beside them. With chunked
    prefill an iteration holds up to ``B - D`` prompt tokens; else prompts run alone and decoding waits. A prompt's
    tokens come at once, so that a share f of the iterations is longer: ``tpot = t(D) + f (t(D + chunk) - t(D))``. A
    request waits for the iteration under way, for the prompts before it, and for its own. D follows from Little's law,
    ``D = C tpot (output - 1) / (ttft + tpot (output - 1))``, whose right side falls with D: halving finds it. Chunked
    prompts need room beside decoding, ``D (1 + prompt / (output - 1)) <= B``: where more are in flight, they wait.
    """
    output, wanted = np.asarray(load.output, dtype=float), np.asarray(load.concurrency, dtype=float)
    held = np.asarray(load.prompt) + output * (1.0 if engine.reserves_output else 0.5)
    inside = np.minimum(np.minimum(wanted, np.maximum(pool_tokens / held, 1.0)), engine.max_sequences)
    computed = np.asarray(load.prompt) * (1.0 - load.cached_share)
    steps = np.maximum(output - 1.0, 1.0)
    most = inside
    if engine.chunked_prefill:  # prompts must fit beside the sequences that decode
        most = np.minimum(inside, engine.max_batched_tokens / (1.0 + computed / steps))
    low, high = np.zeros_like(inside), most
    for _ in range(ROUNDS):
        middle = 0.5 * (low + high)
        times = _times(law, engine, load, middle)
        more = inside * times.tpot * steps > middle * (times.ttft + times.tpot * steps)
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    times = _times(law, engine, load, high)
    rate = high / (times.tpot * steps)
    return Steady(
        ttft_s=engine.request_s + np.maximum(times.ttft, inside / rate - times.tpot * steps) + (wanted - inside) / rate,
        tpot_s=times.tpot,
        decode_s=times.decode,
        prompt_s=times.prompt,
        decoding=high,
        queued=wanted - inside,
        requests_per_s=rate,
    )


def concurrency_at(law: IterationLaw, engine: Engine, pool_tokens: float, load: Load, rate_per_s: Floats) -> Floats:
    """Return the requests in flight at which a replica answers `rate_per_s`; the most it holds where it cannot.

    Throughput grows with concurrency: halving finds it.
    """
    most = np.minimum(np.maximum(pool_tokens / (np.asarray(load.prompt) + load.output), 1.0), engine.max_sequences)
    high: Floats = most * np.ones_like(np.asarray(rate_per_s, dtype=float))
    low: Floats = np.zeros_like(high)
    for _ in range(ROUNDS):
        middle = 0.5 * (low + high)
        short = steady_state(law, engine, pool_tokens, replace(load, concurrency=middle)).requests_per_s < rate_per_s
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return high


@dataclass(frozen=True, slots=True)
class _Times:
    """Seconds of a request's parts while `decoding` sequences decode."""

    ttft: Floats
    tpot: Floats
    decode: Floats
    prompt: Floats


def _times(law: IterationLaw, engine: Engine, load: Load, decoding: Floats) -> _Times:
    prompt = np.asarray(load.prompt, dtype=float) * (1.0 - load.cached_share)
    output = np.asarray(load.output, dtype=float)
    keys = np.asarray(load.prompt) - prompt / 2.0  # that a prompt token meets
    read = decoding * (np.asarray(load.prompt) + output / 2.0)
    decode = law.seconds(decoding, read, 0.0, decoding)
    arrivals = decoding / np.maximum(output - 1.0, 1.0)  # prompts for each iteration
    beside = decoding if engine.chunked_prefill else 0.0
    budget = np.maximum(engine.max_batched_tokens - beside, FEWEST_PROMPT_TOKENS)
    chunk = np.minimum(np.maximum(arrivals, 1.0) * prompt, budget)
    if engine.chunked_prefill:
        busy = law.seconds(decoding + chunk, read, chunk * keys, decoding)
    else:
        busy = decode + law.seconds(chunk, 0.0, chunk * keys, 1.0)
    share = arrivals * prompt / chunk  # of iterations that take prompts; above one where they run alone, one by one
    extra = busy - decode
    tpot = decode + share * extra
    crowd = np.minimum(share, CROWDED)
    wait = 0.5 * tpot + 0.5 * crowd / (1.0 - crowd) * extra
    own = np.maximum(prompt / budget, 1.0) * (busy if engine.chunked_prefill else extra)
    return _Times(wait + own, tpot, decode, extra * prompt / chunk)
