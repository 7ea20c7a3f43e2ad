"""What is written down of each request while time runs."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass

from groundplan.simulate.requests import Requests


@dataclass(frozen=True, slots=True)
class Span:
    """Iterations of one replica that ran in one go."""

    replica: int
    start_s: float
    duration_s: float
    iterations: int
    prefill_tokens: int  # of prompts
    batch: int  # sequences


class Columns:
    """One row per request; NaN until it happens."""

    __slots__ = ("arrival_s", "end_s", "first_token_s", "preemptions", "replica", "restarts", "spans", "start_s")

    def __init__(self, requests: Requests, record: bool) -> None:
        rows = len(requests)
        never = array("d", [math.nan])
        self.arrival_s = array("d", requests.arrival_s.tolist())
        self.start_s = never * rows
        self.first_token_s = never * rows
        self.end_s = never * rows
        self.replica = array("i", [-1]) * rows
        self.preemptions = array("i", [0]) * rows
        self.restarts = array("i", [0]) * rows
        self.spans: list[Span] | None = [] if record else None
