"""How far long work is: the work tells, who asked decides whether to draw it, send it, or stop the work.

Nobody in between hands anything on: who asked listens around the work, as with a log.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """Who listens; an exception that it raises ends the work."""

    def __call__(self, done: float, total: float, what: str, /) -> None:
        """Take that `done` of `total` units of `what` are behind; a `total` of 0 is not known."""


_LISTENER: ContextVar[Progress | None] = ContextVar("progress", default=None)


@contextmanager
def told_to(listener: Progress | None) -> Iterator[None]:
    """Let a listener hear how far the work inside is; None = nobody."""
    before = _LISTENER.get()
    _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.set(before)


def tell(done: float, total: float, what: str) -> None:
    """Say that `done` of `total` units of `what` are behind, if somebody listens."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(done, total, what)


def over(items: Sequence[Item], what: str) -> Iterator[Item]:
    """Yield items and tell how many are behind; parts of the work on one of them are not told.

    >>> with told_to(lambda done, total, what: print(f"{done:.0f} of {total:.0f} {what}")):
    ...     for file in over(["a.csv", "b.csv"], "files"):
    ...         tell(1.0, 9.0, "rows")
    0 of 2 files
    1 of 2 files
    2 of 2 files
    """
    for done, item in enumerate(items):
        tell(done, len(items), what)
        with told_to(None):
            yield item
    tell(len(items), len(items), what)
