"""What is true of a world, added up from its making and not from its files."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any

import numpy as np

from groundplan.finops.states import IDLE, State
from groundplan.finops.world.bill import MICRO, SHARED, UNKNOWN, UNUSED, node_rate
from groundplan.finops.world.fleet import DAY_S, HOUR_S, START, Node, WorldSize
from groundplan.finops.world.shifts import Shift
from groundplan.finops.world.work import Job, gpus_of


class Ledger:
    """The running sums of a world."""

    def __init__(self) -> None:
        self.total = 0  # micro-dollars
        self.owners: dict[str, float] = defaultdict(float)  # micro-dollars, of charges that are no machine of the fleet
        self.jobs_usd: dict[str, float] = defaultdict(float)
        self.state_usd: dict[State, float] = defaultdict(float)
        self.fleet = 0

    def add_charge(self, owner: str, effective: int) -> None:
        """Count a charge of the bill."""
        self.total += effective
        if owner == "node":
            self.fleet += effective
        else:
            self.owners[owner] += effective


def truth_of(
    size: WorldSize, nodes: tuple[Node, ...], jobs: list[Job], shifts: tuple[Shift, ...], ledger: Ledger
) -> dict[str, Any]:
    """Return the truth: the total, each team's cost, idle dollars by state, and every shift."""
    rates = np.array(
        [[node_rate(node, day, shifts)[0] / node.gpus / HOUR_S for day in range(size.days)] for node in nodes]
    )
    bounds = np.arange(size.days + 1) * DAY_S
    for job in jobs:
        for node, slots in job.places:
            gpus = gpus_of(job, nodes, node, slots)
            for since, until, state in job.course:
                days = slice(since // DAY_S, -(-until // DAY_S))
                seconds = np.minimum(until, bounds[1:][days]) - np.maximum(since, bounds[:-1][days])
                micro = float(gpus * (seconds @ rates[node, days]))
                ledger.state_usd[state] += micro
                ledger.jobs_usd[job.team.name if job.team else UNKNOWN] += micro
    held = sum(ledger.state_usd.values())
    ledger.state_usd[State.UNALLOCATED] = ledger.fleet - held
    special = (SHARED, UNKNOWN, UNUSED)
    names = sorted({*ledger.owners, *ledger.jobs_usd} - set(special))
    teams = {name: ledger.owners[name] + ledger.jobs_usd[name] for name in names}
    return {
        "total_usd": _exact(ledger.total),
        "teams": {name: _usd(micro) for name, micro in teams.items()},
        "idle_usd": {state.value: _usd(ledger.state_usd[state]) for state in IDLE},
        "busy_usd": _usd(ledger.state_usd[State.BUSY]),
        "unknown_usd": _usd(ledger.owners[UNKNOWN] + ledger.jobs_usd[UNKNOWN]),
        "shared_usd": _usd(ledger.owners[SHARED]),
        "unused_commitment_usd": _usd(ledger.owners[UNUSED]),
        "anomalies": [
            {
                "start": f"{START + timedelta(days=shift.first):%Y-%m-%d}",
                "end": f"{START + timedelta(days=shift.after):%Y-%m-%d}",
                "cause": shift.cause,
                "where": shift.where,
                "team": shift.team or None,
                "size": shift.size,
            }
            for shift in shifts
        ],
    }


def _usd(micro: float) -> str:
    return f"{micro / MICRO:.6f}"


def _exact(micro: int) -> str:
    return f"{'-' if micro < 0 else ''}{abs(micro) // MICRO}.{abs(micro) % MICRO:06}"
