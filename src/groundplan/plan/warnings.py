"""What a user must know beside the answer: old prices, unknown figures, what is only assumed."""

from __future__ import annotations

from collections.abc import Sequence

from groundplan.catalog.catalog import Catalog
from groundplan.estimate.results import DesignResult
from groundplan.plan.offers import GIVEN
from groundplan.workload.job import Brief

STALE_DAYS = 30
"""Prices older than this say so."""


def warnings_of(brief: Brief, designs: Sequence[DesignResult], catalog: Catalog) -> tuple[str, ...]:
    """Return the warnings about the designs shown, each once, in the order of the designs."""
    found: list[str] = []
    for design in designs:
        found += _price_warnings(design, brief)
        host = catalog.hosts[design.instance]
        if host.nic_bits_per_s is None and design.nodes > 1:
            found.append(f"{design.instance}: its network is unknown; the accelerator's reference or 10 Gb/s was taken")
        if design.energy_j is None:
            found.append(f"{design.accelerator}: its power is unknown, so energy and carbon are not estimated")
        if not design.network.fabric_ok:
            found.append(f"{design.instance}: {design.network.fabric} leaves more than a tenth of the step waiting")
        if design.memory.total_bytes.high > design.memory.capacity_bytes >= design.memory.total_bytes.value:
            found.append(f"{design.accelerator}: memory fits by its value, not by its whole interval; try it first")
        if design.storage.product is not None and design.storage.usd_per_month is None:
            found.append(f"{design.storage.product}: its price is unknown; the cost is without storage")
        if design.storage.product is None:
            found.append(f"{design.provider}: no catalog storage product is known to deliver reads and checkpoints")
    return tuple(dict.fromkeys(found))


def _price_warnings(design: DesignResult, brief: Brief) -> list[str]:
    price = design.price
    if price is None:
        return [f"{design.instance}: no price is known; its cost is not estimated"]
    if price.source == GIVEN:
        return []
    if price.age_days is None:
        return [f"{design.instance}: its {design.purchase} price carries no date"]
    if price.age_days > STALE_DAYS:
        return [f"{design.instance}: its {design.purchase} price is {price.age_days} days old ({price.date})"]
    return []
