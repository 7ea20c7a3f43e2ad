"""Prefill and decode apart as candidates of a service: a few pairs of replicas, in numbers that balance the pools."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from groundplan.estimate.disaggregation import Workers, decoded, handed_at, most_held, most_prompts_per_s, prompt_s
from groundplan.estimate.service import Load
from groundplan.estimate.serving import ServingSetting
from groundplan.estimate.serving_pools import PoolsSetting, pools_setting
from groundplan.physics.arrays import Floats
from groundplan.plan.excess import TAIL_TTFT, excess_of, operating_place
from groundplan.workload.service import ServingBrief

TAIL_TPOT = 1.15
"""Percentile 95 over the mean of a token's time where no prompt disturbs it; a simulation settles what the search
finds; class assumed."""
STEPS = np.linspace(0.0, 1.0, 16)
"""Powers of the most sequences that decode at once, at which a pair is tried: from one to all."""
PREFILLS = 2
"""Kinds of prefill replicas that are paired with a kind that decodes."""
SLACK = 1.5
"""Prefill replicas over those that would just keep up, in the widest of the ratios tried: their queue is then short."""
MOST_RATIO = 8
"""Largest number of replicas of one pool for one of the other."""
USABLE = 0.85
"""Share of the slower pool's throughput that random arrivals leave usable before queues grow long; class assumed."""


def paired(settings: Sequence[ServingSetting], brief: ServingBrief) -> Iterator[PoolsSetting]:
    """Yield the services that the replicas of one accelerator, format and engine make up in two pools.

    The replica that decodes most requests for each of its devices inside the limit of a token, fed by those that
    compute most prompts for each device inside the limit of a first token.
    """
    traffic = brief.traffic
    load = Load(float(traffic.prompt), float(traffic.output), np.inf, traffic.cached_fraction)
    context = float(traffic.prompt + traffic.output)
    decoders = [(*_decodes(_workers(one), load, brief), one) for one in settings]
    _, answered, decode = min(decoders, key=lambda found: (max(found[0], 1.0), -found[1] / found[2].deployment.devices))
    for prefill in _prefills(settings, load, brief):
        each = float(most_prompts_per_s(_workers(prefill), load))
        for prefills, decodes in _ratios(answered / each):
            yield pools_setting(prefill, prefills, decode, decodes, context)


def at_most(setting: PoolsSetting, brief: ServingBrief) -> tuple[float, str, tuple[float, float, float, float]]:
    """Return how far two pools are from the limits at their best, in what, and the most that they take inside them.

    The last are requests a second, requests in flight, and the mean seconds of a first and of a further token.
    """
    traffic = brief.traffic
    load = Load(float(traffic.prompt), float(traffic.output), np.inf, traffic.cached_fraction)
    most = float(most_held(setting.pools.decode, load))
    state = handed_at(setting.pools, load, most**STEPS)
    ttft, tpot, rate = (np.asarray(column) for column in (state.ttft_s, state.tpot_s, state.requests_per_s))
    excess, what = excess_of(ttft, tpot, float(traffic.output), brief.limits, TAIL_TPOT)
    excess = np.where(np.isfinite(ttft), excess, np.inf)
    place = operating_place(excess)
    usable = min(float(rate[place]), USABLE * float(rate[np.isfinite(ttft)][-1])) if np.isfinite(ttft).any() else 0.0
    inside = usable * float(ttft[place] + tpot[place] * max(traffic.output - 1.0, 1.0))
    return float(excess[place]), what[place], (usable, inside, float(ttft[place]), float(tpot[place]))


def _workers(setting: ServingSetting) -> Workers:
    return Workers(setting.law, setting.engine, setting.pool.tokens, 1)


def _decodes(workers: Workers, load: Load, brief: ServingBrief) -> tuple[float, float]:
    """Return how far a token is from its limit at best, and the requests a second that one replica decodes within."""
    grid: Floats = float(most_held(workers, load)) ** STEPS
    rate, tpot = (np.asarray(column) for column in decoded(workers, load, grid))
    limit = brief.limits.tpot_p95_s
    late = TAIL_TPOT * tpot / limit if limit is not None else np.zeros_like(tpot)
    kept = np.flatnonzero(late <= 1.0)
    place = int(kept[-1]) if kept.size else 0
    return float(late[place]), float(rate[place])


def _prefills(settings: Sequence[ServingSetting], load: Load, brief: ServingBrief) -> list[ServingSetting]:
    """Return the kinds that compute most prompts for each device: of all, and of those that leave time to wait."""
    limit = brief.limits.ttft_p95_s or math.inf
    alone = [float(prompt_s(_workers(one), load)) for one in settings]
    score = [-float(most_prompts_per_s(_workers(one), load)) / one.deployment.devices for one in settings]
    found: list[ServingSetting] = []
    for slack in (1.0, TAIL_TTFT):
        inside = [place for place, seconds in enumerate(alone) if slack * seconds <= limit]
        best = min(inside, key=lambda place: score[place], default=int(np.argmin(alone)))
        if settings[best] not in found:
            found.append(settings[best])
    return found[:PREFILLS]


def _ratios(balance: float) -> list[tuple[int, int]]:
    """Return numbers of prefill and decode replicas about a balance: prefill replicas that one decode replica needs."""
    wanted = min(max(balance, 1.0 / MOST_RATIO), float(MOST_RATIO))
    if wanted >= 1.0:
        counts = {(math.floor(wanted), 1), (math.ceil(wanted), 1), (math.ceil(SLACK * wanted), 1)}
        counts.add((math.ceil(2.0 * wanted), 2))
    else:
        counts = {(1, math.floor(1.0 / wanted)), (1, math.ceil(1.0 / wanted)), (2, math.floor(2.0 / wanted))}
        counts.add((1, max(math.floor(1.0 / (SLACK * wanted)), 1)))
    return sorted({(p // math.gcd(p, d), d // math.gcd(p, d)) for p, d in counts})
