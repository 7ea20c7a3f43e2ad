"""Prefill and decode apart: one pool of replicas computes prompts, their cache goes over a link, another pool decodes.

The first token is sent by the replica that decodes, when it has taken the cache over: SGLang, vLLM and TensorRT-LLM do
so. A cache is sent when its prompt is computed, one after the other over the links of its replica.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from groundplan.catalog.rows import Engine
from groundplan.estimate.replica import IterationLaw
from groundplan.estimate.service import ROUNDS, Load, steps_of
from groundplan.physics.arrays import Floats
from groundplan.physics.queueing import batch_wait_s, mg1_wait_s

GATHERED = 16
"""Rounds in which the prompts of an iteration settle: each lets those join that came during the one before."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Equal replicas of one pool."""

    law: IterationLaw
    engine: Engine
    pool_tokens: float  # cached tokens that one holds
    replicas: int


@dataclass(frozen=True, slots=True)
class Pools:
    """What computes prompts, what decodes, and the link between."""

    prefill: Workers
    decode: Workers
    token_bytes: float  # of a token's cache
    link_bytes_per_s: float  # of one prefill replica


@dataclass(frozen=True, slots=True)
class Handed:
    """The steady state of two pools; arrays broadcast. Times in seconds; a first token takes the sum of the first five.

    `front_s` is of the front end, `queue_s` waits for a prefill replica, `prompt_s` computes, `transfer_s` sends the
    cache and waits for the link, `room_s` waits for the decode replica's next iteration and for room in its cache.
    """

    front_s: Floats
    queue_s: Floats
    prompt_s: Floats
    transfer_s: Floats
    room_s: Floats
    tpot_s: Floats
    decoding: Floats  # sequences that one replica decodes at once
    queued: Floats  # requests beyond those that move through the pools
    requests_per_s: Floats
    prefill_busy: Floats  # share of the most that the prefill pool and its links answer

    @property
    def ttft_s(self) -> Floats:
        """From the request to its first token."""
        return self.front_s + self.queue_s + self.prompt_s + self.transfer_s + self.room_s


def most_handed(pools: Pools, load: Load) -> Floats:
    """Return the most requests a second that the prefill pool and its links answer.

    ``P / max(prompt, transfer)``: the seconds of a prompt in the fullest iteration, and of its cache on the link.
    """
    links = pools.prefill.replicas / _sent_s(pools, load)
    result: Floats = np.minimum(most_prompts_per_s(pools.prefill, load), links)
    return result


def most_prompts_per_s(workers: Workers, load: Load) -> Floats:
    """Return the most prompts a second that a pool computes, its iterations filled."""
    most = _most_prompts(workers, load)
    result: Floats = workers.replicas * most / _prompts_s(workers, load, most)
    return result


def prompt_s(workers: Workers, load: Load) -> Floats:
    """Return the seconds in which a replica computes one prompt alone."""
    return _prompts_s(workers, load, 1.0)


def most_held(workers: Workers, load: Load) -> Floats:
    """Return the most sequences that a replica decodes at once: what its cache and its engine hold."""
    held = np.asarray(load.prompt) + np.asarray(load.output) * (1.0 if workers.engine.reserves_output else 0.5)
    within = min(workers.engine.max_sequences, workers.engine.max_batched_tokens / workers.law.rows)
    result: Floats = np.minimum(np.maximum(workers.pool_tokens / held, 1.0), within)
    return result


def decoded(workers: Workers, load: Load, decoding: Floats) -> tuple[Floats, Floats]:
    """Return the requests a second that a pool ends, and a token's time, where each replica decodes so many."""
    running = np.maximum(decoding, 1.0)
    read = running * (np.asarray(load.prompt) + np.asarray(load.output) / 2.0)
    tpot = workers.law.seconds(running, 0.0, read, 0.0, running) / workers.law.yielded
    return workers.replicas * decoding / (tpot * steps_of(load)), tpot


