"""A replica in time: its scheduler on the event engine, switched on and off, failing."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from groundplan.estimate.replica import Replica
from groundplan.simulate.columns import Columns, Span
from groundplan.simulate.engine import Engine
from groundplan.simulate.scheduler import Scheduler
from groundplan.simulate.sequence import Sequence


class State(Enum):
    """Where a server is between being asked for and being given back."""

    OFF = "off"
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"  # ends what it has, gets nothing new


class Server:
    """One replica: runs iterations while it has requests, and keeps account of its time.

    An event that was asked for before the server's plans changed carries an old `_plan` and does nothing.

    Parameters
    ----------
    ended : function
        Called with the server and each sequence that leaves it for good.
    """

    __slots__ = (
        "_began_s",
        "_columns",
        "_ended",
        "_engine",
        "_on_since_s",
        "_plan",
        "_runs",
        "_waking",
        "batch_s",
        "busy_s",
        "life",
        "link_free_s",
        "number",
        "on_s",
        "outstanding",
        "scheduler",
        "state",
    )

    def __init__(
        self,
        number: int,
        replica: Replica,
        hash_tokens: int,
        prefill_only: bool,
        engine: Engine,
        columns: Columns,
        ended: Callable[[Server, Sequence], None],
    ) -> None:
        self.number = number
        self.scheduler = Scheduler(replica, hash_tokens, prefill_only)
        self.state = State.OFF
        self.outstanding = 0  # requests sent here that have not ended
        self.life = 0  # times it was switched on or failed
        self.link_free_s = 0.0  # when its link to the decoding replicas has nothing more to send
        self.busy_s = 0.0
        self.on_s = 0.0
        self.batch_s = 0.0  # sequences in an iteration times its seconds, summed
        self._on_since_s = 0.0
        self._engine = engine
        self._columns = columns
        self._ended = ended
        self._plan = 0
        self._began_s = 0.0
        self._runs = False
        self._waking = False

    def switch_on(self) -> None:
        """Begin to count time; the server is not ready yet."""
        self.state = State.STARTING
        self.life += 1
        self._on_since_s = self._engine.now_s

    def switch_off(self) -> None:
        """Stop counting time; what was cached is lost."""
        if self.state is not State.OFF:
            self.on_s += self._engine.now_s - self._on_since_s
        self.state = State.OFF
        self.life += 1
        self.scheduler.clear()

    def submit(self, sequence: Sequence) -> None:
        """Queue a sequence; running iterations are cut where it may join."""
        self.outstanding += 1
        joins = self.scheduler.queue(sequence)
        if not self._runs:
            if not self._waking:
                self._waking = True
                self._engine.at(self._engine.now_s, self._wake)
        elif joins and self.scheduler.steps > 1:
            self._cut()

    def fail(self) -> list[Sequence]:
        """Lose everything; return the sequences, which begin anew elsewhere."""
        if self._runs:
            self._account(self._engine.now_s - self._began_s, 0)
        self._runs = False
        self._plan += 1
        self.life += 1
        self.outstanding = 0
        return self.scheduler.clear()

    def _wake(self, _: object) -> None:
        self._waking = False
        if not self._runs:
            self._begin()

    def _begin(self) -> None:
        seconds = self.scheduler.begin()
        now = self._engine.now_s
        for sequence in self.scheduler.admitted:
            if sequence.produced == 0:
                self._columns.start_s[sequence.request] = now
            elif not sequence.preemptions:  # its prompt was computed elsewhere: its answer is sent from here
                self._columns.first_token_s[sequence.request] = now
        self._runs = seconds is not None
        if seconds is not None:
            self._began_s = now
            self._plan += 1
            self._engine.at(now + seconds, self._end, self._plan)

    def _cut(self) -> None:
        steps = self.scheduler.steps_until(self._engine.now_s - self._began_s)
        if steps < self.scheduler.steps:
            self.scheduler.steps = steps
            self._plan += 1
            end_s = self._began_s + self.scheduler.seconds_of(steps)
            self._engine.at(max(end_s, self._engine.now_s), self._end, self._plan)

    def _end(self, plan: int) -> None:
        if plan != self._plan:
            return
        now = self._engine.now_s
        steps = self.scheduler.steps
        self._account(now - self._began_s, steps)
        begun, ended = self.scheduler.end(steps)
        self._runs, self._waking = False, True  # what ends may bring new requests here, which the next iteration takes
        columns = self._columns
        for sequence in begun:
            columns.first_token_s[sequence.request] = now
        for sequence in ended:
            self.outstanding -= 1
            columns.end_s[sequence.request] = now
            columns.replica[sequence.request] = self.number
            columns.preemptions[sequence.request] = sequence.preemptions
            self._ended(self, sequence)
        self._waking = False
        self._begin()

    def _account(self, seconds: float, steps: int) -> None:
        scheduler = self.scheduler
        self.busy_s += seconds
        self.batch_s += seconds * scheduler.batch
        if self._columns.spans is not None:
            prompts = scheduler.prefill_tokens
            self._columns.spans.append(Span(self.number, self._began_s, seconds, steps, prompts, scheduler.batch))
