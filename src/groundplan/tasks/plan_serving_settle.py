"""Finalists of a serving plan, settled by simulation: at random arrivals of a rate, or on the very trace."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from groundplan.estimate.serving import replica_of
from groundplan.physics.arrays import Floats
from groundplan.plan.serving import Deployable, at_rate
from groundplan.simulate.arrivals import poisson_arrivals
from groundplan.simulate.fleet import Fleet, simulate_service
from groundplan.simulate.pool import Pool
from groundplan.simulate.requests import Requests, make_requests
from groundplan.simulate.results import ServiceResult
from groundplan.workload.service import Limits, ServingBrief

SIMULATED = 1500
"""Requests of one simulation of a replica."""
MANY = 3
"""Times as many for two pools, of several replicas each: their beginning and end must not count for more."""
HALVINGS = 6
"""Simulations in which the rate of a replica is settled to a few per cent."""
ATTAINMENT = 0.95
REPLAYED = 10_000
"""Requests of a trace that are replayed: the busiest of so many in a row."""
GROWTH = 1.5
MOST_TIMES = 12.0
"""Replicas that a trace may need, over those its mean rate needs, before a deployment is given up."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A deployment at the rate a replica takes inside the limits, and the simulation that shows it."""

    deployable: Deployable
    run: ServiceResult


def settled_by_rate(deployable: Deployable, brief: ServingBrief) -> Settled | None:
    """Return the largest rate at which 95 % of requests keep the limits under random arrivals, if there is one."""
    rate, found = deployable.rate_per_s, None
    low, high = 0.0, math.inf
    for _ in range(HALVINGS):
        run = _random(deployable, brief, rate)
        if attained(run, brief.limits) >= ATTAINMENT and run.summary().requests_per_s >= 0.9 * rate:
            low, found = rate, Settled(at_rate(deployable, rate), run)
        else:
            high = rate
        rate = 0.5 * (low + high) if math.isfinite(high) else 1.2 * low
        if math.isfinite(high) and high - low < 0.03 * high:
            break
    return found


def settled_by_trace(
    deployable: Deployable, brief: ServingBrief, requests: Requests, most_usd_per_hour: float
) -> Settled | None:
    """Return the fewest replicas on which 95 % of the trace's requests keep the limits, when they come as they came.

    None where that takes many times what the mean rate needs, or costs more than `most_usd_per_hour`.
    """
    times, prompts, outputs = _busiest(requests, brief)
    rate = brief.traffic.rate_per_s
    first = deployable.replicas_at(rate)
    tried: dict[int, ServiceResult] = {}

    def keeps(replicas: int) -> bool:
        tried[replicas] = simulate_service(make_requests(times, prompts, outputs), _fleet(deployable, brief, replicas))
        return attained(tried[replicas], brief.limits) >= ATTAINMENT

    low, high = 0, first
    while not keeps(high):
        low, high = high, max(high + 1, math.ceil(GROWTH * high))
        if high > MOST_TIMES * first or deployable.bill(high).usd_per_hour > most_usd_per_hour:
            return None
    while high - low > 1 and low >= first:
        middle = (low + high) // 2
        low, high = (low, middle) if keeps(middle) else (middle, high)
    each = rate / high * (1.0 + 1e-9)  # so that the rate takes exactly so many
    return Settled(at_rate(deployable, each), tried[high])


def attained(run: ServiceResult, limits: Limits) -> float:
    """Return the share of requests that keep every limit."""
    stated = {"ttft_s": limits.ttft_p95_s, "tpot_s": limits.tpot_p95_s, "e2e_s": limits.e2e_p95_s}
    return run.attainment(**{name: limit for name, limit in stated.items() if limit is not None})


def _random(deployable: Deployable, brief: ServingBrief, rate_per_s: float) -> ServiceResult:
    """Simulate one replica or one pair of pools under random arrivals of the mean request."""
    traffic = brief.traffic
    count = SIMULATED * (1 if deployable.apart is None else MANY)
    prompts = np.full(count, max(round(traffic.prompt * (1.0 - traffic.cached_fraction)), 1))
    times = poisson_arrivals(count, rate_per_s, np.random.default_rng(0))
    return simulate_service(make_requests(times, prompts, np.full(count, traffic.output)), _fleet(deployable, brief, 1))


def _busiest(requests: Requests, brief: ServingBrief) -> tuple[Floats, Floats, Floats]:
    """Return arrivals, computed prompt tokens and output tokens of the busiest part, at the rate of the brief."""
    arrival = requests.arrival_s
    count = min(len(requests), REPLAYED)
    spans = arrival[count - 1 :] - arrival[: len(requests) - count + 1]
    part = slice(int(np.argmin(spans)), int(np.argmin(spans)) + count)
    whole = float(arrival[-1] - arrival[0]) or 1.0
    pace = (len(requests) - 1) / whole / brief.traffic.rate_per_s if len(requests) > 1 else 1.0
    prompts = np.maximum(np.round(requests.prompt_tokens[part] * (1.0 - brief.traffic.cached_fraction)), 1)
    return (arrival[part] - arrival[part][0]) * pace, prompts, requests.output_tokens[part]


def _fleet(deployable: Deployable, brief: ServingBrief, replicas: int) -> Fleet:
    """Return so many replicas, or pairs of pools."""
    context, apart = float(brief.traffic.prompt + brief.traffic.output), deployable.apart
    pool = Pool(replica_of(deployable.setting, context, None), replicas)
    if apart is None:
        return Fleet(pool)
    design = apart.design
    prompts = Pool(replica_of(apart.prefill, context, None), design.prefill_replicas * replicas)
    return Fleet(replace(pool, replicas=design.decode_replicas * replicas), prompts, apart.pools.link_bytes_per_s)
