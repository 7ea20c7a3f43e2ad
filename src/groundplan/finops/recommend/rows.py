"""What a recommendation is, and which of several are about the same dollars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MONTH_HOURS = 720.0  # of the 30 days that dollars are for
MOST = 10  # of a kind that are listed one by one


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One thing to do. Dollars are for 30 days, `low` and `high` the range they may be in.

    `about` names the dollars: ``job:ID`` (what a job paid for accelerators), ``free:NODE`` (what nobody held of a
    node), ``charge:...`` (other rows of the bill). Two that share a name save the same dollars once, not twice.
    """

    kind: str
    what: str
    low_usd: float
    high_usd: float
    evidence: str
    risk: str
    command: str
    about: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class NotJudged:
    """A kind of waste that the lake cannot tell of, and what it would need."""

    kind: str
    needs: str


Judged = tuple[list[Recommendation], list[NotJudged]]


def overlapping(found: Sequence[Recommendation]) -> list[tuple[int, ...]]:
    """Return for each recommendation the places of the others that are about dollars of its own.

    >>> rows = [Recommendation("k", "", 0, 1, "", "", "", frozenset(names)) for names in ("a", "ab", "c")]
    >>> overlapping(rows)
    [(1,), (0,), ()]
    """
    return [
        tuple(place for place, other in enumerate(found) if other is not one and one.about & other.about)
        for one in found
    ]


def together(found: Iterable[Recommendation]) -> list[Recommendation]:
    """Return those that can be added up: dearest first, each that shares no dollars with one taken before."""
    taken: list[Recommendation] = []
    seen: set[str] = set()
    for one in sorted(found, key=lambda one: (-one.high_usd, one.what)):
        if not one.about & seen:
            taken.append(one)
            seen |= one.about
    return taken
