"""Replicas of one kind behind a router: their number follows the load, and they fail and come back."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from groundplan.errors import InputError
from groundplan.estimate.replica import Replica
from groundplan.simulate.columns import Columns
from groundplan.simulate.engine import Engine
from groundplan.simulate.replica import Server, State
from groundplan.simulate.routing import Routing, make_router
from groundplan.simulate.sequence import Sequence

CHECK_EVERY_S = 15.0
"""Seconds between two looks of an autoscaler at the load: the Kubernetes Horizontal Pod Autoscaler's sync period."""


@dataclass(frozen=True, slots=True)
class Autoscaling:
    """As many replicas as bring the requests in flight to a target for each; fewer only after a quiet while."""

    target_in_flight: float  # requests of one replica, queued or running
    least: int
    most: int
    down_after_s: float = 300.0  # the stabilisation window of the Kubernetes Horizontal Pod Autoscaler

    def wanted(self, in_flight: int) -> int:
        """Return the replicas that a load asks for."""
        return min(max(math.ceil(in_flight / self.target_in_flight), self.least), self.most)


@dataclass(frozen=True, slots=True)
class Pool:
    """Equal replicas; `replicas` run when the simulation begins."""

    replica: Replica
    replicas: int = 1
    routing: Routing = Routing.LEAST_OUTSTANDING
    autoscaling: Autoscaling | None = None
    mtbf_s: float | None = None  # of one replica; None = none fails


def check_pool(pool: Pool) -> None:
    """Refuse a pool that cannot be.

    Raises
    ------
    InputError
        For counts, targets or times that are not positive, or bounds that exclude each other.
    """
    if pool.replicas < 1:
        raise InputError(f"replicas is {pool.replicas}", "give a whole number of at least 1")
    if pool.mtbf_s is not None and not pool.mtbf_s > 0:
        raise InputError(f"mtbf_s is {pool.mtbf_s:g}", "give the mean seconds between failures of one replica, or none")
    limits = ("kv_tokens", "block_tokens", "max_sequences", "max_batched_tokens")
    for name in limits:
        if getattr(pool.replica, name) < 1:
            raise InputError(
                f"{name} of the replica is {getattr(pool.replica, name)}", "give a whole number of at least 1"
            )
    scaling = pool.autoscaling
    if scaling is None:
        return
    if not scaling.target_in_flight > 0:
        raise InputError(
            f"the target of the autoscaler is {scaling.target_in_flight:g} requests in flight for each replica",
            "give a number above 0",
        )
    if not 1 <= scaling.least <= pool.replicas <= scaling.most:
        raise InputError(
            f"the autoscaler keeps {scaling.least} to {scaling.most} replicas, {pool.replicas} run at the start",
            "give bounds of at least 1 that hold the replicas of the start",
        )


class RunningPool:
    """A pool in time.

    Parameters
    ----------
    first_number : int
        Number of its first server; numbers are of the whole fleet.
    ended : function
        Called with the server and each sequence that leaves it for good.
    lost : function
        Called with each sequence whose replica failed.
    """

    def __init__(
        self,
        pool: Pool,
        first_number: int,
        hash_tokens: int,
        prefill_only: bool,
        engine: Engine,
        columns: Columns,
        generator: np.random.Generator,
        ended: Callable[[Server, Sequence], None],
        lost: Callable[[Sequence], None],
    ) -> None:
        self._pool = pool
        self._engine = engine
        self._generator = generator
        self._ended = ended
        self._lost = lost
        self._router = make_router(pool.routing)
        self._ready: list[Server] = []
        self._backlog: deque[Sequence] = deque()  # while no replica is ready
        self._in_flight = 0
        self._wanted: deque[tuple[float, int]] = deque([(engine.now_s, pool.replicas)])
        most = pool.autoscaling.most if pool.autoscaling else pool.replicas
        self.servers = [
            Server(first_number + i, pool.replica, hash_tokens, prefill_only, engine, columns, self._on_end)
            for i in range(most)
        ]
        for server in self.servers[: pool.replicas]:
            server.switch_on()
            self._serve((server, server.life))
        if pool.autoscaling:
            engine.at(engine.now_s + CHECK_EVERY_S, self._scale, pool.autoscaling)

    @property
    def spec(self) -> Pool:
        """The pool as it was asked for."""
        return self._pool

    def fits(self, sequence: Sequence) -> bool:
        """Tell whether a sequence could run to its end on one of the replicas."""
        return self.servers[0].scheduler.fits(sequence)

    def submit(self, sequence: Sequence) -> None:
        """Send a sequence to a replica, or keep it until one is ready."""
        self._in_flight += 1
        self._route(sequence)

    def close(self) -> None:
        """Give every replica back."""
        for server in self.servers:
            server.switch_off()

    def _route(self, sequence: Sequence) -> None:
        if self._ready:
            self._router.choose(self._ready, sequence).submit(sequence)
        else:
            self._backlog.append(sequence)

    def _on_end(self, server: Server, sequence: Sequence) -> None:
        self._in_flight -= 1
        if server.state is State.DRAINING and server.outstanding == 0:
            server.switch_off()
        self._ended(server, sequence)

    def _start(self, server: Server) -> None:
        server.state = State.STARTING
        self._engine.at(self._engine.now_s + self._pool.replica.start_s, self._serve, (server, server.life))

    def _serve(self, asked: tuple[Server, int]) -> None:
        server, life = asked
        if server.life != life:
            return
        server.state = State.READY
        self._ready.append(server)
        if self._pool.mtbf_s is not None:
            until = float(self._generator.exponential(self._pool.mtbf_s))
            self._engine.at(self._engine.now_s + until, self._fail, (server, life))
        backlog, self._backlog = self._backlog, deque()
        for sequence in backlog:
            self._route(sequence)

    def _fail(self, asked: tuple[Server, int]) -> None:
        server, life = asked
        if server.life != life:
            return
        lost = server.fail()
        if server.state is State.DRAINING:
            server.switch_off()
        else:
            self._ready.remove(server)
            self._start(server)
        self._in_flight -= len(lost)
        for sequence in lost:
            self._lost(sequence)

    def _scale(self, scaling: Autoscaling) -> None:
        now = self._engine.now_s
        self._engine.at(now + CHECK_EVERY_S, self._scale, scaling)
        wanted = scaling.wanted(self._in_flight)
        self._wanted.append((now, wanted))
        while self._wanted[0][0] < now - scaling.down_after_s:
            self._wanted.popleft()
        kept = max(count for _, count in self._wanted)
        on = [server for server in self.servers if server.state in (State.READY, State.STARTING)]
        if wanted > len(on):
            self._add(wanted - len(on))
        elif kept < len(on):
            self._remove(on, len(on) - kept)

    def _add(self, count: int) -> None:
        """Take back replicas that drain, then start others."""
        draining = [server for server in self.servers if server.state is State.DRAINING][:count]
        for server in draining:
            server.state = State.READY
            self._ready.append(server)
        off = [server for server in self.servers if server.state is State.OFF]
        for server in off[: count - len(draining)]:
            server.switch_on()
            self._start(server)

    def _remove(self, on: list[Server], count: int) -> None:
        """Give up replicas that are still starting, then let those with the least to do drain."""
        order = sorted(on, key=lambda server: (server.state is State.READY, server.outstanding, -server.number))
        for server in order[:count]:
            if server.state is State.READY:
                self._ready.remove(server)
            if server.outstanding:
                server.state = State.DRAINING
            else:
                server.switch_off()
