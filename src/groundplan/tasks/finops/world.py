"""Task: make a world to test on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundplan import __version__
from groundplan.evidence import Result
from groundplan.finops.world.fleet import WorldSize
from groundplan.finops.world.write import write_world


@dataclass(frozen=True, slots=True)
class WorldResult(Result):
    """Where a world was written, of what size, and what is true of it."""

    schema: str
    tool_version: str
    out: str
    seed: int
    days: int
    gpus: int
    teams: int
    truth: dict[str, Any]


def simulate_world(size: WorldSize, out: Path) -> WorldResult:
    """Write bill, jobs, telemetry, prices and `truth.json` of a generated world into a new folder.

    Raises
    ------
    InputError
        The folder is there and not empty.
    """
    truth = write_world(size, out)
    return WorldResult(
        "groundplan/finops-world/1", __version__, str(out), size.seed, size.days, size.gpus, size.teams, truth
    )
