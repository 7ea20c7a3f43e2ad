"""What the teams run: jobs placed on nodes in the order they come, and what each does with its accelerators."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from groundplan.finops.states import State
from groundplan.finops.world.fleet import DAY_S, HOUR_S, SLICES_PER_GPU, Node, Team, WorldSize

LOAD = 0.8  # of the fleet's accelerator-hours asked for
MEAN_HOURS = 7.0
LONGEST_S = 6 * DAY_S
SIZES = np.array([1, 2, 4, 8, 16, 32, 64])
SIZE_WEIGHTS = np.array([0.34, 0.16, 0.16, 0.20, 0.08, 0.04, 0.02])
SIZE_SHARES = np.cumsum(SIZE_WEIGHTS)
OUTCOMES = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")
OUTCOME_SHARES = np.cumsum([0.86, 0.08, 0.04, 0.02])
NEVER = np.iinfo(np.int64).max
UNOWNED = 0.015  # jobs without an account
KINDS = ("healthy", "starved", "communication", "notebook", "forgotten", "small")
# For each kind, how its time after start-up divides among states.
TIME_IN = {
    "healthy": {State.BUSY: 0.93, State.COMMUNICATION: 0.03, State.STARVED: 0.02, State.LOADED: 0.02},
    "starved": {State.BUSY: 0.45, State.STARVED: 0.50, State.LOADED: 0.05},
    "communication": {State.BUSY: 0.52, State.COMMUNICATION: 0.45, State.LOADED: 0.03},
    "notebook": {State.LOADED: 0.62, State.LOW: 0.26, State.BUSY: 0.12},
    "forgotten": {State.BUSY: 0.95, State.LOADED: 0.05},
    "small": {State.LOW: 0.80, State.BUSY: 0.12, State.LOADED: 0.08},
}
SEGMENT_S = 2_400.0  # mean time in one state
MODELS = ("resnet50", "vit-l", "llama-3.1-8b", "llama-3.1-70b", "whisper-large", "dlrm", "mixtral-8x7b", "unet")


@dataclass(slots=True)
class Job:
    """One job: who, where, when, and its course through the states as (start, end, state) in seconds of the world."""

    job_id: int
    team: Team | None  # None: nobody said
    user: str
    kind: str
    model: str
    experiment: str
    submit: int
    start: int
    end: int
    outcome: str
    places: list[tuple[int, NDArray[np.int64]]]  # node, slots on it
    course: list[tuple[int, int, State]] = field(default_factory=list)


def jobs_of(size: WorldSize, nodes: tuple[Node, ...], teams: tuple[Team, ...]) -> list[Job]:
    """Return every job of the world, each placed on the slots that are free first; jobs never share a slot."""
    rng = size.stream("jobs")
    slots = _Slots(nodes)
    weights = np.cumsum([team.weight for team in teams])
    habits = {team.name: np.cumsum(team.habits) for team in teams}
    horizon = size.days * DAY_S
    found: list[Job] = []
    for number, submit in enumerate(_arrivals(rng, size, nodes), start=1):
        team = teams[_draw(rng, weights)]
        kind = KINDS[_draw(rng, habits[team.name])]
        length = int(min(rng.lognormal(np.log(MEAN_HOURS * HOUR_S) - 0.6, 1.1), LONGEST_S)) + 240
        places, free = slots.take(rng, kind)
        start = max(submit, free)
        if start >= horizon:
            continue
        slots.hold(places, start + length)
        job = Job(
            job_id=100_000 + number,
            team=None if rng.random() < UNOWNED else team,
            user=f"{team.name}-{int(rng.integers(team.users)) + 1}",
            kind=kind,
            model=MODELS[int(rng.integers(len(MODELS)))],
            experiment=f"exp-{int(rng.integers(40)):02}",
            submit=submit,
            start=start,
            end=min(start + length, horizon),
            outcome="RUNNING" if start + length > horizon else OUTCOMES[_draw(rng, OUTCOME_SHARES)],
            places=places,
        )
        job.course = _course(rng, job)
        found.append(job)
    return found


class _Slots:
    """When each accelerator, or slice of one, is free again, in seconds of the world."""

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        self.whole = [index for index, node in enumerate(nodes) if not node.sliced]
        self.sliced = [index for index, node in enumerate(nodes) if node.sliced]
        self.largest = max(nodes[index].gpus for index in self.whole)
        self.free = np.full((len(nodes), max(node.slots for node in nodes)), NEVER)
        for index, node in enumerate(nodes):
            self.free[index, : node.slots] = 0
        self.full = [index for index in self.whole if nodes[index].gpus == self.largest]

    def take(self, rng: np.random.Generator, kind: str) -> tuple[list[tuple[int, NDArray[np.int64]]], int]:
        """Return the slots that are free first for a job of a drawn size, and when they are."""
        if self.sliced and kind in ("notebook", "small") and rng.random() < 0.5:
            wanted, among = int(rng.integers(1, 4)), self.sliced
        else:
            wanted, among = int(SIZES[_draw(rng, SIZE_SHARES)]), self.whole
        if among is self.sliced or wanted <= self.largest:
            ready = np.partition(self.free[among], wanted - 1, axis=1)[:, wanted - 1]
            node = among[int(ready.argmin())]
            slots = np.sort(np.argsort(self.free[node], kind="stable")[:wanted])
            return [(node, slots)], int(ready.min())
        count = max(1, min(wanted // self.largest, len(self.full) // 2))
        latest = self.free[self.full, : self.largest].max(axis=1)
        chosen = np.argsort(latest, kind="stable")[:count]
        return [(self.full[index], np.arange(self.largest)) for index in chosen], int(latest[chosen].max())

    def hold(self, places: list[tuple[int, NDArray[np.int64]]], until: int) -> None:
        """Give slots to a job until an instant."""
        for node, slots in places:
            self.free[node, slots] = until


def _draw(rng: np.random.Generator, cumulative: NDArray[np.float64]) -> int:
    """Return an index with the probabilities whose running sum is given."""
    return min(int(np.searchsorted(cumulative, rng.random(), side="right")), len(cumulative) - 1)


def _arrivals(rng: np.random.Generator, size: WorldSize, nodes: tuple[Node, ...]) -> list[int]:
    """Return instants of submission: more by day than by night, fewer at weekends."""
    mean_size = float(SIZES @ SIZE_WEIGHTS) * 0.75  # many are small and sliced
    per_day = LOAD * sum(node.gpus for node in nodes) * 24 / (MEAN_HOURS * mean_size)
    found: list[int] = []
    for day in range(size.days):
        weekend = (day + 2) % 7 >= 5  # 1 July 2026 is a Wednesday
        count = rng.poisson(per_day * (0.6 if weekend else 1.16))
        hours = np.clip(rng.normal(14.0, 4.5, count), 0.0, 23.99)
        found += (day * DAY_S + hours * HOUR_S).astype(int).tolist()
    return sorted(found)


def _course(rng: np.random.Generator, job: Job) -> list[tuple[int, int, State]]:
    """Return what a job does: no process, then loading, then its kind's mix of states; a forgotten one stops early."""
    at = job.start
    course: list[tuple[int, int, State]] = []
    working_until = job.end
    if job.kind == "forgotten":
        working_until = job.start + int((job.end - job.start) * rng.uniform(0.15, 0.6))

    def spend(until: float, state: State) -> int:
        until = int(min(max(until, at + 1), job.end))
        if until > at:
            course.append((at, until, state))
        return until

    at = spend(at + int(rng.integers(30, 300)), State.NO_PROCESS)
    at = spend(at + int(rng.integers(60, 600)), State.LOADED)
    shares = TIME_IN[job.kind]
    states, cumulative = list(shares), np.cumsum(list(shares.values()))
    while at < working_until:
        state = states[_draw(rng, cumulative)]
        at = spend(min(at + rng.exponential(SEGMENT_S) + 60, working_until), state)
    if at < job.end:
        at = spend(job.end, State.NO_PROCESS if rng.random() < 0.5 else State.LOADED)
    return course


def gpus_of(job: Job, nodes: tuple[Node, ...], node: int, slots: NDArray[np.int64]) -> float:
    """Return the accelerators that slots of a node are: a slice is its part of one."""
    return len(slots) / SLICES_PER_GPU if nodes[node].sliced else float(len(slots))
