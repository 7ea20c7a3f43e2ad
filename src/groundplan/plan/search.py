"""The search of the main job: every host, count, precision and layout that the brief allows, scored and ranked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Host
from groundplan.design.cluster import Cluster
from groundplan.errors import GroundplanError
from groundplan.estimate.flops import training_flops_per_token
from groundplan.estimate.results import DesignResult
from groundplan.estimate.training import assess
from groundplan.plan.layouts import Fastest, Workshop, fastest_layouts
from groundplan.plan.offers import candidate_hosts, clusters, node_counts, tariffs
from groundplan.plan.scoring import MemoryShortfall, around, sized, workshop_for
from groundplan.plan.space import check_fixed
from groundplan.workload.job import Brief, Objective

LEAST_GOODPUT = 0.1
"""Designs whose failures leave less useful time than this are no answer."""
UNSTATED_PRECISIONS = ("bf16", "fp16", "fp32")
"""Tried in this order when the brief states no precision: the first the accelerator has."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A candidate that was left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """Everything a search found."""

    designs: tuple[DesignResult, ...]
    rejected: tuple[Rejected, ...]
    shortfalls: tuple[MemoryShortfall, ...]
    candidates: int
    fitting: int
    scored: int


def search(brief: Brief, catalog: Catalog, limit: int | None) -> Found:
    """Score the fastest layout of every host, count and precision under every tariff.

    `limit` bounds the accelerators. Hosts that are the same to the laws (same parts, same network) share one search
    over layouts. A host that cannot win is not searched: its bound says so in `rejected`.

    Raises
    ------
    InputError
        When a fixed size is impossible, or no host matches.
    """
    check_fixed(brief.job, brief.overrides)
    hosts = candidate_hosts(brief, catalog)
    rejected: list[Rejected] = []
    hosts = _worth_searching(hosts, brief, catalog, rejected)
    known: dict[tuple[object, ...], Fastest] = {}
    designs: list[DesignResult] = []
    shortfalls: list[MemoryShortfall] = []
    for host in hosts:
        offers = tariffs(host, brief, catalog)
        if not offers:
            rejected.append(Rejected(host.id, "no price in the regions asked for"))
            continue
        counts = node_counts(host, brief, limit)
        if not counts:
            rejected.append(Rejected(host.id, f"its {host.accelerators} accelerators do not fit the number asked for"))
            continue
        counts = _in_time(host, counts, brief, catalog, rejected)
        for cluster in clusters(host, catalog, counts, brief.candidates.fabric):
            for workshop in _workshops(brief, catalog, cluster, rejected):
                fastest = _shared(known, workshop, brief)
                if not fastest.layouts:
                    if fastest.least_layout is not None:
                        shortfalls.append(
                            MemoryShortfall(
                                cluster,
                                workshop.setting.precision.id,
                                fastest.least_layout,
                                fastest.least_peak_bytes,
                                workshop.capacity_bytes,
                            )
                        )
                    continue
                layout = fastest.layouts[0][1]
                for tariff in offers:
                    design = assess(sized(workshop, layout), around(tariff, brief, catalog))
                    if design.goodput.value < LEAST_GOODPUT:
                        lost = f"{cluster.accelerators} of them, {tariff.option}: failures leave too little useful time"
                        rejected.append(Rejected(host.id, lost))
                    else:
                        designs.append(design)
    return Found(
        tuple(designs),
        tuple(dict.fromkeys(rejected)),
        tuple(shortfalls),
        sum(f.candidates for f in known.values()),
        sum(f.fitting for f in known.values()),
        len(designs),
    )


def _workshops(brief: Brief, catalog: Catalog, cluster: Cluster, rejected: list[Rejected]) -> Iterable[Workshop]:
    """Yield one workshop per precision the brief allows and the accelerator has."""
    accelerator = cluster.accelerator
    wanted: Sequence[str] = brief.job.precisions
    if not wanted:
        wanted = [p for p in UNSTATED_PRECISIONS if catalog.precisions[p].gemm in accelerator.flops][:1]
        if not wanted:
            rejected.append(Rejected(accelerator.id, "its rate for training precisions is unknown"))
    for name in wanted:
        try:
            yield workshop_for(brief, catalog, cluster, catalog.precision(name))
        except GroundplanError as error:
            rejected.append(Rejected(accelerator.id, str(error)))


def _shared(known: dict[tuple[object, ...], Fastest], workshop: Workshop, brief: Brief) -> Fastest:
    """Search the layouts once for all clusters that are the same to the laws."""
    setting, cluster = workshop.setting, workshop.setting.cluster
    key = (
        cluster.accelerator.id,
        cluster.accelerators,
        cluster.host.accelerators,
        cluster.host.memory_bytes,
        repr(workshop.rates),
        setting.precision.id,
        setting.stack.id,
    )
    if key not in known:
        known[key] = fastest_layouts(workshop, brief.overrides, keep=1)
    return known[key]


def _in_time(host: Host, counts: list[int], brief: Brief, catalog: Catalog, rejected: list[Rejected]) -> list[int]:
    """Drop the numbers of hosts that miss the deadline even if nothing but matrix products took time.

    The largest number is kept: it shows by how much the deadline is missed.
    """
    peak = _best_peak(host, brief, catalog)
    if brief.goal.deadline_s is None or peak is None:
        return counts
    work = training_flops_per_token(brief.job) * brief.job.tokens
    least = work / (peak * brief.goal.deadline_s * host.accelerators)
    kept = [count for count in counts if count >= least] or counts[-1:]
    if len(kept) < len(counts):
        slow = kept[0] * host.accelerators
        rejected.append(Rejected(host.id, f"fewer than {slow} miss the deadline even at the peak rate"))
    return kept


SHORTLIST = 12
"""Hosts searched at most when the brief leaves the choice open, those with the best bounds."""


def _worth_searching(hosts: list[Host], brief: Brief, catalog: Catalog, rejected: list[Rejected]) -> list[Host]:
    """Keep the hosts whose bound on the objective is best: work at the best matmul rate, nothing else.

    The bound is what a host could do if nothing but matrix multiplications took time; no layout beats it.
    """
    if len(hosts) <= SHORTLIST or brief.candidates.instances:
        return hosts
    bounds = [(_bound(host, brief, catalog), host) for host in hosts]
    bounds.sort(key=lambda pair: (pair[0], pair[1].id))
    for bound, host in bounds[SHORTLIST:]:
        shown = f"{bound:.3g}" if bound < float("inf") else "unknown"
        rejected.append(Rejected(host.id, f"not searched: its bound ({shown}) is behind {SHORTLIST} other hosts"))
    kept = {host.id for _, host in bounds[:SHORTLIST]}
    return [host for host in hosts if host.id in kept]


def _best_peak(host: Host, brief: Brief, catalog: Catalog) -> float | None:
    """Dense peak of the best precision allowed; None where none is known."""
    flops = catalog.accelerators[host.accelerator].flops
    names = brief.job.precisions or UNSTATED_PRECISIONS
    peaks = [flops[kind] for name in names if (kind := catalog.precision(name).gemm) in flops]
    if not peaks:
        return None
    return max(peaks) if brief.job.precisions else peaks[0]


def _bound(host: Host, brief: Brief, catalog: Catalog) -> float:
    """Objective per unit of work at the accelerator's best rate: dollars, seconds or joules per FLOP."""
    accelerator, rate = catalog.accelerators[host.accelerator], _best_peak(host, brief, catalog)
    if rate is None or accelerator.memory_bytes is None or accelerator.memory_bytes_per_s is None:
        return float("inf")
    if brief.goal.minimize is Objective.COST:
        prices = [t.price.usd_per_hour for t in tariffs(host, brief, catalog) if t.price is not None]
        return min(prices) / host.accelerators / rate if prices else float("inf")
    if brief.goal.minimize is Objective.TIME:
        return 1.0 / rate
    return (accelerator.tdp_w or float("inf")) / rate
