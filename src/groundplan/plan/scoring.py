"""Scoring one candidate: a cluster, a precision, a layout and a tariff to a whole answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Precision, Price, StorageProduct
from groundplan.design.cluster import Cluster, Setting
from groundplan.design.layout import Layout
from groundplan.estimate.rates import resolve_rates
from groundplan.estimate.results import DesignResult
from groundplan.estimate.sized import Sized
from groundplan.estimate.surroundings import Circumstances
from groundplan.estimate.training import assess
from groundplan.plan.layouts import Workshop
from groundplan.plan.offers import Tariff, clusters, tariffs
from groundplan.plan.space import recompute_code
from groundplan.workload.job import Brief
from groundplan.workload.model import SampleModel


@dataclass(frozen=True, slots=True)
class MemoryShortfall:
    """The layout that came nearest to fitting, of a cluster where none fits."""

    cluster: Cluster
    precision: str
    layout: Layout
    peak_bytes: float
    capacity_bytes: float


def workshop_for(brief: Brief, catalog: Catalog, cluster: Cluster, precision: Precision) -> Workshop:
    """Resolve the rates, optimizer and stack of one cluster and precision."""
    job = brief.job
    stack = catalog.stack(job.stack) if job.stack else catalog.default_stack(cluster.accelerator)
    if job.stack is None and cluster.accelerators == 1:
        # On one device nothing is reduced: gradients stay in the width of the precision.
        stack = replace(stack, gradient_bytes=None)
    flash = stack.flash_attention if job.flash_attention is None else job.flash_attention
    setting = Setting(cluster, catalog.architecture_of(cluster.accelerator), precision, stack, flash)
    rates = resolve_rates(setting, catalog.accelerators.values())
    optimizer = catalog.optimizer(job.optimizer)
    return Workshop(job, setting, rates, optimizer)


def sized(workshop: Workshop, layout: Layout) -> Sized:
    """Evaluate one layout."""
    return Sized(
        workshop.job,
        workshop.setting,
        workshop.rates,
        workshop.optimizer,
        layout,
        workshop.step(layout),
        workshop.memory(layout),
        workshop.capacity_bytes,
    )


def around(tariff: Tariff, brief: Brief, catalog: Catalog) -> Circumstances:
    """Collect what surrounds a design under one tariff: storage is the provider's own, or the one asked for."""
    wanted, provider = brief.candidates.storage, tariff.provider
    products = catalog.storage.values()
    if wanted is not None:
        storage = [catalog.storage[wanted]]
    else:
        own = [p for p in products if p.provider == provider and p.kind != "local"]
        # Where the catalog knows no storage of the provider, object stores that anyone can use stand in.
        storage = own or [p for p in products if p.kind == "object"]
    return Circumstances(
        tariff.option,
        tariff.price,
        age_days(tariff.price, brief.as_of),
        tariff.region,
        tariff.grid,
        tuple(_priced(product, catalog) for product in storage),
        brief.overrides,
    )


def age_days(price: Price | None, as_of: str) -> int | None:
    """Days between a price and the day of the plan; None where the source states no date."""
    if price is None or not price.date:
        return None
    return (date.fromisoformat(as_of) - date.fromisoformat(price.date)).days


def _priced(product: StorageProduct, catalog: Catalog) -> StorageProduct:
    """Return the product with its cheapest listed price where its row states none."""
    if product.usd_per_gb_month is not None:
        return product
    listed = [price.usd for price in catalog.storage_prices_of(product.id, "storage") if price.unit == "GB-month"]
    return replace(product, usd_per_gb_month=min(listed)) if listed else product


def reassess(design: DesignResult, brief: Brief, catalog: Catalog) -> DesignResult | None:
    """Score the same layout on the same cluster again, for another amount of work.

    None when the brief no longer offers that purchase.
    """
    host = catalog.hosts[design.instance]
    (cluster,) = clusters(host, catalog, [design.nodes], brief.candidates.fabric)
    workshop = workshop_for(brief, catalog, cluster, catalog.precisions[design.layout.precision])
    chosen, model = design.layout, brief.job.model
    stage_layers = 0 if isinstance(model, SampleModel) else -(-model.layers // chosen.pp)
    layout = Layout(
        chosen.tp,
        chosen.pp,
        chosen.vpp,
        chosen.cp,
        chosen.ep,
        chosen.dp,
        chosen.zero,
        chosen.shard,
        chosen.micro_batch,
        recompute_code(chosen.recompute),
        chosen.sequence_parallel,
        chosen.offload,
        chosen.schedule == "zero-bubble",
        chosen.recompute_layers / max(1, stage_layers),
    )
    for tariff in tariffs(host, brief, catalog):
        if tariff.option == design.purchase:
            return assess(sized(workshop, layout), around(tariff, brief, catalog))
    return None


def assess_shortfall(shortfall: MemoryShortfall, brief: Brief, catalog: Catalog) -> DesignResult:
    """Score the layout that came nearest to fitting, so that a user sees what it lacks."""
    host = shortfall.cluster.host
    workshop = workshop_for(brief, catalog, shortfall.cluster, catalog.precisions[shortfall.precision])
    return assess(sized(workshop, shortfall.layout), around(tariffs(host, brief, catalog)[0], brief, catalog))
