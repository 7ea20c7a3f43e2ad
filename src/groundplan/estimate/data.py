"""What a job reads and saves, and which storage products deliver it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from groundplan.catalog.rows import StorageProduct
from groundplan.evidence import Result
from groundplan.physics.storage import TIB, coupled_capacity_bytes

CHECKPOINTS_KEPT = 3
"""Checkpoints held at once: the one being written and two to fall back to; class assumed."""

ROUNDING = 1e-9
"""A product sized to a rate gives that rate but for the last bits."""


@dataclass(frozen=True, slots=True)
class StorageAnswer(Result):
    """Whether one product delivers a need, what must be provisioned, and what that costs."""

    id: str
    name: str
    ok: bool
    reason: str
    provisioned_bytes: float | None
    read_bytes_per_s: float | None
    write_bytes_per_s: float | None
    usd_per_month: float | None


@dataclass(frozen=True, slots=True)
class StorageDemand:
    """What must be stored and moved; base units."""

    capacity_bytes: float
    read_bytes_per_s: float
    write_bytes_per_s: float


def answer_of(product: StorageProduct, demand: StorageDemand) -> StorageAnswer:
    """Size one product for a demand: capacity where throughput is sold with it, else a yes or a no."""
    stored = demand.capacity_bytes / product.usable_fraction
    provisioned = max(stored, product.min_bytes or 0.0)
    for need, per_tib in (
        (demand.read_bytes_per_s, product.read_bytes_per_s_per_tib),
        (demand.write_bytes_per_s, product.write_bytes_per_s_per_tib),
    ):
        if per_tib:
            sized = coupled_capacity_bytes(
                demand.capacity_bytes, product.usable_fraction, need, per_tib, product.min_bytes or 0.0
            )
            provisioned = max(provisioned, float(sized))
    read = _rate(product.read_bytes_per_s, product.read_bytes_per_s_per_tib, provisioned, product.max_read_bytes_per_s)
    write = _rate(product.write_bytes_per_s, product.write_bytes_per_s_per_tib, provisioned, None)
    ok, reason = _verdict(demand, read, write)
    price = product.usd_per_gb_month
    month = provisioned / 1e9 * price if price is not None else None
    return StorageAnswer(product.id, product.name, ok, reason, provisioned, read, write, month)


def _rate(whole: float | None, per_tib: float | None, provisioned: float, most: float | None) -> float | None:
    if per_tib is not None:
        rate: float | None = per_tib * provisioned / TIB
    else:
        rate = whole
    return min(rate, most) if rate is not None and most is not None else rate


def _verdict(demand: StorageDemand, read: float | None, write: float | None) -> tuple[bool, str]:
    for name, need, have in (("read", demand.read_bytes_per_s, read), ("write", demand.write_bytes_per_s, write)):
        if need > 0.0 and have is None:
            return False, f"its {name} rate is unknown"
        if have is not None and have < need * (1.0 - ROUNDING):
            return False, f"{name}s {have / 1e9:,.3g} GB/s of the {need / 1e9:,.3g} GB/s needed"
    return True, "delivers reads and checkpoints" if demand.write_bytes_per_s else "delivers reads"


def products_for(products: Iterable[StorageProduct], demand: StorageDemand) -> list[StorageAnswer]:
    """Return every product's answer: those that do first, cheapest first, unknown prices last."""
    answers = [answer_of(product, demand) for product in products]
    return sorted(
        answers,
        key=lambda a: (not a.ok, a.usd_per_month is None, a.usd_per_month or 0.0, a.provisioned_bytes or 0.0, a.id),
    )