def handed_at(pools: Pools, load: Load, decoding: Floats, met_share: Floats = 1.0) -> Handed:
    """Return the steady state in which each decode replica holds `decoding` sequences; concurrency is not read.

    Parameters
    ----------
    met_share : float or array
        Share of the requests that one of them meets: all others where requests come at random, ``(C - 1) / C`` of C
        clients (the arrival theorem, as Schweitzer approximates it).

    Notes
    -----
    D replicas end ``D n / (tpot (output - 1))`` requests a second; as many come to the P that compute prompts. There a
    request waits as before c servers that take all that waits at once, then for its iteration, then for the link.
    Where the pools that compute or send cannot keep up, it waits without end.
    """
    prefill = pools.prefill
    rate, tpot = decoded(pools.decode, load, decoding)
    met = rate * met_share
    most = _most_prompts(prefill, load)
    together = np.ones_like(most * met)
    for _ in range(GATHERED):
        coming = met / prefill.replicas * _prompts_s(prefill, load, together)
        together = np.clip(coming, 1.0, most)
    own = _prompts_s(prefill, load, together)
    wait = batch_wait_s(
        met, _prompts_s(prefill, load, 1.0), own, _prompts_s(prefill, load, most) / most, prefill.replicas
    )
    sent = _sent_s(pools, load)
    return Handed(
        front_s=prefill.engine.request_s,
        queue_s=wait,
        prompt_s=own,
        transfer_s=sent + mg1_wait_s(met / prefill.replicas, sent, 0.0),
        room_s=0.5 * np.minimum(decoding * met_share, 1.0) * tpot * pools.decode.law.yielded,
        tpot_s=tpot,
        decoding=decoding,
        queued=0.0,
        requests_per_s=rate,
        prefill_busy=rate / most_handed(pools, load),
    )


def handed_steady(pools: Pools, load: Load) -> Handed:
    """Return the steady state of so many clients, each sending its next request when its last has ended.

    Notes
    -----
    Little's law: ``C = X (ttft + tpot (output - 1))``; its right side grows with the sequences that decode, so halving
    finds them. Clients beyond what the slower pool lets through wait before it.
    """
    wanted = np.asarray(load.concurrency, dtype=float)
    met, most = 1.0 - 1.0 / wanted, most_handed(pools, load)
    high = most_held(pools.decode, load) * np.ones_like(wanted)
    low = np.zeros_like(high)
    for _ in range(ROUNDS):
        middle = 0.5 * (low + high)
        state = handed_at(pools, load, middle, met)
        more = (_inside(state, load) < wanted) & (state.requests_per_s < most)
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    found = handed_at(pools, load, low, met)
    beyond = wanted - np.minimum(_inside(found, load), wanted)
    beyond = np.where(beyond < 1e-3 * wanted, 0.0, beyond)
    before = found.requests_per_s > 0.99 * most  # the prefill pool or its links; else the decode pool has no room
    waited = beyond / found.requests_per_s
    return replace(
        found,
        queue_s=found.queue_s + np.where(before, waited, 0.0),
        room_s=found.room_s + np.where(before, 0.0, waited),
        queued=beyond,
    )


def handed_at_rate(pools: Pools, load: Load, rate_per_s: Floats) -> Handed:
    """Return the steady state at a rate of requests that come at random.

    At the most that both pools answer where that is less, and then who waits does so without end.
    """
    most = most_handed(pools, load)
    high = most_held(pools.decode, load) * np.ones_like(np.asarray(rate_per_s, dtype=float))
    low = np.zeros_like(high)
    for _ in range(ROUNDS):
        middle = 0.5 * (low + high)
        rate = handed_at(pools, load, middle).requests_per_s
        short = (rate < rate_per_s) & (rate < most)
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    found = handed_at(pools, load, low)
    return replace(found, queue_s=np.where(found.requests_per_s < 0.999 * rate_per_s, np.inf, found.queue_s))


def _inside(state: Handed, load: Load) -> Floats:
    """Requests under way, by Little's law."""
    return state.requests_per_s * (state.ttft_s + state.tpot_s * steps_of(load))


def _sent_s(pools: Pools, load: Load) -> Floats:
    """Seconds in which a prompt's cache goes over the link of a prefill replica."""
    return np.asarray(load.prompt) * pools.token_bytes / pools.link_bytes_per_s


def _most_prompts(workers: Workers, load: Load) -> Floats:
    """Prompts that one iteration takes at most; one where a prompt takes several iterations."""
    fits = np.minimum(workers.engine.max_batched_tokens / _computed(load), workers.pool_tokens / load.prompt)
    result: Floats = np.maximum(np.minimum(fits, workers.engine.max_sequences), 1.0)
    return result


def _prompts_s(workers: Workers, load: Load, prompts: Floats) -> Floats:
    """Seconds in which a replica computes so many prompts at once."""
    tokens = prompts * _computed(load)
    iterations = np.maximum(tokens / workers.engine.max_batched_tokens, 1.0)
    chunk = tokens / iterations
    keys = np.asarray(load.prompt) - 0.5 * _computed(load)  # that a prompt token meets
    return iterations * workers.law.seconds(0.0, chunk, 0.0, chunk * keys, prompts)


def _computed(load: Load) -> Floats:
    return np.asarray(load.prompt, dtype=float) * (1.0 - load.cached_share)
