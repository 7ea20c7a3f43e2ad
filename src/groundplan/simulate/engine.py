"""The one event engine: a clock and a heap of what is to happen."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

Action = Callable[[Any], None]


class Engine:
    """Runs actions in the order of their times; those of one time in the order in which they were asked for."""

    __slots__ = ("_asked", "_heap", "now_s")

    def __init__(self, start_s: float = 0.0) -> None:
        self.now_s = start_s
        self._heap: list[tuple[float, int, Action, Any]] = []
        self._asked = 0

    def at(self, time_s: float, action: Action, argument: Any = None) -> None:
        """Ask for `action(argument)` at a time that is not past."""
        self._asked += 1
        heappush(self._heap, (time_s, self._asked, action, argument))

    def run(self) -> None:
        """Run until nothing is left to happen."""
        heap = self._heap
        while heap:
            self.now_s, _, action, argument = heappop(heap)
            action(argument)

    def stop(self) -> None:
        """Drop what is still to happen."""
        self._heap.clear()
