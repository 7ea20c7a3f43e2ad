"""Who and what the world holds: nodes with their prices, teams with their habits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from groundplan.errors import InputError

DAY_S = 86_400
HOUR_S = 3_600
GPUS_PER_NODE = 8
SLICES_PER_GPU = 7  # 1g MIG slices of an A100
START = datetime(2026, 7, 1)
MOST_DAYS, MOST_GPUS, MOST_TEAMS = 730, 65_536, 200
TEAM_NAMES = ("vision", "language", "speech", "search", "ads", "ranking", "robotics", "safety", "maps", "mobile",
              "science", "games")  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorldSize:
    """What is asked for: days from 1 July 2026, accelerators, teams; the seed decides the rest."""

    seed: int = 7
    days: int = 90
    gpus: int = 512
    teams: int = 12

    def __post_init__(self) -> None:
        limits = (
            ("days", self.days, 1, MOST_DAYS),
            ("gpus", self.gpus, 8, MOST_GPUS),
            ("teams", self.teams, 1, MOST_TEAMS),
        )
        for name, value, least, most in limits:
            if not least <= value <= most:
                raise InputError(f"--{name} {value} is out of range", f"from {least} to {most}")
        if self.seed < 0:
            raise InputError(f"--seed {self.seed} is negative", "0 or more")

    @property
    def end(self) -> datetime:
        """Return the instant after the last day."""
        return START + timedelta(days=self.days)

    def stream(self, name: str) -> np.random.Generator:
        """Return the random numbers of one part of the world, independent of all other parts."""
        return np.random.default_rng([self.seed, *name.encode()])


@dataclass(frozen=True, slots=True)
class NodeType:
    """An instance type of the world: its accelerators and prices (assumed, near those of 2026)."""

    name: str
    gpu: str
    gpu_bytes: float
    on_demand_usd_per_hour: float
    committed_usd_per_hour: float
    spot_usd_per_hour: float
    idle_w: float
    busy_w: float
    vcpus: int
    memory_gib: int


H100 = NodeType("p5.48xlarge", "NVIDIA H100 80GB HBM3", 80e9, 55.04, 34.40, 22.02, 70.0, 640.0, 192, 2048)
A100 = NodeType("p4d.24xlarge", "NVIDIA A100-SXM4-40GB", 40e9, 21.96, 13.73, 8.78, 52.0, 370.0, 96, 1152)
NODE_TYPES = (H100, A100)
ON_DEMAND, COMMITTED, SPOT = "on_demand", "committed", "spot"


@dataclass(frozen=True, slots=True)
class Node:
    """One machine that is up and billed throughout."""

    name: str
    instance: str
    kind: NodeType
    purchase: str
    gpus: int
    sliced: bool  # every accelerator is cut into MIG slices

    @property
    def slots(self) -> int:
        """Return how many jobs of the smallest kind it holds."""
        return self.gpus * (SLICES_PER_GPU if self.sliced else 1)

    @property
    def usd_per_hour(self) -> float:
        """Return its usual price; a node with fewer accelerators costs its part."""
        price = {
            ON_DEMAND: self.kind.on_demand_usd_per_hour,
            COMMITTED: self.kind.committed_usd_per_hour,
            SPOT: self.kind.spot_usd_per_hour,
        }[self.purchase]
        return round(price * self.gpus / GPUS_PER_NODE, 4)


@dataclass(frozen=True, slots=True)
class Team:
    """Who runs jobs: its share of the fleet's work, and what its jobs are like."""

    name: str
    weight: float
    habits: NDArray[np.float64]  # probabilities of the kinds of job in `work.KINDS`
    users: int


def nodes_of(size: WorldSize) -> tuple[Node, ...]:
    """Return the fleet: half of it H100 under commitment, the rest A100 on demand, some spot, one node in slices."""
    rng = size.stream("fleet")
    count = -(-size.gpus // GPUS_PER_NODE)
    found = []
    for index in range(count):
        gpus = min(GPUS_PER_NODE, size.gpus - index * GPUS_PER_NODE)
        first_half = index < count / 2
        spot = not first_half and index >= count - max(1, count // 8) and count >= 4
        sliced = count >= 4 and index == count // 2
        purchase = COMMITTED if first_half else SPOT if spot else ON_DEMAND
        instance = f"i-{rng.integers(16**12):012x}"
        kind = H100 if first_half else A100
        found.append(Node(f"gpu-{index + 1:04}", instance, kind, purchase, gpus, sliced))
    return tuple(found)


def teams_of(size: WorldSize) -> tuple[Team, ...]:
    """Return the teams, large and small."""
    rng = size.stream("teams")
    names = [*TEAM_NAMES, *(f"team-{index + 1}" for index in range(len(TEAM_NAMES), size.teams))][: size.teams]
    weights = rng.dirichlet(np.full(size.teams, 3.0))
    found = []
    for name, weight in zip(names, weights, strict=True):
        # healthy, starved, communication-bound, notebook, forgotten, small
        habits = rng.dirichlet(np.array([6.0, 1.5, 1.5, 1.5, 0.8, 1.2]))
        found.append(Team(name, float(weight), habits, int(rng.integers(2, 9))))
    return tuple(found)
