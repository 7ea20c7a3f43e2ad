"""Task: one serving brief in, the cheapest deployment that keeps its limits out, settled by simulation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.estimate.serving import replica_of
from groundplan.plan.serving import Deployable, at_rate, search_services
from groundplan.quantities import format_seconds
from groundplan.simulate.arrivals import poisson_arrivals
from groundplan.simulate.fleet import Fleet, simulate_service
from groundplan.simulate.pool import Pool
from groundplan.simulate.requests import Requests, make_requests
from groundplan.simulate.results import ServiceResult
from groundplan.simulate.traces import read_requests
from groundplan.tasks.plan_serving_pools import why_apart
from groundplan.tasks.plan_serving_result import FrontPoint, PlanServingResult, ServiceDesign, ServiceVerdict
from groundplan.tasks.serve_pools import told_design
from groundplan.workload.service import Limits, ServingBrief, Traffic

FINALISTS = 4
"""Deployments, cheapest first and of different accelerators or formats, that a simulation settles."""
SIMULATED = 1500
"""Requests of one simulation of a replica."""
MANY = 3
"""Times as many for two pools, of several replicas each: their beginning and end must not count for more."""
HALVINGS = 6
"""Simulations in which the rate of a replica is settled to a few per cent."""
ATTAINMENT = 0.95
HOPEFUL = 1.5
"""Price of a request in two pools, over the cheapest in one, up to which a simulation settles them."""
HOURS_PER_MONTH = 730.0
ALTERNATIVES = 5
FRONT = 12


def plan_serving(brief: ServingBrief, catalog: Catalog) -> PlanServingResult:
    """Search, settle the finalists by simulation, and decide.

    Raises
    ------
    InputError
        When the brief asks for something that cannot be.
    """
    brief, requests = _with_trace(brief)
    found = search_services(brief, catalog)
    finalists = _finalists(found.good, brief.traffic.rate_per_s)
    settled = [one for one in (_settled(finalist, brief, requests) for finalist in finalists) if one is not None]
    designs = sorted(settled, key=lambda one: (one.usd_per_month, one.devices))
    best = designs[0] if designs else None
    nearest = tuple(
        _design(deployable, brief, None, _could(excess, what, brief.limits))
        for excess, what, deployable in found.near[:3]
    )
    within = best is not None and (
        brief.budget_usd_per_month is None or best.usd_per_month <= brief.budget_usd_per_month
    )
    return PlanServingResult(
        schema="groundplan/plan-serve/1",
        tool_version=__version__,
        catalog_version=catalog.version,
        as_of=brief.as_of,
        verdict=ServiceVerdict(within, _headline(brief, best, nearest, within)),
        model=brief.model.id,
        traffic={
            "rate_per_s": brief.traffic.rate_per_s,
            "peak": brief.traffic.peak,
            "prompt": brief.traffic.prompt,
            "output": brief.traffic.output,
            "cached_fraction": brief.traffic.cached_fraction,
        },
        limits={
            "ttft_p95_s": brief.limits.ttft_p95_s,
            "tpot_p95_s": brief.limits.tpot_p95_s,
            "e2e_p95_s": brief.limits.e2e_p95_s,
        },
        recommended=best,
        alternatives=_alternatives(found.good, designs, brief),
        nearest=() if best else nearest,
        disaggregation=why_apart(found, designs),
        pareto=_front(found.good, brief),
        rejected=found.rejected,
        considered=found.considered,
        fitting=len(found.good) + len(found.near),
        assumptions=brief.assumptions,
        warnings=(),
        brief=brief.resolved,
    )


def _could(excess: float, what: str, limits: Limits) -> str:
    """Say which limit a deployment could keep in place of the one asked for."""
    asked = {"ttft_p95": limits.ttft_p95_s, "tpot_p95": limits.tpot_p95_s, "e2e_p95": limits.e2e_p95_s}[what] or 0.0
    return f"could keep {what} {format_seconds(excess * asked)}, {excess:.2g} times the limit"


def _with_trace(brief: ServingBrief) -> tuple[ServingBrief, Requests | None]:
    """Return the brief with the traffic of its trace, where it names one."""
    path = brief.traffic.requests
    if path is None:
        return brief, None
    requests = read_requests(path)
    span = float(requests.arrival_s[-1] - requests.arrival_s[0]) or 1.0
    rate = brief.traffic.rate_per_s or (len(requests) - 1) / span or 1.0
    traffic = Traffic(
        rate,
        brief.traffic.peak,
        max(int(np.mean(requests.prompt_tokens)), 1),
        max(int(np.mean(requests.output_tokens)), 1),
        brief.traffic.cached_fraction,
        path,
    )
    return replace(brief, traffic=traffic), requests


def _finalists(good: tuple[Deployable, ...], rate_per_s: float) -> list[Deployable]:
    """Return the cheapest deployments, no two of one accelerator and format, and the cheapest of two pools."""
    kinds: dict[object, Deployable] = {}
    for one in good:
        if one.apart is None:
            kinds.setdefault((one.setting.accelerator.id, one.setting.deployment.weights, one.setting.engine.id), one)
    chosen = list(kinds.values())[:FINALISTS]
    pools = [one for one in good if one.apart is not None]
    apart = min(pools, key=lambda one: one.bill(one.replicas_at(rate_per_s)).usd_per_hour, default=None)
    if apart is not None and (not chosen or apart.usd_per_request <= HOPEFUL * chosen[0].usd_per_request):
        chosen.append(apart)
    return chosen


def _settled(deployable: Deployable, brief: ServingBrief, requests: Requests | None) -> ServiceDesign | None:
    """Return the design at the largest rate at which 95 % of simulated requests keep the limits, if there is one."""
    rate, best, kept = deployable.rate_per_s, None, 0.0
    low, high = 0.0, math.inf
    for _ in range(HALVINGS):
        run = _simulated(deployable, brief, requests, rate)
        if _attained(run, brief.limits) >= ATTAINMENT and run.summary().requests_per_s >= 0.9 * rate:
            low, best, kept = rate, run, rate
        else:
            high = rate
        rate = 0.5 * (low + high) if math.isfinite(high) else 1.2 * low
        if math.isfinite(high) and high - low < 0.03 * high:
            break
    if best is None:
        return None
    return _design(at_rate(deployable, kept), brief, best, "keeps every limit in the simulation")


def _simulated(
    deployable: Deployable, brief: ServingBrief, requests: Requests | None, rate_per_s: float
) -> ServiceResult:
    """Simulate one replica or two pools under random arrivals, with the lengths of the trace or of the mean request."""
    traffic, setting = brief.traffic, deployable.setting
    generator = np.random.default_rng(0)
    count = SIMULATED * (1 if deployable.apart is None else MANY)
    if requests is None:
        prompts, outputs = np.full(count, traffic.prompt), np.full(count, traffic.output)
    else:
        drawn = generator.integers(0, len(requests), count)
        prompts, outputs = requests.prompt_tokens[drawn], requests.output_tokens[drawn]
    computed = np.maximum(np.round(prompts * (1.0 - traffic.cached_fraction)), 1)
    times = poisson_arrivals(count, rate_per_s, generator)
    context, apart = float(traffic.prompt + traffic.output), deployable.apart
    fleet = Fleet(Pool(replica_of(setting, context, None)))
    if apart is not None:
        design = apart.design
        prompts_pool = Pool(replica_of(apart.prefill, context, None), design.prefill_replicas)
        decode = replace(fleet.pool, replicas=design.decode_replicas)
        fleet = Fleet(decode, prompts_pool, apart.pools.link_bytes_per_s)
    return simulate_service(make_requests(times, computed, outputs), fleet)


def _attained(run: ServiceResult, limits: Limits) -> float:
    stated = {"ttft_s": limits.ttft_p95_s, "tpot_s": limits.tpot_p95_s, "e2e_s": limits.e2e_p95_s}
    return run.attainment(**{name: limit for name, limit in stated.items() if limit is not None})


def _design(deployable: Deployable, brief: ServingBrief, run: ServiceResult | None, reason: str) -> ServiceDesign:
    setting, traffic = deployable.setting, brief.traffic
    split = setting.deployment
    replicas = deployable.replicas_at(traffic.rate_per_s)
    most = max(replicas, deployable.replicas_at(traffic.rate_per_s * traffic.peak))
    bill, at_peak = deployable.bill(replicas), deployable.bill(most)
    host = bill.rented.host
    summary = run.summary() if run is not None else None
    return ServiceDesign(
        name=deployable.name,
        accelerator=setting.accelerator.id,
        instance=host.id if host else None,
        provider=host.provider if host else None,
        hosts=bill.hosts,
        engine=setting.engine.id,
        deployment={name: getattr(split, name) for name in ("tp", "pp", "dp", "ep", "weights", "kv")},
        disaggregation=None if deployable.apart is None else told_design(deployable.apart.design),
        devices=deployable.devices,
        replicas=replicas,
        most_replicas=most,
        target_in_flight=deployable.in_flight,
        rate_per_replica=deployable.rate_per_s,
        max_sequences=setting.engine.max_sequences,
        max_batched_tokens=setting.engine.max_batched_tokens,
        kv_tokens=int(setting.pool.tokens),
        ttft_p95_s=summary.ttft_s.p95 if summary else None,
        tpot_p95_s=summary.tpot_s.p95 if summary else None,
        e2e_p95_s=summary.e2e_s.p95 if summary else None,
        attainment=_attained(run, brief.limits) if run is not None else None,
        usd_per_hour=bill.usd_per_hour,
        usd_per_month=bill.usd_per_hour * HOURS_PER_MONTH,
        usd_per_month_at_peak=at_peak.usd_per_hour * HOURS_PER_MONTH,
        usd_per_million_output=bill.usd_per_hour / 3600.0 / (traffic.rate_per_s * traffic.output) * 1e6,
        reason=reason,
    )


def _alternatives(
    good: tuple[Deployable, ...], designs: list[ServiceDesign], brief: ServingBrief
) -> tuple[ServiceDesign, ...]:
    """Return the other settled designs, and what the search found behind them, each with the reason it lost."""
    if not designs:
        return ()
    best, shown = designs[0], {one.name for one in designs}
    lost = [replace(one, reason=f"{one.usd_per_month / best.usd_per_month:.2f} times the cost") for one in designs[1:]]
    for deployable in good:
        if len(lost) >= ALTERNATIVES:
            break
        if deployable.name not in shown:
            shown.add(deployable.name)
            design = _design(deployable, brief, None, "")
            ratio = design.usd_per_month / best.usd_per_month
            lost.append(replace(design, reason=f"{ratio:.2f} times the cost by the search, not simulated"))
    return tuple(lost)


def _front(good: tuple[Deployable, ...], brief: ServingBrief) -> tuple[FrontPoint, ...]:
    """Return the deployments that no other beats both in cost and in time per token."""
    front: list[FrontPoint] = []
    fastest = math.inf
    for one in good:
        if one.tpot_s < fastest:
            fastest = one.tpot_s
            hourly = one.bill(one.replicas_at(brief.traffic.rate_per_s)).usd_per_hour
            output = hourly / 3600.0 / (brief.traffic.rate_per_s * brief.traffic.output) * 1e6
            front.append(FrontPoint(one.name, output, one.ttft_s, one.tpot_s))
    return tuple(front[:FRONT])


def _headline(brief: ServingBrief, best: ServiceDesign | None, nearest: tuple[ServiceDesign, ...], within: bool) -> str:
    if best is None:
        if not nearest:
            return f"Not feasible: {brief.model.id} fits on none of the candidates"
        first = nearest[0]
        return (
            f"Not feasible: nothing keeps the limits; nearest is {first.name}, which {first.reason}, "
            f"for ${first.usd_per_month:,.0f} a month"
        )
    said = (
        f"{best.replicas} x ({best.name}) for {brief.traffic.rate_per_s:g} requests/s: "
        f"${best.usd_per_month:,.0f} a month, up to {best.most_replicas} replicas at the peak"
    )
    if not within:
        return f"Not feasible: {said}, over the budget of ${brief.budget_usd_per_month:,.0f}"
    return f"Feasible: {said}"
