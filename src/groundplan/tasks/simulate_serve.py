"""Task: what becomes of every request when a fleet of replicas serves a trace, real or drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.errors import UnknownName
from groundplan.estimate.replica import Replica
from groundplan.estimate.serving import ServingSetting, replica_of
from groundplan.estimate.serving_room import too_small
from groundplan.evidence import Assumption, Result
from groundplan.plan.hosting import replicas_of
from groundplan.simulate.chrome import chrome_events
from groundplan.simulate.fleet import Fleet, simulate_service
from groundplan.simulate.pool import Autoscaling, Pool
from groundplan.simulate.results import ServiceResult, ServiceSummary
from groundplan.simulate.routing import Routing
from groundplan.tasks.request_lengths import check_lengths
from groundplan.tasks.serve_assumptions import assumptions_of, deployed, price_told
from groundplan.tasks.serve_pools import told_design
from groundplan.tasks.serve_request import bill_of, resolve, resolve_pools
from groundplan.tasks.simulate_bounds import check_events
from groundplan.tasks.simulate_serve_request import SimulateServeRequest, replica_asked, requests_of, told_request

POINTS = 60
"""Moments at which the queue is shown."""
SLOWEST = 10
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Moment(Result):
    """How many requests wait and are in flight at a time."""

    at_s: float
    queued: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class SimulateServeResult(Result):
    """The measures of a simulated service, its course, and the slowest requests."""

    schema: str
    tool_version: str
    catalog_version: str
    headline: str
    model: str
    accelerator: str
    engine: str
    deployment: Mapping[str, Any]  # of a replica; of one that decodes, where prompts are computed apart
    disaggregation: Mapping[str, Any] | None
    devices: int
    replicas: int
    kv_tokens: int
    price: Mapping[str, Any] | None  # as of `serve`
    request: Mapping[str, Any]  # all that was asked, every default filled in: the same again gives the same answer
    summary: ServiceSummary
    limits: Mapping[str, float | None]
    attainment: float | None
    goodput_per_s: float | None
    course: tuple[Moment, ...]
    slowest: tuple[Mapping[str, float], ...]
    definitions: Mapping[str, str]
    assumptions: tuple[Assumption, ...]
    warnings: tuple[str, ...]


DEFINITIONS = {
    "ttft_s": "from the arrival of a request to its first token, queueing, hand-over and front end included",
    "tpot_s": "(last token - first token) / (tokens - 1); requests of one token have none",
    "attainment": "share of all requests, the rejected included, that keep every limit",
    "busy_share": "share of the time replicas are on in which they compute",
}


@dataclass(frozen=True, slots=True)
class Simulated:
    """The answer, and the run it sums up."""

    result: SimulateServeResult
    service: ServiceResult

    def to_dict(self) -> dict[str, Any]:
        """Return the answer by the JSON contract."""
        return self.result.to_dict()

    def trace(self) -> dict[str, Any]:
        """Return the recorded iterations as a Chrome trace."""
        other = {"schema": "groundplan/trace/1", "tool_version": __version__}
        return {"otherData": other, "traceEvents": list(chrome_events(self.service)), "displayTimeUnit": "ms"}

    def rows(self) -> list[dict[str, float]]:
        """Return every request with its times."""
        return request_rows(self.service, range(len(self.service.requests.arrival_s)))


def simulate_serve(request: SimulateServeRequest, catalog: Catalog, record: bool = False) -> Simulated:
    """Simulate a fleet and return what happened; `record` keeps what a trace of all iterations needs.

    Raises
    ------
    InputError, UnknownName
        A name is unknown, a value impossible, a trace malformed, or the model does not fit.
    """
    requests = requests_of(request)
    context = float(np.mean(requests.prompt_tokens + requests.output_tokens))
    asked = replica_asked(request, requests)
    setting, _ = resolve(asked, catalog)
    check_lengths(requests, setting.model, catalog)
    check_events(
        requests,
        setting,
        request.replicas + request.prefill_replicas,
        request.mtbf_s,
        request.target_in_flight is not None,
        closed=request.clients is not None,
    )
    apart = resolve_pools(asked, setting, catalog)
    kinds = replicas_of(
        setting.deployment, apart.design if apart else None, count=1 if apart else max(request.replicas, 1)
    )
    bill = bill_of(asked, setting.accelerator.id, kinds, catalog)
    # A device costs its part of the hosts that the whole fleet fills.
    each = None if bill is None else bill.usd_per_hour / sum(one.devices * one.count for one in kinds)
    replica = _replica(setting, context, each)
    if replica.kv_tokens < context:
        raise too_small(setting, context)
    fleet = Fleet(_pool(request, replica))
    if apart is not None:
        prompts = Pool(_replica(apart.prefill, context, each), request.prefill_replicas)
        fleet = Fleet(fleet.pool, prompts, apart.pools.link_bytes_per_s)
    service = simulate_service(requests, fleet, clients=request.clients, seed=request.seed, record=record)
    summary = service.summary()
    limits = {"ttft_s": request.ttft_s, "tpot_s": request.tpot_s, "e2e_s": request.e2e_s}
    stated = {name: limit for name, limit in limits.items() if limit is not None}
    result = SimulateServeResult(
        schema="groundplan/simulate-serve/1",
        tool_version=__version__,
        catalog_version=catalog.version,
        headline=_headline(summary, stated, service),
        model=setting.model.id,
        accelerator=setting.accelerator.id,
        engine=setting.engine.id,
        deployment=deployed(setting.deployment),
        disaggregation=told_design(apart.design) if apart else None,
        devices=setting.deployment.devices,
        replicas=request.replicas,
        kv_tokens=replica.kv_tokens,
        price=price_told(bill),
        request=told_request(request, setting),
        summary=summary,
        limits=limits,
        attainment=service.attainment(**stated) if stated else None,
        goodput_per_s=service.goodput(**stated) if stated else None,
        course=_course(service),
        slowest=tuple(request_rows(service, _slowest(service))),
        definitions=DEFINITIONS,
        assumptions=assumptions_of(asked, setting),
        warnings=_warnings(summary),
    )
    return Simulated(result, service)


def _replica(setting: ServingSetting, context: float, usd_per_device_hour: float | None) -> Replica:
    devices = setting.deployment.devices
    return replica_of(setting, context, None if usd_per_device_hour is None else usd_per_device_hour * devices)


def _pool(request: SimulateServeRequest, replica: Replica) -> Pool:
    if request.routing not in tuple(Routing):
        raise UnknownName("routing", request.routing, [one.value for one in Routing])
    scaling = None
    if request.target_in_flight is not None:
        most = request.most or max(request.replicas, 1)
        scaling = Autoscaling(request.target_in_flight, request.least, most)
    return Pool(replica, request.replicas, Routing(request.routing), scaling, request.mtbf_s)


def _slowest(service: ServiceResult) -> Sequence[int]:
    e2e = np.where(service.requests.ended, service.requests.e2e_s, -math.inf)
    return [int(place) for place in np.argsort(-e2e, kind="stable")[:SLOWEST] if service.requests.ended[place]]


def request_rows(service: ServiceResult, places: Sequence[int] | range) -> list[dict[str, float]]:
    """Return requests with their times, one mapping each."""
    times = service.requests
    columns = {
        "arrival_s": times.arrival_s,
        "prompt_tokens": times.prompt_tokens,
        "output_tokens": times.output_tokens,
        "wait_s": times.wait_s,
        "ttft_s": times.ttft_s,
        "tpot_s": times.tpot_s,
        "e2e_s": times.e2e_s,
        "replica": times.replica,
        "preemptions": times.preemptions,
        "restarts": times.restarts,
    }
    plain = {name: column.tolist() for name, column in columns.items()}
    return [{"request": place, **{name: column[place] for name, column in plain.items()}} for place in places]


def _course(service: ServiceResult) -> tuple[Moment, ...]:
    at = np.linspace(float(service.requests.arrival_s[0]), service.end_s, POINTS)
    queued, flying = service.queue_length(at), service.in_flight(at)
    return tuple(Moment(float(t), int(q), int(f)) for t, q, f in zip(at, queued, flying, strict=True))


def _headline(summary: ServiceSummary, limits: Mapping[str, float], service: ServiceResult) -> str:
    said = (
        f"{summary.requests - summary.rejected:,} of {summary.requests:,} requests answered in {summary.span_s:,.0f} s"
    )
    if summary.ttft_s.p95 is not None:
        said += f": first token {summary.ttft_s.p50:,.2f} s, p95 {summary.ttft_s.p95:,.2f} s"
    if summary.tpot_s.p95 is not None and summary.tpot_s.p50 is not None:
        said += f", token {1e3 * summary.tpot_s.p50:,.1f} ms, p95 {1e3 * summary.tpot_s.p95:,.1f} ms"
    if limits:
        said += f"; {100 * service.attainment(**limits):.1f} % keep the limits"
    return said


def _warnings(summary: ServiceSummary) -> tuple[str, ...]:
    said = []
    if summary.rejected:
        said.append(f"{summary.rejected:,} requests are longer than the cache of a replica and were rejected")
    if summary.preemptions:
        said.append(f"{summary.preemptions:,} times a request was put back and computed again: the cache ran full")
    return tuple(said)
