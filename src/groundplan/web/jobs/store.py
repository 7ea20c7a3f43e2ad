"""Jobs on disk, where every worker finds them: what was asked, how far it is, what came out.

A job is a folder. ``job.json`` says what was asked, ``state.json`` how far it is, ``outcome.json`` what came out; each
is replaced as a whole. The process that computes a job holds a lock on ``lock``, which ends with it: a job that runs
and is not locked has lost its process, and is begun again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from groundplan.atomic import sweep, write_whole
from groundplan.errors import GroundplanError, InputError

ID_BYTES = 16
KEPT_S = 24 * 3600.0  # after its end
WAITING_AT_MOST = 32
START_S = 15.0  # within which a process takes its job
ATTEMPTS = 3


class Status(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether it changes no more."""
        return self in (Status.DONE, Status.FAILED, Status.CANCELLED)


@dataclass(frozen=True, slots=True)
class Job:
    """What was asked, by whom: `asked` is a typed request or the query of a page."""

    id: str
    task: str
    asked: Mapping[str, Any]
    owner: str | None


@dataclass(frozen=True, slots=True)
class State:
    """How far a job is. `done` of `total` units of `what`; `since` is when the status last changed. [s, Unix]"""

    status: Status
    since: float
    done: float = 0.0
    total: float = 0.0
    what: str = ""
    attempt: int = 1


class NoSuchJob(InputError):
    """There is no such job."""


class TooManyJobs(GroundplanError):
    """No more can wait."""


class Store:
    """The jobs of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, task: str, asked: Mapping[str, Any], owner: str | None) -> Job:
        """Keep a new job, and forget those that ended long ago.

        Raises
        ------
        TooManyJobs
            So many wait already.
        """
        self._forget()
        if sum(not self.state(one.id).status.is_over for one in self.jobs()) >= WAITING_AT_MOST:
            raise TooManyJobs(f"{WAITING_AT_MOST} jobs wait already", "cancel one, or ask again later")
        job = Job(secrets.token_hex(ID_BYTES), task, asked, owner)
        place = self._place(job.id)
        place.mkdir(parents=True, mode=0o700)
        write_whole(place / "state.json", json.dumps(asdict(State(Status.WAITING, time.time()))).encode())
        write_whole(place / "job.json", json.dumps(asdict(job)).encode())  # last: with it the job is there
        return job

    def job(self, job_id: str) -> Job:
        """Return a job.

        Raises
        ------
        NoSuchJob
            There is none of that id.
        """
        try:
            return Job(**json.loads((self._place(job_id) / "job.json").read_bytes()))
        except OSError:
            raise NoSuchJob("there is no such job", "jobs are kept for a day after their end") from None

    def jobs(self) -> list[Job]:
        """Return all jobs, in no order."""
        found = []
        for place in self.folder.glob("*/job.json"):
            with contextlib.suppress(NoSuchJob):  # forgotten meanwhile
                found.append(self.job(place.parent.name))
        return found

    def state(self, job_id: str) -> State:
        """Return how far a job is."""
        kept = json.loads((self._place(job_id) / "state.json").read_bytes())
        return State(**{**kept, "status": Status(kept["status"])})

    def tell(self, job_id: str, state: State) -> None:
        """Keep how far a job is."""
        write_whole(self._place(job_id) / "state.json", json.dumps(asdict(state)).encode())

    def outcome(self, job_id: str) -> dict[str, Any]:
        """Return what came out of a job that is over: its answer, or its problem."""
        found: dict[str, Any] = json.loads((self._place(job_id) / "outcome.json").read_bytes())
        return found

    def end(self, job_id: str, status: Status, outcome: Mapping[str, Any]) -> None:
        """Keep what came out of a job; who reads its state as over finds it."""
        write_whole(self._place(job_id) / "outcome.json", json.dumps(outcome, ensure_ascii=False).encode())
        self.tell(job_id, replace(self.state(job_id), status=status, since=time.time()))

    def ask_to_stop(self, job_id: str) -> None:
        """Leave word for the process of a job to stop."""
        (self._place(job_id) / "stop").touch()

    def is_asked_to_stop(self, job_id: str) -> bool:
        """Say whether somebody wants the job stopped."""
        return (self._place(job_id) / "stop").exists()

    def is_lost(self, job_id: str) -> bool:
        """Say whether no process computes a job that is not over."""
        state = self.state(job_id)
        if state.status.is_over or (state.status is Status.WAITING and time.time() - state.since < START_S):
            return False
        with self.held(self._place(job_id) / "lock") as free:
            return free is not None and not self.state(job_id).status.is_over

    @contextlib.contextmanager
    def lock(self, job_id: str) -> Iterator[IO[bytes] | None]:
        """Hold a job, without what a killed process left half-written; None where another process has it."""
        with self.held(self._place(job_id) / "lock") as free:
            if free is not None:
                sweep(self._place(job_id))
            yield free

    @contextlib.contextmanager
    def held(self, path: Path) -> Iterator[IO[bytes] | None]:
        """Hold a lock that ends with the process; None where another process has it."""
        with path.open("ab") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
            else:
                yield handle

    def _place(self, job_id: str) -> Path:
        if len(job_id) != 2 * ID_BYTES or not job_id.isalnum():
            raise NoSuchJob("there is no such job", "ask with the id that was given")
        return self.folder / job_id

    def _forget(self) -> None:
        for job in self.jobs():
            state = self.state(job.id)
            if state.status.is_over and time.time() - state.since > KEPT_S:
                shutil.rmtree(self._place(job.id), ignore_errors=True)
