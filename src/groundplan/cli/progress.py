"""A bar on the terminal while something takes long, and nothing of it anywhere else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, Timer
from typing import TYPE_CHECKING

from groundplan.progress import told_to

if TYPE_CHECKING:
    from rich.progress import Progress as Display

PATIENCE_S = 2.0  # what ends sooner shows no bar


@contextmanager
def shown_progress() -> Iterator[None]:
    """Show how far the work inside is on standard error, where that is a terminal, once it takes long."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    bar = _Bar()
    try:
        with told_to(bar):
            yield
    finally:
        bar.close()


class _Bar:
    """One line: the kind of work that was told of last, or a bar that only moves where nothing was."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._display: Display | None = None
        self._told = (0.0, 0.0, "working")
        self._timer = Timer(PATIENCE_S, self._start)
        self._timer.daemon = True
        self._timer.start()

    def __call__(self, done: float, total: float, what: str, /) -> None:
        """Take how far the work is; the line is drawn ten times a second."""
        self._told = done, total, what
        if self._display is not None:
            self._draw(self._display)

    def close(self) -> None:
        """Take the line away."""
        self._timer.cancel()
        with self._lock:
            if self._display is not None:
                self._display.stop()

    def _start(self) -> None:
        with self._lock:
            if not self._timer.finished.is_set():
                self._display = _started()
                self._draw(self._display)

    def _draw(self, display: Display) -> None:
        done, total, what = self._told
        if [task.description for task in display.tasks] != [what]:
            for task in display.task_ids:
                display.remove_task(task)
            display.add_task(what, total=total or None, count="")
        count = f"{done:,.0f} of {total:,.0f}" if total else ""
        display.update(display.task_ids[0], completed=done, count=count)


def _started() -> Display:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    display = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TextColumn("elapsed,"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(stderr=True),
        transient=True,
    )
    display.start()
    return display
