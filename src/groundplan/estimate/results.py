"""The answer for one design: what it is, how long, how much, what it needs. Field names are the JSON contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from groundplan.evidence import Prediction, Result, Term


@dataclass(frozen=True, slots=True)
class LayoutChoice(Result):
    """One parallel layout, by name."""

    tp: int
    pp: int
    vpp: int
    cp: int
    ep: int
    dp: int
    zero: int
    shard: int
    micro_batch: int
    gradient_accumulation: int
    recompute: str
    recompute_layers: int  # layers of each stage computed again in full
    precision: str
    sequence_parallel: bool
    offload: bool
    schedule: str  # none | 1f1b | interleaved | zero-bubble
    stack: str


@dataclass(frozen=True, slots=True)
class PriceUsed(Result):
    """The price a cost was computed with."""

    usd_per_hour: float
    usd_per_accelerator_hour: float
    date: str
    age_days: int | None
    evidence: str
    source: str


@dataclass(frozen=True, slots=True)
class MemoryNeed(Result):
    """Peak memory of the fullest device; the terms sum to the total."""

    total_bytes: Prediction
    capacity_bytes: float
    fits: bool
    terms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CollectiveNeed(Result):
    """One kind of traffic of a step."""

    name: str
    group: str
    ranks: int
    bytes_per_step: float
    scope: str  # inside a domain | across domains
    time_s: float
    exposed_s: float


@dataclass(frozen=True, slots=True)
class NetworkNeed(Result):
    """What the scale-out network must carry for one device, and whether the fabric does.

    `needed_bits_per_s` is what one device sends across domains in a step over the time of the step. The fabric is fine
    when what it fails to hide under compute is at most a tenth of the step.
    """

    fabric: str
    collectives: tuple[CollectiveNeed, ...]
    needed_bits_per_s: float
    available_bits_per_s: float
    fabric_ok: bool


@dataclass(frozen=True, slots=True)
class StorageNeed(Result):
    """What storage must deliver, and the cheapest product that does."""

    product: str | None
    read_bytes_per_s: float
    checkpoint_bytes: float
    write_bytes_per_s: float
    capacity_bytes: float
    provisioned_bytes: float | None
    ok: bool
    usd_per_month: float | None


@dataclass(frozen=True, slots=True)
class CheckpointPlan(Result):
    """How often to save, what it costs, and what failures leave."""

    bytes: float
    write_s: float
    stall_s: float
    mtbf_s: float
    interval_s: float
    goodput: float


@dataclass(frozen=True, slots=True)
class Relaxed(Result):
    """The one limit a nearest feasible answer does not keep. `by` is needed / limit."""

    constraint: str
    limit: float
    needed: float
    by: float
    unit: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DesignResult(Result):
    """One candidate answer with everything a user asks of it."""

    provider: str
    instance: str
    region: str
    accelerator: str
    accelerators: int
    nodes: int
    purchase: str
    price: PriceUsed | None
    layout: LayoutChoice
    step_s: Prediction
    run_s: Prediction
    cost_usd: Prediction | None
    energy_j: Prediction | None
    carbon_kg: Prediction | None
    mfu: Prediction
    goodput: Prediction
    unit: str  # of the work: tokens, or samples of a vision model
    tokens: float
    tokens_per_s: Prediction
    memory: MemoryNeed
    step_terms: Mapping[str, float]
    run_terms: Mapping[str, float]
    cost_terms: Mapping[str, float]
    network: NetworkNeed
    storage: StorageNeed
    checkpoint: CheckpointPlan
    relaxed: Relaxed | None
    reason: str
    explain: Mapping[str, Term]
