"""Replicas into hosts: never more than a host holds, and no host more than brute force needs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from groundplan.plan.hosting import Replicas, hosts_needed

KINDS = st.lists(st.builds(Replicas, st.sampled_from([1, 2, 4, 8, 16]), st.integers(1, 5)), min_size=1, max_size=3)


def _one_by_one(accelerators: int, kinds: list[Replicas]) -> int:
    """Put the replicas into hosts one after the other, largest first; powers of two leave no better way."""
    rooms: list[int] = []
    hosts = 0
    for size in sorted((kind.devices for kind in kinds for _ in range(kind.count)), reverse=True):
        if size > accelerators:
            hosts += -(-size // accelerators)
            continue
        place = min((i for i, room in enumerate(rooms) if room >= size), key=lambda i: rooms[i], default=None)
        if place is None:
            rooms.append(accelerators)
            place = len(rooms) - 1
        rooms[place] -= size
    return hosts + len(rooms)


@given(st.sampled_from([1, 2, 4, 8]), KINDS)
def test_as_many_hosts_as_one_by_one(accelerators: int, kinds: list[Replicas]) -> None:
    assert hosts_needed(accelerators, kinds) == _one_by_one(accelerators, kinds)


@given(KINDS, st.integers(1, 8))
def test_more_replicas_need_no_fewer_hosts(kinds: list[Replicas], more: int) -> None:
    grown = [Replicas(kind.devices, kind.count + more) for kind in kinds]
    assert hosts_needed(8, grown) >= hosts_needed(8, kinds)
