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


def state_at(law: IterationLaw, engine: Engine, load: Load, decoding: Floats) -> Steady:
    """Return the steady state in which `decoding` sequences decode at once; the load's concurrency is not read.

    Notes
    -----
    D sequences decode; each iteration they finish D / output requests, whose prompts come in beside them. With chunked
    prefill an iteration holds up to ``B - D`` prompt tokens; else prompts run alone and decoding waits. A prompt's
    tokens come at once, so that a share f of the iterations is longer: ``tpot = t(D) + f (t(D + chunk) - t(D))``. A
    request waits for the iteration under way, for the prompts before it, and for its own. Where tokens are drafted an
    iteration gives a sequence several, and the time of one is the iteration's over them.
    """
    times = _times(law, engine, load, decoding)
    return Steady(
        ttft_s=engine.request_s + times.ttft,
        tpot_s=times.tpot,
        decode_s=times.decode,
        prompt_s=times.prompt,
        decoding=decoding,
        queued=0.0,
        requests_per_s=decoding / (times.tpot * steps_of(load)),
    )


def most_decoding(law: IterationLaw, engine: Engine, pool_tokens: float, load: Load) -> Floats:
    """Return the most sequences that decode at once: what the cache and the engine hold.

    Chunked prompts need room beside decoding: ``D (rows + yielded prompt / (output - 1)) <= B``.
    """
    held = np.asarray(load.prompt) + np.asarray(load.output) * (1.0 if engine.reserves_output else 0.5)
    most = np.minimum(np.maximum(pool_tokens / held, 1.0), engine.max_sequences)
    if not engine.chunked_prefill:
        return most
    computed = np.asarray(load.prompt) * (1.0 - load.cached_share)
    result: Floats = np.minimum(most, engine.max_batched_tokens / (law.rows + law.yielded * computed / steps_of(load)))
    return result


def steady_state(law: IterationLaw, engine: Engine, pool_tokens: float, load: Load) -> Steady:
    """Return the steady state at a concurrency C.

    Notes
    -----
    Clients whose request is at the front end are not in the engine: of C, ``M = min(C - rate x request_s, room of the
    cache)`` are. Of these, D decode: ``D = M tpot (output - 1) / (ttft + tpot (output - 1))`` by Little's law, whose
    right side falls with D: halving finds it. Where prompts cannot come in fast enough, the rest waits.
    """
    steps, wanted = steps_of(load), np.asarray(load.concurrency, dtype=float)
    held = np.asarray(load.prompt) + np.asarray(load.output) * (1.0 if engine.reserves_output else 0.5)
    inside = np.minimum(np.minimum(wanted, np.maximum(pool_tokens / held, 1.0)), engine.max_sequences)
    high = np.minimum(inside, most_decoding(law, engine, pool_tokens, load))
    low = np.zeros_like(high)
    for _ in range(ROUNDS):
        middle = 0.5 * (low + high)
        times = _times(law, engine, load, middle)
        answering = times.tpot * steps
        present = np.minimum(inside, wanted - middle / answering * engine.request_s)
        more = present * answering > middle * (times.ttft + answering)
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    found = state_at(law, engine, load, high)
    rate = found.requests_per_s
    outside = np.minimum(rate * engine.request_s, wanted - inside)  # at the front end, of those beyond the cache
    present = np.minimum(inside, wanted - rate * engine.request_s)
    waited = np.maximum(found.ttft_s, engine.request_s + present / rate - found.tpot_s * steps)
    queued = wanted - inside - outside
    return replace(found, ttft_s=waited + queued / rate, queued=queued)


def state_at_rate(law: IterationLaw, engine: Engine, pool_tokens: float, load: Load, rate_per_s: Floats) -> Steady:
    """Return the steady state at a rate of requests, or at the most that the replica answers.

    Throughput grows with the sequences that decode: halving finds them.
    """
    high = most_decoding(law, engine, pool_tokens, load) * np.ones_like(np.asarray(rate_per_s, dtype=float))
    low = np.zeros_like(high)
    for _ in range(ROUNDS):
        middle = 0.5 * (low + high)
        short = state_at(law, engine, load, middle).requests_per_s < rate_per_s
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return state_at(law, engine, load, high)


def steps_of(load: Load) -> Floats:
    """Return the tokens of a request beyond its first."""
    result: Floats = np.maximum(np.asarray(load.output, dtype=float) - 1.0, 1.0)
    return result


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
    running = np.maximum(decoding, 1.0)  # an iteration holds at least one sequence, however seldom there is one
    read = running * (np.asarray(load.prompt) + output / 2.0)
    decode = law.seconds(running, 0.0, read, 0.0, running)
    arrivals = decoding * law.yielded / steps_of(load)  # prompts for each iteration
    beside = law.rows * decoding if engine.chunked_prefill else 0.0
    budget = np.maximum(engine.max_batched_tokens - beside, FEWEST_PROMPT_TOKENS)
    chunk = np.minimum(np.maximum(arrivals, 1.0) * prompt, budget)
    if engine.chunked_prefill:
        busy = law.seconds(running, chunk, read, chunk * keys, running)
    else:
        busy = decode + law.seconds(0.0, chunk, 0.0, chunk * keys, np.maximum(chunk / prompt, 1.0))
    share = arrivals * prompt / chunk  # of iterations that take prompts; above one where they run alone, one by one
    extra = busy - decode
    iteration = decode + share * extra
    crowd = np.minimum(share, CROWDED)
    wait = 0.5 * iteration + 0.5 * crowd / (1.0 - crowd) * extra
    own = np.maximum(prompt / budget, 1.0) * (busy if engine.chunked_prefill else extra)
    return _Times(wait + own, iteration / law.yielded, decode / law.yielded, extra * prompt / chunk)
