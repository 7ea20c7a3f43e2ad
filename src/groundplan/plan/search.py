"""The search of the main job: every host, count, precision and layout that the brief allows, scored and ranked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Host
from groundplan.design.cluster import Cluster
from groundplan.errors import GroundplanError
from groundplan.estimate.flops import training_flops_per_token
from groundplan.estimate.results import DesignResult
from groundplan.estimate.training import assess
from groundplan.plan.layouts import Fastest, Workshop, fastest_layouts
from groundplan.plan.offers import Tariff, candidate_hosts, clusters, node_counts, tariffs
from groundplan.plan.scoring import MemoryShortfall, around, sized, workshop_for
from groundplan.plan.space import check_fixed
from groundplan.workload.job import Brief, Objective

LEAST_GOODPUT = 0.1
"""Designs whose failures leave less useful time than this are no answer."""
COUNTS_SCORED = 6
"""Numbers of hosts that are scored of one host, unless the brief lists its own."""
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
    over layouts. A host outside the shortlist says so in `rejected`.

    Raises
    ------
    InputError
        When a fixed size is impossible, or no host matches.
    """
    check_fixed(brief.job, brief.overrides)
    progress = _Progress(brief, catalog)
    for host in _worth_searching(candidate_hosts(brief, catalog), brief, catalog, progress.rejected):
        _search_host(host, limit, progress)
    return Found(
        tuple(progress.designs),
        tuple(dict.fromkeys(progress.rejected)),
        tuple(progress.shortfalls),
        sum(f.candidates for f in progress.known.values()),
        sum(f.fitting for f in progress.known.values()),
        len(progress.designs),
    )


@dataclass(slots=True)
class _Progress:
    """What a search has found so far; layouts are known by what the laws see of a cluster."""

    brief: Brief
    catalog: Catalog
    designs: list[DesignResult] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    shortfalls: list[MemoryShortfall] = field(default_factory=list)
    known: dict[tuple[object, ...], Fastest] = field(default_factory=dict)


def _search_host(host: Host, limit: int | None, progress: _Progress) -> None:
    """Score the clusters of one host, from the small end, or from the large one where time is what counts.

    After `COUNTS_SCORED` numbers of hosts that fit, the others can only be less efficient, or slower.
    """
    brief, catalog = progress.brief, progress.catalog
    offers = tariffs(host, brief, catalog)
    if not offers:
        progress.rejected.append(Rejected(host.id, "no price in the regions asked for"))
        return
    counts = node_counts(host, brief, limit)
    if not counts:
        reason = f"its {host.accelerators} accelerators do not fit the number asked for"
        progress.rejected.append(Rejected(host.id, reason))
        return
    counts = _in_time(host, counts, brief, catalog, progress.rejected)
    fitted = 0
    for nodes in reversed(counts) if brief.goal.minimize is Objective.TIME else counts:
        if fitted == COUNTS_SCORED and not brief.candidates.counts:
            break
        (cluster,) = clusters(host, catalog, [nodes], brief.candidates.fabric)
        fitted += _score_cluster(cluster, offers, progress)


def _score_cluster(cluster: Cluster, offers: Sequence[Tariff], progress: _Progress) -> bool:
    """Score the fastest layout of one cluster at every precision and tariff; say whether any fits."""
    brief, catalog, fits = progress.brief, progress.catalog, False
    for workshop in _workshops(brief, catalog, cluster, progress.rejected):
        fastest = _shared(progress.known, workshop, brief)
        if not fastest.layouts:
            if fastest.least_layout is not None:
                precision, peak = workshop.setting.precision.id, fastest.least_peak_bytes
                progress.shortfalls.append(
                    MemoryShortfall(cluster, precision, fastest.least_layout, peak, workshop.capacity_bytes)
                )
            continue
        fits = True
        for tariff in offers:
            design = assess(sized(workshop, fastest.layouts[0][1]), around(tariff, brief, catalog))
            if design.goodput.value < LEAST_GOODPUT:
                lost = f"{cluster.accelerators} of them, {tariff.option}: failures leave too little useful time"
                progress.rejected.append(Rejected(cluster.host.id, lost))
            else:
                progress.designs.append(design)
    return fits


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


SHORTLIST = 8
"""Hosts searched at most when the brief leaves the choice open: those whose peak rate is cheapest by the objective."""


def _worth_searching(hosts: list[Host], brief: Brief, catalog: Catalog, rejected: list[Rejected]) -> list[Host]:
    """Keep a shortlist of the hosts: the best by dollars, seconds or joules per unit of peak work.

    Efficiency differs less between hosts than that does; who wants another host searched names it.
    """
    if len(hosts) <= SHORTLIST or brief.candidates.instances:
        return hosts
    bounds = sorted((_bound(host, brief, catalog), host.id) for host in hosts)
    best = bounds[0][0]
    for bound, name in bounds[SHORTLIST:]:
        if bound == float("inf"):
            reason = "not searched: its price or rate is unknown"
        else:
            what = brief.goal.minimize.value
            reason = (
                f"not searched: {bound / best:.3g} x the {what} per peak FLOP of the best host; name it to search it"
            )
        rejected.append(Rejected(name, reason))
    kept = {name for _, name in bounds[:SHORTLIST]}
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
