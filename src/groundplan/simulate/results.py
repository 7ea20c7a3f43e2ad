"""What a simulated service did: one row per request, one per replica, and the measures taken from them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from groundplan.evidence import Result
from groundplan.physics.reliability import SECONDS_PER_HOUR
from groundplan.simulate.columns import Span

Times = NDArray[np.float64]
Counts = NDArray[np.integer]
MILLION = 1e6


@dataclass(frozen=True, slots=True)
class RequestTimes:
    """Columns, one row per request. Times [s] of a rejected request are NaN from `start_s` on, its replica is -1."""

    arrival_s: Times
    start_s: Times  # the first iteration with its prompt begins
    first_token_s: Times
    end_s: Times  # its last token
    prompt_tokens: Counts
    output_tokens: Counts
    replica: Counts  # that ended it
    preemptions: Counts
    restarts: Counts  # by failures of replicas

    @property
    def ttft_s(self) -> Times:
        """Time to first token: from arrival to the end of the iteration that makes it, queueing included."""
        return self.first_token_s - self.arrival_s

    @property
    def tpot_s(self) -> Times:
        """Time per output token: (last - first) / (output - 1); NaN for a request of one token."""
        gaps = np.where(self.output_tokens > 1, self.output_tokens - 1.0, np.nan)
        return (self.end_s - self.first_token_s) / gaps

    @property
    def e2e_s(self) -> Times:
        """End-to-end latency: from arrival to the last token."""
        return self.end_s - self.arrival_s

    @property
    def wait_s(self) -> Times:
        """Time in the queue: from arrival to the first iteration."""
        return self.start_s - self.arrival_s

    @property
    def ended(self) -> NDArray[np.bool_]:
        """Whether a request was answered; the others were rejected."""
        return np.isfinite(self.end_s)


@dataclass(frozen=True, slots=True)
class ReplicaUse(Result):
    """What one replica did while it was on, which begins when it is asked for."""

    replica: int
    devices: int
    on_s: float
    busy_s: float  # in iterations
    batch_s: float  # sequences in an iteration times its seconds, summed
    hit_tokens: int  # of prompts in the prefix cache; what a preempted request finds again is not counted
    energy_j: float
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Latency(Result):
    """Mean and percentiles of one latency [s]; None where no request has it."""

    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class ServiceSummary(Result):
    """The measures of a simulated service. Rates are over the span, from the first arrival to the last end."""

    requests: int
    rejected: int
    preemptions: int
    restarts: int
    span_s: float
    requests_per_s: float
    input_tokens_per_s: float
    output_tokens_per_s: float
    ttft_s: Latency
    tpot_s: Latency
    e2e_s: Latency
    wait_s: Latency
    busy_share: float  # of the time that replicas are on
    mean_batch: float  # sequences in an iteration, weighted by its time
    prefix_hit_share: float  # of the prompt tokens of answered requests
    replica_hours: float
    device_hours: float
    cost_usd: float | None
    usd_per_million_output_tokens: float | None
    energy_j: float
    joules_per_output_token: float | None


@dataclass(frozen=True, slots=True)
class ServiceResult:
    """All that happened. `spans` are there when they were recorded."""

    requests: RequestTimes
    replicas: tuple[ReplicaUse, ...]
    end_s: float  # when the last request ends; replicas are on from the first arrival to then
    spans: tuple[Span, ...] = ()

    def met(self, ttft_s: float = math.inf, tpot_s: float = math.inf, e2e_s: float = math.inf) -> NDArray[np.bool_]:
        """Return which requests kept all limits; a rejected one none; one of a single token has no TPOT to keep."""
        times = self.requests
        kept = (times.ttft_s <= ttft_s) & (times.e2e_s <= e2e_s)
        return times.ended & kept & ~(times.tpot_s > tpot_s)

    def attainment(self, ttft_s: float = math.inf, tpot_s: float = math.inf, e2e_s: float = math.inf) -> float:
        """Return the share of all requests, the rejected included, that kept all limits."""
        return float(np.mean(self.met(ttft_s, tpot_s, e2e_s)))

    def goodput(self, ttft_s: float = math.inf, tpot_s: float = math.inf, e2e_s: float = math.inf) -> float:
        """Return the requests that kept all limits, by second of the span."""
        return _ratio(float(np.sum(self.met(ttft_s, tpot_s, e2e_s))), self.span_s) or 0.0

    @property
    def span_s(self) -> float:
        """From the first arrival to the last end."""
        return self.end_s - float(self.requests.arrival_s[0])

    def queue_length(self, times_s: ArrayLike) -> NDArray[np.int64]:
        """Return how many requests have arrived and not started at each time; a preempted one has started."""
        return _between(self.requests.arrival_s, self.requests.start_s, self.requests.ended, times_s)

    def in_flight(self, times_s: ArrayLike) -> NDArray[np.int64]:
        """Return how many requests have arrived and not ended at each time."""
        return _between(self.requests.arrival_s, self.requests.end_s, self.requests.ended, times_s)

    def summary(self) -> ServiceSummary:
        """Return the measures of the service."""
        times = self.requests
        ended = times.ended
        prompts, outputs = int(times.prompt_tokens[ended].sum()), int(times.output_tokens[ended].sum())
        busy, on = math.fsum(r.busy_s for r in self.replicas), math.fsum(r.on_s for r in self.replicas)
        costs = [use.cost_usd for use in self.replicas]
        cost = None if None in costs else math.fsum(c for c in costs if c is not None)
        energy = math.fsum(use.energy_j for use in self.replicas)
        return ServiceSummary(
            requests=len(ended),
            rejected=int(np.sum(~ended)),
            preemptions=int(times.preemptions.sum()),
            restarts=int(times.restarts.sum()),
            span_s=self.span_s,
            requests_per_s=_ratio(int(np.sum(ended)), self.span_s) or 0.0,
            input_tokens_per_s=_ratio(prompts, self.span_s) or 0.0,
            output_tokens_per_s=_ratio(outputs, self.span_s) or 0.0,
            ttft_s=latency(times.ttft_s),
            tpot_s=latency(times.tpot_s),
            e2e_s=latency(times.e2e_s),
            wait_s=latency(times.wait_s),
            busy_share=_ratio(busy, on) or 0.0,
            mean_batch=_ratio(math.fsum(use.batch_s for use in self.replicas), busy) or 0.0,
            prefix_hit_share=_ratio(sum(use.hit_tokens for use in self.replicas), prompts) or 0.0,
            replica_hours=on / SECONDS_PER_HOUR,
            device_hours=math.fsum(use.on_s * use.devices for use in self.replicas) / SECONDS_PER_HOUR,
            cost_usd=cost,
            usd_per_million_output_tokens=None if cost is None else _ratio(cost * MILLION, outputs),
            energy_j=energy,
            joules_per_output_token=_ratio(energy, outputs),
        )


def latency(seconds: Times) -> Latency:
    """Return mean and percentiles of the requests that have a latency.

    >>> latency(np.array([1.0, 2.0, 3.0, np.nan])).p50
    2.0
    """
    known = seconds[np.isfinite(seconds)]
    if not known.size:
        return Latency(None, None, None, None, None)
    p50, p90, p95, p99 = (float(value) for value in np.percentile(known, (50, 90, 95, 99)))
    return Latency(float(known.mean()), p50, p90, p95, p99)


def _between(starts_s: Times, ends_s: Times, ended: NDArray[np.bool_], times_s: ArrayLike) -> NDArray[np.int64]:
    at = np.asarray(times_s)
    come = np.searchsorted(np.sort(starts_s[ended]), at, side="right")
    gone = np.searchsorted(np.sort(ends_s[ended]), at, side="right")
    return np.asarray(come - gone, dtype=np.int64)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
