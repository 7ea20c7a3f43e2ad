"""What a simulation would take, told before it runs: requests, failures and looks of the autoscaler."""

from __future__ import annotations

import numpy as np

from groundplan.errors import InputError
from groundplan.estimate.service import Load, steady_state
from groundplan.estimate.serving import STARTING_S, ServingSetting
from groundplan.quantities import format_bytes, format_seconds
from groundplan.simulate.pool import CHECK_EVERY_S
from groundplan.simulate.requests import Requests

MOST_REQUESTS = 10_000_000
"""Requests of one simulation: about 4 GB, and minutes."""
REQUEST_BYTES = 410.0
"""Memory that a simulated request takes, measured over 200,000 to 400,000 of them."""
MOST_EVENTS = 3e6
"""Failures, restarts and looks of an autoscaler in one simulation: a minute of them."""
SAMPLES = 200
"""Requests, from the shortest to the longest, for which their time alone is computed."""
LARGEST_POWER = 600.0


def check_count(count: int) -> None:
    """Refuse more requests than a machine holds, before they are drawn.

    Raises
    ------
    InputError
        Too many, with the memory they would take.
    """
    if count > MOST_REQUESTS:
        raise InputError(
            f"{count:,} requests would take about {format_bytes(count * REQUEST_BYTES)} of memory",
            f"simulate at most {MOST_REQUESTS:,}; tails are known from thousands",
        )


def check_events(
    requests: Requests, setting: ServingSetting, replicas: int, mtbf_s: float | None, scales: bool, *, closed: bool
) -> None:
    """Refuse a simulation in which replicas fail before requests can end, or of a span without end.

    Raises
    ------
    InputError
        How many restarts, failures or looks of the autoscaler are to be expected.
    """
    if mtbf_s is not None and mtbf_s > 0.0:
        _check_restarts(requests, setting, mtbf_s)
    span = 0.0 if closed else float(requests.arrival_s[-1] - requests.arrival_s[0])
    looks = span / CHECK_EVERY_S if scales else 0.0
    failures = replicas * span / (mtbf_s + STARTING_S) if mtbf_s else 0.0
    if looks + failures > MOST_EVENTS:
        raise InputError(
            f"over {format_seconds(span)} of arrivals about {failures:,.0f} failures and {looks:,.0f} looks of the "
            f"autoscaler would be simulated",
            "ask for fewer requests, a higher rate, or a part of the trace",
        )


def _check_restarts(requests: Requests, setting: ServingSetting, mtbf_s: float) -> None:
    """Refuse where requests are begun anew without end: one that takes t alone ends with probability exp(-t / mtbf)."""
    order = np.argsort(requests.prompt_tokens + requests.output_tokens, kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, min(SAMPLES, len(order))).astype(int)]
    prompt, output = requests.prompt_tokens[chosen].astype(float), requests.output_tokens[chosen].astype(float)
    load = Load(prompt, output, np.ones_like(prompt), requests.cached_share)
    alone = steady_state(setting.law, setting.engine, setting.pool.tokens, load)
    seconds = np.asarray(alone.ttft_s) + np.asarray(alone.tpot_s) * (output - 1.0)
    restarts = float(np.mean(np.expm1(np.minimum(seconds / mtbf_s, LARGEST_POWER)))) * len(requests)
    if restarts > MOST_EVENTS:
        raise InputError(
            f"a request takes up to {format_seconds(float(seconds.max()))} alone and a replica fails every "
            f"{format_seconds(mtbf_s)}: about {restarts:.2g} restarts would be simulated",
            "give a longer --mtbf, e.g. 1 d",
        )
