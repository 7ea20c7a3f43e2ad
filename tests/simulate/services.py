"""Replicas and requests to simulate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from groundplan.estimate.replica import IterationLaw, Replica
from groundplan.simulate.requests import Requests, make_requests


def make_replica(**changes: Any) -> Replica:
    """Return a replica about as fast as an 8B model on one H100, with fields changed."""
    tokens = np.arange(2049)
    seconds = np.where(tokens > 0, np.maximum(0.006, 3e-5 * tokens) + 0.001, 0.0)
    replica = Replica(
        law=IterationLaw(seconds, decode_context_s=6e-8, prefill_pair_s=3e-10, sequence_s=2e-5, prefill_s=0.0),
        devices=1,
        kv_tokens=100_000,
        block_tokens=16,
        max_sequences=64,
        max_batched_tokens=2048,
        chunked_prefill=True,
        prefix_caching=False,
        kv_token_bytes=131_072.0,
        request_s=0.0,
        start_s=60.0,
        watts_busy=700.0,
        watts_idle=100.0,
        usd_per_hour=3.6,
    )
    return replace(replica, **changes)


def make_counter(servers: int, tick_s: float) -> Replica:
    """Return a counter of so many servers that serves each request for as many ticks as it has output tokens."""
    seconds = np.full(servers + 1, tick_s)
    seconds[0] = 0.0
    return make_replica(
        law=IterationLaw(seconds, 0.0, 0.0, 0.0, 0.0),
        kv_tokens=10**9,
        block_tokens=1024,
        max_sequences=servers,
        max_batched_tokens=servers,
    )


def draw_requests(
    generator: np.random.Generator,
    count: int = 60,
    rate_per_s: float = 4.0,
    longest_prompt: int = 900,
    longest_output: int = 200,
    prefixes: bool = False,
) -> Requests:
    """Return random requests; with prefixes, prompts are drawn from a few families that share their beginnings."""
    times = np.cumsum(generator.exponential(1.0 / rate_per_s, count))
    prompts = generator.integers(1, longest_prompt + 1, count)
    outputs = generator.integers(1, longest_output + 1, count)
    if not prefixes:
        return make_requests(times, prompts, outputs)
    hashes = []
    for prompt in prompts.tolist():
        family, shared = int(generator.integers(4)), int(generator.integers(0, 12))
        own = int(generator.integers(10**6, 10**9))
        hashes.append(tuple(1000 * family + i if i < shared else own + i for i in range(-(-prompt // 64))))
    return make_requests(times, prompts, outputs, hashes, 64)


def draw_conversations(generator: np.random.Generator, conversations: int = 40, turns: int = 6) -> Requests:
    """Return the turns of conversations: each prompt is the one before it and 128 tokens more."""
    starts = generator.uniform(0.0, 60.0, conversations)
    asked = [
        (start + 20.0 * turn, conversation, turn) for conversation, start in enumerate(starts) for turn in range(turns)
    ]
    asked.sort()
    return make_requests(
        [time for time, _, _ in asked],
        [128 * (turn + 1) + 1 for _, _, turn in asked],
        [40] * len(asked),
        [tuple(1000 * conversation + i for i in range(2 * (turn + 1))) for _, conversation, turn in asked],
        64,
    )
