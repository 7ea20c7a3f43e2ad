"""The answer to a serving brief."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundplan.evidence import Assumption, Result
from groundplan.plan.search import Rejected


@dataclass(frozen=True, slots=True)
class ServiceDesign(Result):
    """A fleet: replicas for the mean and for the busiest rate, what they do and cost."""

    name: str
    accelerator: str
    instance: str | None
    provider: str | None
    engine: str
    deployment: Mapping[str, Any]  # of a replica; of one that decodes, where prompts are computed apart
    disaggregation: Mapping[str, Any] | None
    devices: int  # of a replica, or of both pools
    replicas: int
    most_replicas: int
    target_in_flight: float
    rate_per_replica: float
    max_sequences: int
    max_batched_tokens: int
    kv_tokens: int
    ttft_p95_s: float | None
    tpot_p95_s: float | None
    e2e_p95_s: float | None
    attainment: float | None
    hosts: int  # whole ones, of the instance, that the replicas fill
    usd_per_hour: float
    usd_per_month: float
    usd_per_month_at_peak: float
    usd_per_million_output: float
    reason: str


@dataclass(frozen=True, slots=True)
class FrontPoint(Result):
    """One deployment of the front of cost against latency."""

    name: str
    usd_per_million_output: float
    ttft_s: float
    tpot_s: float


@dataclass(frozen=True, slots=True)
class ServiceVerdict(Result):
    """The first line."""

    feasible: bool
    headline: str


@dataclass(frozen=True, slots=True)
class PlanServingResult(Result):
    """The answer to a serving brief."""

    schema: str
    tool_version: str
    catalog_version: str
    as_of: str
    verdict: ServiceVerdict
    model: str
    traffic: Mapping[str, float]
    limits: Mapping[str, float | None]
    recommended: ServiceDesign | None
    alternatives: tuple[ServiceDesign, ...]
    nearest: tuple[ServiceDesign, ...]
    disaggregation: str  # whether prefill and decode apart win, or why they lost
    pareto: tuple[FrontPoint, ...]
    rejected: tuple[Rejected, ...]
    considered: int
    fitting: int
    assumptions: tuple[Assumption, ...]
    warnings: tuple[str, ...]
    brief: Mapping[str, Any]
