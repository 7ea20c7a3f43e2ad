"""The processes of the jobs: one each, apart from the workers, so that a worker may die and its jobs do not."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from threading import Lock

from groundplan.web.jobs.store import ATTEMPTS, Status, Store


class Processes:
    """Processes that this worker began."""

    def __init__(self, store: Store, lake: str | None = None) -> None:
        self._store = store
        self._lake = lake
        self._begun: list[subprocess.Popen[bytes]] = []
        self._lock = Lock()

    def begin(self, job_id: str) -> None:
        """Begin to compute a job."""
        command = [sys.executable, "-m", "groundplan.web.jobs.work", str(self._store.folder), job_id]
        command += [self._lake] if self._lake else []
        with self._lock:
            self._begun = [one for one in self._begun if one.poll() is None]
            self._begun.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True))

    def begin_lost(self) -> None:
        """Begin again what a machine or a server that went down left unfinished."""
        for job in self._store.jobs():
            self.begin_if_lost(job.id)

    def begin_if_lost(self, job_id: str) -> None:
        """Begin a job again where its process died, but not for ever."""
        if not self._store.is_lost(job_id):
            return
        state = self._store.state(job_id)
        if state.attempt >= ATTEMPTS:
            what = f"the process that computed it died {ATTEMPTS} times"
            mend = "ask for less, or look into the log of the server"
            self._store.end(job_id, Status.FAILED, {"what": what, "mend": mend, "exit_code": 1})
            return
        again = replace(state, status=Status.WAITING, since=time.time(), attempt=state.attempt + 1)
        self._store.tell(job_id, again)
        self.begin(job_id)

    def end(self) -> None:
        """Stop what this worker began; a server on the same folder begins it again."""
        with self._lock:
            for one in self._begun:
                one.terminate()
            for one in self._begun:
                one.wait()
            self._begun.clear()
