"""Task: a pipeline of stages sized for its steady rate, then simulated through a spike with each stage autoscaled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError
from groundplan.estimate.inference import vision_replica
from groundplan.estimate.replica import Replica
from groundplan.estimate.serving import replica_of
from groundplan.evidence import Result
from groundplan.simulate.arrivals import poisson_arrivals
from groundplan.simulate.fleet import Fleet, simulate_service
from groundplan.simulate.pool import Autoscaling, Pool
from groundplan.simulate.requests import make_requests
from groundplan.simulate.results import Latency, ServiceResult, latency
from groundplan.tasks.cost import CostRequest, cost
from groundplan.tasks.serve_request import ServeRequest, resolve
from groundplan.workload.model import SampleModel
from groundplan.workload.pipeline import PipelineBrief, Stage

Times = NDArray[np.float64]
STEADY_S = 180.0
"""Seconds of steady arrivals before and after the spike."""
SATURATING = 400
"""Items of the simulation that finds what a replica can take, for each slot of its batch at most."""


@dataclass(frozen=True, slots=True)
class StagePlan(Result):
    """A stage: its replicas, what one of them takes, how it scales, and how it went through the spike."""

    name: str
    model: str
    accelerator: str
    devices: int
    capacity_per_s: float  # items a replica can take
    replicas: int
    most_replicas: int
    busy_share: float
    busy_share_steady: float
    mean_batch: float
    batch: int
    target_in_flight: float
    queue_p95: float
    queue_most: int
    latency_s: Latency
    start_s: float
    usd_per_hour: float | None


@dataclass(frozen=True, slots=True)
class PipelineVerdict(Result):
    """The first line."""

    feasible: bool
    headline: str


@dataclass(frozen=True, slots=True)
class PlanPipelineResult(Result):
    """The answer to a pipeline brief."""

    schema: str
    tool_version: str
    catalog_version: str
    as_of: str
    verdict: PipelineVerdict
    rate_per_s: float
    peak: float
    spike_s: float
    utilization: float
    e2e_p95_s: float | None
    stages: tuple[StagePlan, ...]
    ratio: str
    e2e_steady_s: Latency
    e2e_spike_s: Latency
    usd_per_1000: float | None
    usd_per_hour: float | None
    warnings: tuple[str, ...]
    definitions: Mapping[str, str]


DEFINITIONS = {
    "ratio": "accelerators of the stages at the steady rate",
    "capacity": "items a replica ends when it never waits for any",
    "1,000 items": "replicas of the steady rate for the time of 1,000 items",
    "e2e": "from the arrival of an item to the end of its last stage, queues included",
}


def plan_pipeline(brief: PipelineBrief, catalog: Catalog) -> PlanPipelineResult:
    """Size every stage for the utilisation asked for, and simulate a spike.

    Raises
    ------
    InputError
        A stage's model does not fit, or nothing is known of it.
    """
    generator = np.random.default_rng(0)
    arrivals = _arrivals(brief, generator)
    spike = (arrivals >= STEADY_S) & (arrivals < STEADY_S + brief.spike_s)
    steady = arrivals < STEADY_S
    at, order = arrivals, np.arange(len(arrivals))
    done = np.zeros(len(arrivals))
    plans: list[StagePlan] = []
    for stage in brief.stages:
        replica = _replica(stage, brief, catalog)
        plan, ended = _staged(stage, replica, brief, at[order])
        plans.append(plan)
        done[order] = ended
        at, order = done.copy(), np.argsort(done, kind="stable")
    e2e = done - arrivals
    hourly = [plan.usd_per_hour for plan in plans]
    total = None if None in hourly else math.fsum(price for price in hourly if price is not None)
    slow, fast = latency(e2e[spike]), latency(e2e[steady])
    kept = brief.e2e_p95_s is None or (slow.p95 is not None and slow.p95 <= brief.e2e_p95_s)
    ratio = _ratio([plan.replicas * plan.devices for plan in plans])
    return PlanPipelineResult(
        schema="groundplan/plan-pipeline/1",
        tool_version=__version__,
        catalog_version=catalog.version,
        as_of=brief.as_of,
        verdict=PipelineVerdict(kept, _headline(brief, plans, ratio, slow, kept)),
        rate_per_s=brief.rate_per_s,
        peak=brief.peak,
        spike_s=brief.spike_s,
        utilization=brief.utilization,
        e2e_p95_s=brief.e2e_p95_s,
        stages=tuple(plans),
        ratio=ratio,
        e2e_steady_s=fast,
        e2e_spike_s=slow,
        usd_per_1000=None if total is None else total / 3600.0 * 1000.0 / brief.rate_per_s,
        usd_per_hour=total,
        warnings=_warnings(brief, plans),
        definitions=DEFINITIONS,
    )


def _arrivals(brief: PipelineBrief, generator: np.random.Generator) -> Times:
    """Poisson arrivals: steady, the spike, steady again."""
    parts, start = [], 0.0
    for seconds, rate in ((STEADY_S, 1.0), (brief.spike_s, brief.peak), (STEADY_S, 1.0)):
        count = max(int(1.5 * brief.rate_per_s * rate * seconds) + 20, 1)
        times = poisson_arrivals(count, brief.rate_per_s * rate, generator)
        parts.append(start + times[times < seconds])
        start += seconds
    return np.concatenate(parts)


def _replica(stage: Stage, brief: PipelineBrief, catalog: Catalog) -> Replica:
    accelerator = catalog.accelerators[stage.accelerator]
    hourly = stage.usd_per_accelerator_hour
    if hourly is None:
        try:
            asked = CostRequest(accelerators=1, hours=1.0, accelerator=accelerator.id, purchase=brief.purchase)
            hourly = cost(asked, catalog).price.usd_per_accelerator_hour
        except InputError:
            hourly = None
    if isinstance(stage.model, SampleModel):
        return vision_replica(stage.model, stage.precision, accelerator, catalog, stage.batch, hourly)
    request = ServeRequest(
        stage.model.id,
        accelerator.id,
        tp=stage.tp,
        engine=stage.engine,
        precision=stage.precision,
        kv_precision=stage.kv_precision,
        prompt=stage.prompt,
        output=stage.output,
        max_sequences=stage.batch,
        price=hourly,
    )
    setting, _ = resolve(request, catalog)
    context = float(stage.prompt + stage.output)
    if setting.pool.tokens < context:
        raise InputError(
            f"{stage.model.id} does not fit on {stage.tp} x {accelerator.name} (stage {stage.name})",
            "raise its tp, or choose a narrower precision",
        )
    return replica_of(setting, context, None if hourly is None else hourly * stage.tp)


def _staged(stage: Stage, replica: Replica, brief: PipelineBrief, at: Times) -> tuple[StagePlan, Times]:
    """Size a stage, run its items through it, and return the plan with the time at which each item ends."""
    capacity = _capacity(stage, replica)
    replicas = max(1, math.ceil(brief.rate_per_s / (capacity * brief.utilization)))
    most = max(replicas, math.ceil(brief.rate_per_s * brief.peak / (capacity * brief.utilization)))
    # At the utilisation asked for, Little's law gives what a replica holds: the autoscaler keeps it there.
    steady = _served(stage, Pool(replica, replicas), at[at < at[0] + STEADY_S])
    in_flight = steady.summary().requests_per_s * (steady.summary().e2e_s.mean or 0.0) / replicas
    target = max(1.5 * in_flight, 1.0)
    run = _served(stage, Pool(replica, replicas, autoscaling=Autoscaling(target, replicas, most)), at)
    summary = run.summary()
    moments = np.linspace(at[0], run.end_s, 2000)
    queue = run.queue_length(moments)
    plan = StagePlan(
        name=stage.name,
        model=stage.model.id,
        accelerator=stage.accelerator,
        devices=replica.devices,
        capacity_per_s=capacity,
        replicas=replicas,
        most_replicas=most,
        busy_share=summary.busy_share,
        busy_share_steady=min(brief.rate_per_s / (capacity * replicas), 1.0),
        mean_batch=summary.mean_batch,
        batch=stage.batch,
        target_in_flight=target,
        queue_p95=float(np.percentile(queue, 95)),
        queue_most=int(queue.max()),
        latency_s=summary.e2e_s,
        start_s=replica.start_s,
        usd_per_hour=None if replica.usd_per_hour is None else replica.usd_per_hour * replicas,
    )
    return plan, run.requests.end_s


def _capacity(stage: Stage, replica: Replica) -> float:
    """Items a second that a replica ends when its clients keep its batch full."""
    clients = 2 * replica.max_sequences
    count = min(max(4 * clients, SATURATING), 20_000)
    run = simulate_service(_items(stage, np.zeros(count)), Fleet(Pool(replica)), clients=clients)
    return float(run.summary().requests_per_s)


def _served(stage: Stage, pool: Pool, at: Times) -> ServiceResult:
    return simulate_service(_items(stage, at), Fleet(pool))


def _items(stage: Stage, at: Times) -> Any:
    vision = isinstance(stage.model, SampleModel)
    ones = np.ones(len(at))
    return make_requests(at, ones if vision else ones * stage.prompt, ones if vision else ones * stage.output)


def _ratio(accelerators: list[int]) -> str:
    """Accelerators of the stages, over their common divisor."""
    divisor = math.gcd(*accelerators)
    return " : ".join(str(count // divisor) for count in accelerators)


def _headline(brief: PipelineBrief, plans: list[StagePlan], ratio: str, spike: Latency, kept: bool) -> str:
    stages = ", ".join(f"{plan.replicas * plan.devices} {plan.accelerator} for {plan.name}" for plan in plans)
    said = (
        f"{stages} ({ratio}) at {brief.rate_per_s:g} items/s; p95 in a {brief.peak:g}x spike {spike.p95 or 0.0:,.2f} s"
    )
    if kept:
        return f"Feasible: {said}"
    return f"Not feasible: {said}, over {brief.e2e_p95_s:g} s"


def _warnings(brief: PipelineBrief, plans: list[StagePlan]) -> tuple[str, ...]:
    return tuple(
        f"{plan.name} runs {plan.busy_share_steady:.0%} busy at the steady rate, not the {brief.utilization:.0%} asked "
        "for: whole replicas are more than it needs"
        for plan in plans
        if plan.busy_share_steady < 0.75 * brief.utilization
    )
