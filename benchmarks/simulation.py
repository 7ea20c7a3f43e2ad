"""How fast a service is simulated: an hour of a conversation trace on one replica, a day of requests on fifty.

    python benchmarks/simulation.py [AzureLLMInferenceTrace_conv.csv]

The trace is that of Azure's public data set; without it, as many requests of about its lengths are drawn at its rate.
The day has a million requests of the same lengths, more at noon than at night: once on replicas with much to spare,
once on some so slow and small that requests queue and are preempted. Prints requests, seconds, requests per second and
the most memory held. Run on one core: taskset -c 0, OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import numpy as np

from groundplan.estimate.replica import IterationLaw, Replica
from groundplan.simulate.arrivals import DAY_S, diurnal_arrivals, poisson_arrivals
from groundplan.simulate.fleet import Fleet, simulate_service
from groundplan.simulate.pool import Pool
from groundplan.simulate.requests import Requests, make_requests
from groundplan.simulate.traces import read_requests

HOUR = 19_366
DAY = 1_000_000
REPLICAS = 50


def main() -> None:
    """Time the simulations and print their rates."""
    generator = np.random.default_rng(0)
    hour = read_requests(Path(sys.argv[1])) if sys.argv[1:] else _drawn_hour(generator)
    rows = generator.integers(0, len(hour), DAY)
    arrivals = diurnal_arrivals(DAY, DAY / DAY_S, 0.5, generator)
    day = make_requests(arrivals, hour.prompt_tokens[rows], hour.output_tokens[rows])
    _time("an hour, 1 replica", hour, _replica(1.0, 400_000), 1)
    _time(f"a day, {REPLICAS} replicas", day, _replica(1.0, 400_000), REPLICAS)
    _time(f"a day, {REPLICAS} replicas that queue", day, _replica(14.0, 10_000), REPLICAS)


def _drawn_hour(generator: np.random.Generator) -> Requests:
    prompts = np.clip(generator.lognormal(6.6, 0.9, HOUR), 1, 8000)
    outputs = np.clip(generator.lognormal(5.0, 0.9, HOUR), 1, 1000)
    return make_requests(poisson_arrivals(HOUR, 5.5, generator), np.rint(prompts), np.rint(outputs))


def _replica(slower: float, kv_tokens: int) -> Replica:
    """Return about an 8B model on an H100, or one so many times slower, with room for so many tokens."""
    tokens = np.arange(8193)
    seconds = np.where(tokens > 0, np.maximum(0.006, 3e-5 * tokens) + 0.001, 0.0) * slower
    return Replica(
        law=IterationLaw(seconds, 6e-8 * slower, 3e-10 * slower, 2e-5, 0.0),
        devices=1,
        kv_tokens=kv_tokens,
        block_tokens=16,
        max_sequences=256,
        max_batched_tokens=8192,
        chunked_prefill=True,
        prefix_caching=False,
        kv_token_bytes=131_072.0,
        request_s=0.0,
        start_s=60.0,
        watts_busy=700.0,
        watts_idle=100.0,
        usd_per_hour=3.0,
    )


def _time(name: str, requests: Requests, replica: Replica, replicas: int) -> None:
    start = time.perf_counter()
    result = simulate_service(requests, Fleet(Pool(replica, replicas)))
    seconds = time.perf_counter() - start
    summary = result.summary()
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{name}: {len(requests):,} requests in {seconds:.1f} s, {len(requests) / seconds:,.0f}/s, {held:.2f} GB held"
    )
    print(
        f"  busy {summary.busy_share:.0%}, mean batch {summary.mean_batch:.1f}, {summary.preemptions:,} preemptions, "
        f"TTFT p95 {summary.ttft_s.p95:.2f} s"
    )


if __name__ == "__main__":
    main()
