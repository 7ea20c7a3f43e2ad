"""What an accelerator does at an instant: seven states, one at a time."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """The states of an accelerator-second, from most to least wasted. Only `BUSY` is not idle."""

    UNALLOCATED = "unallocated"  # no job holds it
    NO_PROCESS = "allocated-no-process"  # a job holds it and has nothing on it
    LOADED = "loaded-but-idle"  # a process holds memory and runs no kernels
    LOW = "low"  # kernels run now and then
    STARVED = "starved"  # kernels wait for input or the host
    COMMUNICATION = "communication-bound"  # kernels wait for other accelerators
    BUSY = "busy"
    UNMEASURED = "unmeasured"  # a job holds it and nothing says what it does


IDLE = tuple(state for state in State if state not in (State.BUSY, State.UNMEASURED))
