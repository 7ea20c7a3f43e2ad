"""Task: one serving brief in, the cheapest deployment that keeps its limits out, settled by simulation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.plan.search import Rejected
from groundplan.plan.serving import Deployable, search_services
from groundplan.progress import over
from groundplan.quantities import format_seconds
from groundplan.simulate.requests import Requests
from groundplan.simulate.results import ServiceResult
from groundplan.simulate.traces import read_requests
from groundplan.tasks.plan_serving_losers import losers, nearest_of
from groundplan.tasks.plan_serving_pools import why_apart
from groundplan.tasks.plan_serving_result import FrontPoint, PlanServingResult, ServiceDesign, ServiceVerdict
from groundplan.tasks.plan_serving_settle import attained, settled_by_rate, settled_by_trace
from groundplan.tasks.request_lengths import check_lengths
from groundplan.tasks.serve_pools import told_design
from groundplan.workload.service import Limits, ServingBrief, Traffic

FINALISTS = 4
"""Deployments, cheapest first and of different accelerators or formats, that a simulation settles."""
HOPEFUL = 1.5
"""Price over the cheapest up to which a simulation settles two pools, or a design on a trace."""
TOO_LARGE = "more devices (serve.max_devices), narrower weights (serve.precision) or larger accelerators would hold it"
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
    if requests is not None:
        check_lengths(requests, brief.model, catalog)
    found = search_services(brief, catalog)
    finalists = _finalists(found.good, brief.traffic.rate_per_s)
    designs = sorted(_settled(finalists, brief, requests), key=lambda one: (one.usd_per_month, one.devices))
    best = designs[0] if designs else None
    nearest = tuple(
        _design(deployable, brief, None, _could(excess, what, brief.limits))
        for excess, what, deployable in nearest_of(found, brief)
    )
    within = best is not None and (
        brief.budget_usd_per_month is None or best.usd_per_month <= brief.budget_usd_per_month
    )
    alternatives = _alternatives(found.good, designs, brief)
    shown = (*designs, *alternatives, *(() if best else nearest))
    rejected = losers(found, shown, best, brief.traffic.rate_per_s)
    return PlanServingResult(
        schema="groundplan/plan-serve/1",
        tool_version=__version__,
        catalog_version=catalog.version,
        as_of=brief.as_of,
        verdict=ServiceVerdict(within, _headline(brief, best, nearest, within, rejected)),
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
        alternatives=alternatives,
        nearest=() if best else nearest,
        disaggregation=why_apart(found, designs),
        pareto=_front(found.good, brief),
        rejected=rejected,
        considered=found.considered,
        fitting=len(found.good) + len(found.near),
        assumptions=brief.assumptions,
        warnings=(TOO_LARGE,) if not found.good and not found.near else (),
        brief=brief.resolved,
    )


def _could(excess: float, what: str, limits: Limits) -> str:
    """Say which limit a deployment could keep in place of the one asked for."""
    asked = {"ttft_p95": limits.ttft_p95_s, "tpot_p95": limits.tpot_p95_s, "e2e_p95": limits.e2e_p95_s}[what] or 0.0
    return f"could keep {what} {format_seconds(excess * asked)}, {excess:,.3g} times the limit"


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


def _settled(finalists: list[Deployable], brief: ServingBrief, requests: Requests | None) -> list[ServiceDesign]:
    """Return the designs that keep the limits in a simulation, of the trace itself where the brief names one."""
    designs: list[ServiceDesign] = []
    for finalist in over(finalists, "finalists"):
        if requests is None:
            found = settled_by_rate(finalist, brief)
        else:
            cheapest = min((one.usd_per_hour for one in designs), default=math.inf)
            found = settled_by_trace(finalist, brief, requests, HOPEFUL * cheapest)
        if found is not None:
            how = "in the simulation" if requests is None else "in a replay of the trace"
            designs.append(_design(found.deployable, brief, found.run, f"keeps every limit {how}"))
    return designs


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
        attainment=attained(run, brief.limits) if run is not None else None,
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


def _headline(
    brief: ServingBrief,
    best: ServiceDesign | None,
    nearest: tuple[ServiceDesign, ...],
    within: bool,
    rejected: tuple[Rejected, ...],
) -> str:
    if best is None and not nearest:
        if not rejected:
            return "Not feasible: what keeps the limits by the search does not keep them in the simulation"
        return (
            f"Not feasible: {brief.model.id} fits on none of the candidates; {rejected[0].name}: {rejected[0].reason}"
        )
    if best is None:
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
