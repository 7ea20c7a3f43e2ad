"""Which replica gets the next request."""

from __future__ import annotations

import math
from collections.abc import Sequence as Several
from enum import StrEnum
from operator import attrgetter
from typing import Protocol

from groundplan.simulate.replica import Server
from groundplan.simulate.sequence import Sequence

LOAD_BOUND = 1.25
"""Affinity holds while a replica has at most this times the mean load (Mirrokni et al. 2018, arXiv 1608.01350)."""


class Routing(StrEnum):
    """How a pool spreads requests over its replicas."""

    ROUND_ROBIN = "round_robin"
    LEAST_OUTSTANDING = "least_outstanding"
    PREFIX_AFFINITY = "prefix_affinity"


class Router(Protocol):
    """Chooses one of the servers that are ready; there is at least one."""

    def choose(self, servers: Several[Server], sequence: Sequence) -> Server:
        """Return the server that gets a sequence."""


_outstanding = attrgetter("outstanding")


class RoundRobin:
    """Each in turn."""

    def __init__(self) -> None:
        self._turn = -1

    def choose(self, servers: Several[Server], sequence: Sequence) -> Server:
        """Return the next server."""
        self._turn += 1
        return servers[self._turn % len(servers)]


class LeastOutstanding:
    """The one with the fewest requests that have not ended; the first of equals."""

    def choose(self, servers: Several[Server], sequence: Sequence) -> Server:
        """Return the least loaded server."""
        return min(servers, key=_outstanding)


class PrefixAffinity:
    """The one that last got the longest beginning of the prompt; the least loaded when that one is above the bound.

    The router remembers where it sent prefixes; it does not ask the replicas what they still hold.
    """

    def __init__(self) -> None:
        self._sent: dict[int, int] = {}

    def choose(self, servers: Several[Server], sequence: Sequence) -> Server:
        """Return the server of the prompt's prefix, or the least loaded."""
        server = self._known(servers, sequence)
        bound = math.ceil(LOAD_BOUND * (sum(map(_outstanding, servers)) + 1) / len(servers))
        if server is None or server.outstanding >= bound:
            server = min(servers, key=_outstanding)
        for key in sequence.hashes:
            self._sent[key] = server.number
        return server

    def _known(self, servers: Several[Server], sequence: Sequence) -> Server | None:
        for key in reversed(sequence.hashes):
            if key in self._sent:
                return next((server for server in servers if server.number == self._sent[key]), None)
        return None


def make_router(routing: Routing) -> Router:
    """Return a router of its kind that has seen nothing yet."""
    makers: dict[Routing, type[RoundRobin] | type[LeastOutstanding] | type[PrefixAffinity]] = {
        Routing.ROUND_ROBIN: RoundRobin,
        Routing.LEAST_OUTSTANDING: LeastOutstanding,
        Routing.PREFIX_AFFINITY: PrefixAffinity,
    }
    return makers[routing]()
