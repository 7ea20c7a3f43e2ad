"""What a recommendation is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One thing to do. Dollars are for 30 days, `low` and `high` the range they may be in."""

    kind: str
    what: str
    low_usd: float
    high_usd: float
    evidence: str
    risk: str
    command: str


@dataclass(frozen=True, slots=True)
class NotJudged:
    """A kind of waste that the lake cannot tell of, and what it would need."""

    kind: str
    needs: str
