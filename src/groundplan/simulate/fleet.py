"""A service in time: requests come, replicas answer them, alone or as prefill and decode pools."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from groundplan.errors import InputError
from groundplan.physics.reliability import SECONDS_PER_HOUR
from groundplan.progress import tell
from groundplan.simulate.columns import Columns
from groundplan.simulate.engine import Engine
from groundplan.simulate.pool import Pool, RunningPool, check_pool
from groundplan.simulate.replica import Server
from groundplan.simulate.requests import Requests
from groundplan.simulate.results import ReplicaUse, RequestTimes, ServiceResult
from groundplan.simulate.sequence import Sequence

MOST_RESTARTS, RESTARTS_EACH = 200_000, 20
"""Of requests by failures, at all and for each request, after which a simulation stops: it would never end."""
TOLD_EACH = 500
"""Requests between words on how far a simulation is."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What serves: one pool, or a prefill pool that hands computed prompts over a link to the pool that decodes.

    Parameters
    ----------
    pool : Pool
        Replicas that serve, or only decode where there is a prefill pool.
    prefill : Pool, optional
        Replicas that compute prompts and first tokens.
    link_bytes_per_s : float, optional
        Rate at which one prefill replica sends keys and values; it sends one prompt after the other.
    """

    pool: Pool
    prefill: Pool | None = None
    link_bytes_per_s: float | None = None


def simulate_service(
    requests: Requests, fleet: Fleet, *, clients: int | None = None, seed: int = 0, record: bool = False
) -> ServiceResult:
    """Return what becomes of each request, and what the replicas did.

    A request whose prompt and output exceed the cache of a replica is rejected when it arrives. The requests of a
    replica that fails begin anew on another; what they had been sent counts for nothing. What the front end takes for a
    request (`Replica.request_s`) delays its tokens, not those of others.

    Parameters
    ----------
    requests : Requests
        In the order of their arrival.
    fleet : Fleet
        What serves them.
    clients : int, optional
        Closed loop: so many clients send the requests one after the other, each the next when its last has ended;
        the arrivals of `requests` are not read. None = open loop: requests arrive when they do.
    seed : int
        Of the failures.
    record : bool
        Keep every span of iterations for `chrome_trace`.

    Raises
    ------
    InputError
        For a fleet that cannot be, or clients below 1.
    """
    _check(fleet, clients)
    service = _Service(requests, fleet, clients, seed, record)
    service.engine.run()
    return service.result()


def _check(fleet: Fleet, clients: int | None) -> None:
    check_pool(fleet.pool)
    if clients is not None and clients < 1:
        raise InputError(f"clients is {clients}", "give a whole number of at least 1")
    if fleet.prefill is None:
        return
    check_pool(fleet.prefill)
    if fleet.link_bytes_per_s is None or not fleet.link_bytes_per_s > 0:
        raise InputError(
            "a prefill pool hands its prompts over a link whose rate is not given", "give link_bytes_per_s above 0"
        )


class _Service:
    """The requests on their way through the pools."""

    def __init__(self, requests: Requests, fleet: Fleet, clients: int | None, seed: int, record: bool) -> None:
        self.engine = Engine(float(requests.arrival_s[0]) if clients is None else 0.0)
        self._requests = requests
        self._link_bytes_per_s = fleet.link_bytes_per_s
        self._front_s = (fleet.prefill or fleet.pool).replica.request_s
        self._columns = Columns(requests, record)
        self._restarts = 0
        self._open = len(requests)  # requests that have not ended
        self._coming = _sequences(requests)
        generator = np.random.default_rng(seed)

        def start(pool: Pool, first_number: int, hash_tokens: int, prefills: bool) -> RunningPool:
            ended = self._hand_over if prefills else self._end
            return RunningPool(
                pool, first_number, hash_tokens, prefills, self.engine, self._columns, generator, ended, self._restart
            )

        if fleet.prefill is None:
            self._entry = self._last = start(fleet.pool, 0, requests.hash_tokens, False)
            self._pools: tuple[RunningPool, ...] = (self._last,)
        else:
            self._entry = start(fleet.prefill, 0, requests.hash_tokens, True)
            self._last = start(fleet.pool, len(self._entry.servers), 0, False)
            self._pools = (self._entry, self._last)
        self._clients = clients
        if clients is None:
            self.engine.at(self._columns.arrival_s[0], self._arrive)
        else:
            self.engine.at(0.0, self._connect, clients)

    def result(self) -> ServiceResult:
        """Return what happened; the front end gives the last token out before the replicas go."""
        self.engine.now_s += self._front_s
        for pool in self._pools:
            pool.close()
        columns = self._columns
        times = RequestTimes(
            arrival_s=np.array(columns.arrival_s),
            start_s=np.array(columns.start_s),
            first_token_s=np.array(columns.first_token_s) + self._front_s,
            end_s=np.array(columns.end_s) + self._front_s,
            prompt_tokens=self._requests.prompt_tokens,
            output_tokens=self._requests.output_tokens,
            replica=np.array(columns.replica),
            preemptions=np.array(columns.preemptions),
            restarts=np.array(columns.restarts),
        )
        uses = tuple(_use(server, pool.spec) for pool in self._pools for server in pool.servers)
        return ServiceResult(times, uses, self.engine.now_s, tuple(columns.spans or ()))

    def _arrive(self, _: object) -> None:
        """Take all requests that arrive now, and ask for the time of the next."""
        now = self.engine.now_s
        arrivals = self._columns.arrival_s
        for sequence in self._coming:
            self._submit(sequence)
            following = sequence.request + 1
            if following < len(arrivals) and arrivals[following] > now:
                self.engine.at(arrivals[following], self._arrive)
                return

    def _connect(self, clients: int) -> None:
        for _ in range(clients):
            self._send_next()

    def _send_next(self, _: object = None) -> None:
        """Let a client send requests until one is taken."""
        for sequence in self._coming:
            self._columns.arrival_s[sequence.request] = self.engine.now_s
            if self._submit(sequence):
                return

    def _submit(self, sequence: Sequence) -> bool:
        taken = self._entry.fits(sequence) and self._last.fits(sequence)
        if taken:
            self._entry.submit(sequence)
        else:
            self._close_one()
        return taken

    def _hand_over(self, server: Server, sequence: Sequence) -> None:
        """Send the keys and values of a computed prompt to the pool that decodes."""
        if sequence.produced == sequence.output:
            self._end(server, sequence)
            return
        assert self._link_bytes_per_s is not None
        size = sequence.prompt * self._entry.spec.replica.kv_token_bytes
        server.link_free_s = max(server.link_free_s, self.engine.now_s) + size / self._link_bytes_per_s
        self.engine.at(server.link_free_s, self._last.submit, sequence)

    def _end(self, _: Server, sequence: Sequence) -> None:
        self._close_one()
        if self._clients is not None:
            self.engine.at(self.engine.now_s + self._front_s, self._send_next)

    def _restart(self, sequence: Sequence) -> None:
        self._columns.restarts[sequence.request] += 1
        self._restarts += 1
        if self._restarts > MOST_RESTARTS + RESTARTS_EACH * len(self._requests):
            raise InputError(
                f"replicas fail before requests can end: {self._restarts:,} restarts, and {self._open:,} of "
                f"{len(self._requests):,} requests have not ended",
                "give a longer time between failures",
            )
        self._entry.submit(sequence)

    def _close_one(self) -> None:
        self._open -= 1
        if self._open % TOLD_EACH == 0:
            whole = len(self._requests)
            tell(whole - self._open, whole, "requests")
        if self._open == 0:
            self.engine.stop()


def _sequences(requests: Requests) -> Iterator[Sequence]:
    """Yield the sequences in order; a prefix counts by whole hashes."""
    prompts, outputs = requests.prompt_tokens.tolist(), requests.output_tokens.tolist()
    hashes = requests.prefix_hashes
    for request, (prompt, output) in enumerate(zip(prompts, outputs, strict=True)):
        prefix = hashes[request][: prompt // requests.hash_tokens] if hashes is not None else ()
        yield Sequence(request, prompt, output, prefix, min(int(requests.cached_share * prompt), prompt - 1))


def _use(server: Server, pool: Pool) -> ReplicaUse:
    replica = pool.replica
    price = replica.usd_per_hour
    return ReplicaUse(
        replica=server.number,
        devices=replica.devices,
        on_s=server.on_s,
        busy_s=server.busy_s,
        batch_s=server.batch_s,
        hit_tokens=server.scheduler.hit_tokens,
        energy_j=replica.watts_busy * server.busy_s + replica.watts_idle * (server.on_s - server.busy_s),
        cost_usd=None if price is None else price * server.on_s / SECONDS_PER_HOUR,
    )
