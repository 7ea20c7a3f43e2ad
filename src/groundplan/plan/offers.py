"""What could be rented or bought: hosts, how many of them, and at which price."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Accelerator, Grid, Host, Price
from groundplan.design.cluster import Cluster
from groundplan.errors import InputError
from groundplan.workload.job import Brief, Objective

LARGEST_CLUSTER = 16_384
"""Accelerators of the largest cluster tried when the brief sets no limit."""
OWNED_PROVIDER = "on-prem"
"""Provider of hosts that are bought, not rented."""
GIVEN = "given in the brief"
"""Source of a price the user states."""
TRAINING_CLASSES = frozenset({"datacenter", "rack", "inference", "consumer", "tpu", "asic", "datacenter-legacy"})
"""Accelerator classes that are considered when the brief names none; announced and edge parts must be named."""


@dataclass(frozen=True, slots=True)
class Tariff:
    """One way to pay for a host."""

    provider: str
    option: str
    price: Price | None
    region: str
    grid: Grid | None


def candidate_hosts(brief: Brief, catalog: Catalog) -> list[Host]:
    """Return the hosts the brief allows, in catalog order.

    Raises
    ------
    InputError
        When the candidates exclude each other.
    """
    wanted = brief.candidates
    matching = [
        host
        for host in catalog.hosts.values()
        if (not wanted.accelerators or host.accelerator in wanted.accelerators)
        and (not wanted.providers or host.provider in wanted.providers)
        and (not wanted.instances or host.id in wanted.instances)
        and (bool(wanted.accelerators or wanted.instances) or _trains(catalog.accelerators[host.accelerator]))
    ]
    rented = [host for host in matching if host.provider != OWNED_PROVIDER]
    owning = OWNED_PROVIDER in wanted.providers or bool(wanted.instances) or "owned" in wanted.purchase
    # What one would have to buy counts only where it is asked for, or where nobody rents it out.
    hosts = matching if owning or not rented else rented
    if not hosts:
        raise InputError("no host matches the candidates", _empty_hint(brief, catalog))
    return hosts


def _trains(accelerator: Accelerator) -> bool:
    return accelerator.device_class in TRAINING_CLASSES and bool(accelerator.flops)


def _empty_hint(brief: Brief, catalog: Catalog) -> str:
    """Name what would match: who has the accelerators, or what the providers have."""
    wanted = brief.candidates
    if wanted.accelerators:
        having = sorted({h.provider for h in catalog.hosts.values() if h.accelerator in wanted.accelerators})
        if having:
            return f"{', '.join(wanted.accelerators)} is offered by {', '.join(having)}"
        return f"no catalog host carries {', '.join(wanted.accelerators)}; add a host row of your own"
    return "loosen providers, instances or accelerators"


def node_counts(host: Host, brief: Brief, limit: int | None) -> list[int]:
    """Return the numbers of hosts to try: the brief's counts, or a ladder of powers of two and their halves between.

    `limit` bounds the accelerators; a host with more than the limit is not tried. Hosts without a known network are
    tried alone.
    """
    per_host = host.accelerators
    if host.nic_bits_per_s is None and host.scaleup_domain <= per_host:
        # Nothing is known of a network between such hosts: one of them, or none.
        wanted = brief.candidates.counts
        return [1] if (not wanted or per_host in wanted) and per_host <= (limit or per_host) else []
    pod = host.scaleup_domain // per_host if _is_torus(host) else LARGEST_CLUSTER
    if brief.candidates.counts:
        whole = {count // per_host for count in brief.candidates.counts if count % per_host == 0}
        return sorted(count for count in whole if count <= pod)
    most = min(min(limit or LARGEST_CLUSTER, LARGEST_CLUSTER) // per_host, pod)
    counts = ladder(most)
    return counts if not most or most in counts else [*counts, most]


def ladder(most: int) -> list[int]:
    """Return the powers of two and three times them, up to `most`.

    >>> ladder(20)
    [1, 2, 3, 4, 6, 8, 12, 16]
    """
    return sorted({n for k in range(16) for n in (1 << k, 3 << k) if n <= most})


def _is_torus(host: Host) -> bool:
    """A TPU slice lives within one pod."""
    return host.fabric.startswith("ici")


def clusters(host: Host, catalog: Catalog, counts: list[int], fabric: str | None) -> Iterator[Cluster]:
    """Yield the clusters of a host at the given numbers of hosts."""
    chosen = catalog.fabrics[fabric or host.fabric]
    for nodes in counts:
        yield Cluster(host, catalog.accelerators[host.accelerator], chosen, nodes)


def tariffs(host: Host, brief: Brief, catalog: Catalog) -> list[Tariff]:
    """Return one tariff per purchase option the brief allows: the best region of each.

    The best region is the cheapest one, or the one with the cleanest electricity when carbon is minimised. A price
    given in the brief replaces the catalog's. A host without any price is returned with an unknown price.
    """
    given = brief.overrides.price_usd_per_accelerator_hour
    if given is not None:
        # The price is the user's; what the purchase option risks (spot interruptions) stays.
        return [
            Tariff(host.provider, option, _given_price(host, option, given, brief), "", _grid(host, "", catalog))
            for option in brief.candidates.purchase
        ]
    found = []
    for option in brief.candidates.purchase:
        prices = catalog.prices_of(host.id, option=option)
        if brief.candidates.regions:
            prices = [p for p in prices if p.region in brief.candidates.regions]
        if host.provider == OWNED_PROVIDER and not prices:
            prices = catalog.prices_of(host.id, option="owned")
        if prices:
            best = min(prices, key=lambda p: _preference(p, host, brief, catalog))
            found.append(Tariff(host.provider, best.option, best, best.region, _grid(host, best.region, catalog)))
    unique = {tariff.option: tariff for tariff in found}
    if unique:
        return list(unique.values())
    return [] if brief.candidates.regions else [Tariff(host.provider, "unknown", None, "", _grid(host, "", catalog))]


def _given_price(host: Host, option: str, usd_per_accelerator_hour: float, brief: Brief) -> Price:
    usd = usd_per_accelerator_hour * host.accelerators
    return Price(host.id, host.provider, "", option, usd, brief.as_of, "assumed", GIVEN)


def _preference(price: Price, host: Host, brief: Brief, catalog: Catalog) -> tuple[float, float, str]:
    if brief.goal.minimize is Objective.CARBON:
        grid = _grid(host, price.region, catalog)
        carbon = grid.carbon_g_per_kwh if grid and grid.carbon_g_per_kwh is not None else float("inf")
        return carbon, price.usd_per_hour, price.region
    return price.usd_per_hour, 0.0, price.region


def _grid(host: Host, region: str, catalog: Catalog) -> Grid | None:
    """Electricity of a region of the host's provider, if the catalog knows it."""
    return catalog.grid_of(host.provider, region)
