"""How far long work is: what does it tells, who asked decides whether to draw it, send it, or stop the work."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What long work calls from time to time; an exception it raises ends the work."""

    def __call__(self, done: float, total: float, what: str, /) -> None:
        """Take that `done` of `total` units of `what` are behind."""
