"""Replicas into hosts: a host is rented whole, so what counts is how many of them the replicas fill."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Host, Price
from groundplan.design.deployment import Deployment, Disaggregation


@dataclass(frozen=True, slots=True)
class HostPrice:
    """One way to rent accelerators: so many at once, for so much an hour. Without a host: any number, one by one."""

    host: Host | None
    price: Price | None
    accelerators: int
    usd_per_hour: float


@dataclass(frozen=True, slots=True)
class Bill:
    """Hosts rented for replicas, and what all of them cost an hour."""

    rented: HostPrice
    hosts: int
    usd_per_hour: float


@dataclass(frozen=True, slots=True)
class Replicas:
    """So many replicas of so many accelerators each, of which `together` must be in one host."""

    devices: int
    count: int
    together: int = 1


def replicas_of(split: Deployment, apart: Disaggregation | None = None, count: int = 1) -> list[Replicas]:
    """Return the replicas of a deployment, or of so many pairs of a prefill and a decode pool."""
    if apart is None:
        return [Replicas(split.devices, count, split.tp)]
    pools = (apart.prefill, apart.prefill_replicas), (apart.decode, apart.decode_replicas)
    return [Replicas(one.devices, replicas * count, one.tp) for one, replicas in pools]


def host_prices(
    catalog: Catalog,
    accelerator: str,
    purchase: Sequence[str],
    providers: Sequence[str] = (),
    instances: Sequence[str] = (),
    regions: Sequence[str] = (),
) -> tuple[HostPrice, ...]:
    """Return every known price of hosts that carry an accelerator, those of one host cheapest first."""
    return tuple(
        HostPrice(host, price, host.accelerators, price.usd_per_hour)
        for host in catalog.hosts.values()
        if host.accelerator == accelerator
        and (not providers or host.provider in providers)
        and (not instances or host.id in instances)
        for price in catalog.prices_of(host.id)
        if price.option in purchase and (not regions or price.region in regions)
    )


def cheapest(prices: Sequence[HostPrice], replicas: Sequence[Replicas]) -> Bill | None:
    """Return the hosts that carry the replicas for least; None where none carries a tensor-parallel group whole."""
    bills = [
        Bill(one, count, one.usd_per_hour * count)
        for one in prices
        if one.host is None or all(one.accelerators >= kind.together for kind in replicas)
        for count in (hosts_needed(one.accelerators, replicas),)
    ]
    return min(bills, key=lambda bill: (bill.usd_per_hour, bill.hosts, _name(bill)), default=None)


def hosts_needed(accelerators: int, replicas: Sequence[Replicas]) -> int:
    """Return how many hosts replicas fill: the largest first, each into the fullest host that still has room.

    A replica that is larger than a host takes whole hosts.

    >>> hosts_needed(8, [Replicas(2, 3)]), hosts_needed(8, [Replicas(6, 2), Replicas(2, 3)])
    (1, 3)
    >>> hosts_needed(8, [Replicas(16, 2)])
    4
    """
    rooms: dict[int, int] = {}  # accelerators left in a host -> hosts
    hosts = 0
    for kind in sorted(replicas, key=lambda one: -one.devices):
        left = kind.count
        if kind.devices > accelerators:
            hosts += left * math.ceil(kind.devices / accelerators)
            continue
        for room in sorted(rooms):
            left -= _fill(rooms, room, kind.devices, left)
        per_host = accelerators // kind.devices
        full, rest = divmod(left, per_host)
        hosts += full + (1 if rest else 0)
        _add(rooms, accelerators - per_host * kind.devices, full)
        _add(rooms, accelerators - rest * kind.devices, 1 if rest else 0)
    return hosts


def _fill(rooms: dict[int, int], room: int, devices: int, left: int) -> int:
    """Put replicas into hosts with so much room; return how many went in."""
    fits, available = room // devices, rooms[room]
    if not fits or not left:
        return 0
    full, rest = divmod(min(left, fits * available), fits)
    rooms[room] -= full + (1 if rest else 0)
    _add(rooms, room - fits * devices, full)
    _add(rooms, room - rest * devices, 1 if rest else 0)
    return full * fits + rest


def _add(rooms: dict[int, int], room: int, hosts: int) -> None:
    if hosts and room:
        rooms[room] = rooms.get(room, 0) + hosts


def _name(bill: Bill) -> tuple[str, str]:
    host, price = bill.rented.host, bill.rented.price
    return (host.id if host else "", price.region if price else "")
