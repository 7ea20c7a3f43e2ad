"""What goes wrong with the bill: shifts of price, quantity or mix, each with its days, known to the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundplan.finops.world.fleet import COMMITTED, ON_DEMAND, Node, Team, WorldSize

QUIET_DAYS = 24  # before the first shift: there must be a usual to differ from
EVERY_DAYS = 11
PRICE, QUANTITY, MIX = "price", "quantity", "mix"


@dataclass(frozen=True, slots=True)
class Shift:
    """One shift, on the days from `first` to before `after`.

    `where` is what it strikes: ``a100`` (rate on demand), ``commitment`` (nodes that lose it), ``tokens`` or
    ``transfer`` of a team, ``stray`` (machines nobody owns). `size` is the factor, or how many machines.
    """

    first: int
    after: int
    cause: str
    where: str
    size: float
    team: str = ""


def shifts_of(size: WorldSize, nodes: tuple[Node, ...], teams: tuple[Team, ...]) -> tuple[Shift, ...]:
    """Return the shifts of a world, one after another, each of 25 % or more of the series it strikes."""
    rng = size.stream("shifts")
    kinds = ["tokens", "transfer", "stray"]
    if any(node.purchase == ON_DEMAND for node in nodes):
        kinds.append("a100")
    if any(node.purchase == COMMITTED for node in nodes):
        kinds.append("commitment")
    found: list[Shift] = []
    order: list[str] = []
    for first in range(QUIET_DAYS, size.days - 4, EVERY_DAYS):
        order = order or list(rng.permutation(kinds))
        where = order.pop()
        start = first + int(rng.integers(0, 3))
        after = min(start + int(rng.integers(2, 8)), size.days)
        team = teams[int(rng.integers(len(teams)))].name if where in ("tokens", "transfer") else ""
        drawn = float(np.round(rng.uniform(1.25, 2.5), 2))
        strength = {"a100": min(drawn, 1.7), "stray": float(rng.integers(4, 12)), "commitment": 0.7}.get(where, drawn)
        cause = {"a100": PRICE, "commitment": MIX}.get(where, QUANTITY)
        found.append(Shift(start, after, cause, where, strength, team))
    return tuple(found)
