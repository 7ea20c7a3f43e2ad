"""The process of one job: ``python -m groundplan.web.jobs.work FOLDER ID [LAKE]``."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from groundplan.catalog.catalog import load_catalog
from groundplan.errors import GroundplanError
from groundplan.progress import told_to
from groundplan.web.jobs.store import Job, Status, Store
from groundplan.web.jobs.tasks import answer_to_job
from groundplan.web.site import Site

LOOK_S = 0.2  # between looks for a free slot and for a word to stop, and between words on how far it is
SLOTS = max(1, os.cpu_count() or 1)  # jobs at once


def main(folder: Path, job_id: str, lake: str | None = None) -> None:
    """Compute a job and keep what comes out; leave it to another process where one has it."""
    store = Store(folder)
    with store.lock(job_id) as free:
        if free is None or store.state(job_id).status.is_over:
            return
        course = _Course(store, job_id)
        threading.Thread(target=_watch, args=(store, job_id, course), daemon=True).start()
        with _slot(store):
            course.tell(status=Status.RUNNING, since=time.time(), what="computing")
            course.end(*_outcome(store, store.job(job_id), course, lake))


class _Course:
    """What the process says of its job, in one order: an answer and a word to stop may come at the same moment."""

    def __init__(self, store: Store, job_id: str) -> None:
        self._store, self._job_id, self._lock, self._spoke = store, job_id, threading.Lock(), 0.0

    def tell(self, **changed: Any) -> None:
        """Change the state, unless the job is over."""
        with self._lock:
            state = self._store.state(self._job_id)
            if not state.status.is_over:
                self._store.tell(self._job_id, replace(state, **changed))

    def end(self, status: Status, outcome: Mapping[str, Any]) -> None:
        """Keep the outcome, unless the job is over."""
        with self._lock:
            if not self._store.state(self._job_id).status.is_over:
                self._store.end(self._job_id, status, outcome)

    def progress(self, done: float, total: float, what: str, /) -> None:
        """Take how far the work is; only now and then is it written."""
        if time.monotonic() - self._spoke > LOOK_S:
            self._spoke = time.monotonic()
            self.tell(done=done, total=total, what=what)


def _outcome(store: Store, job: Job, course: _Course, lake: str | None) -> tuple[Status, Mapping[str, Any]]:
    site = Site(load_catalog(), lake, store.folder)
    try:
        with told_to(course.progress):
            return Status.DONE, answer_to_job(job.task, job.asked, site)
    except GroundplanError as error:
        return Status.FAILED, {"what": error.what, "mend": error.mend, "exit_code": error.exit_code}


def _watch(store: Store, job_id: str, course: _Course) -> None:
    """End the process when somebody wants the job stopped: all that it has written is whole."""
    while not store.is_asked_to_stop(job_id):
        time.sleep(LOOK_S)
    course.end(Status.CANCELLED, {"what": "the job was cancelled", "mend": "ask again", "exit_code": 1})
    os._exit(0)


@contextmanager
def _slot(store: Store) -> Iterator[None]:
    """Wait until fewer than `SLOTS` jobs run."""
    while True:
        for number in range(SLOTS):
            with store.held(store.folder / f"slot{number}") as free:
                if free is not None:
                    yield
                    return
        time.sleep(LOOK_S)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
