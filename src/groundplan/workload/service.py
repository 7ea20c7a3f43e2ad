"""A service: which model answers what traffic, how fast, on what candidates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from groundplan.evidence import Assumption
from groundplan.workload.job import Candidates
from groundplan.workload.model import TransformerModel


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests a second on average and at the peak, with their mean tokens; or the trace they come from."""

    rate_per_s: float
    peak: float  # rate at the busiest over the mean
    prompt: int
    output: int
    cached_fraction: float  # of prompt tokens that a prefix cache holds
    requests: Path | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What 95 % of the requests must keep; None = no limit. Seconds."""

    ttft_p95_s: float | None
    tpot_p95_s: float | None
    e2e_p95_s: float | None


@dataclass(frozen=True, slots=True)
class ServingBrief:
    """The resolved question of a service."""

    model: TransformerModel
    traffic: Traffic
    limits: Limits
    engines: tuple[str, ...]  # ids of catalog `engines`
    precisions: tuple[str, ...]  # formats of the weights
    kv_precision: str
    most_devices: int  # of one replica
    budget_usd_per_month: float | None
    price_usd_per_accelerator_hour: float | None
    candidates: Candidates
    as_of: str
    resolved: dict[str, object]
    assumptions: tuple[Assumption, ...] = ()
