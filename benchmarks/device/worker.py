"""A process that runs cases for another, so that one that hangs, crashes or eats the memory ends alone.

The process that asks never imports PyTorch. It waits a bounded time for each case, and starts a fresh process after
one it had to end.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

from cases import Case, Step
from machine import Machine, Unavailable, find_machine
from timing import Timing

START_S = 180.0
"""Bound on importing PyTorch and waking the device [s]; a cold disk and a CUDA context take tens of seconds."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A case and what it took."""

    case: Case
    timing: Timing
    parameters: int | None = None
    peak_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A case without a measurement, and why."""

    case: Case
    reason: str
    healthy: bool = True  # whether the process that tried can try the next


class Worker:
    """Runs cases on one device, each for a bounded time."""

    def __init__(self, device: str) -> None:
        self._device = device
        self.machine = self._start()

    def measure(self, case: Case, budget_s: float, limit_s: float) -> Measurement | Skipped:
        """Run one case.

        Parameters
        ----------
        case
            What to run.
        budget_s
            Time to take samples in [s].
        limit_s
            Time after which the case is ended [s], whatever it is doing.
        """
        if limit_s <= 0:
            return Skipped(case, "no time left")
        deadline = time.monotonic() + limit_s
        if not self._process.is_alive():
            try:
                self._start(limit_s)
            except Unavailable as error:
                return Skipped(case, str(error))
        try:
            self._ends.send((case, budget_s))
            if self._ends.poll(max(0.0, deadline - time.monotonic())):
                found: Measurement | Skipped = self._ends.recv()
            else:
                found = Skipped(case, f"ended after {limit_s:.0f} s", healthy=False)
        except (EOFError, OSError):
            self._process.join(5.0)
            found = Skipped(case, f"its process died (exit {self._process.exitcode}): out of memory?", healthy=False)
        if isinstance(found, Skipped) and not found.healthy:
            self.close()
        return found

    def close(self) -> None:
        """End the process and what it started."""
        if self._process.is_alive() and self._process.pid is not None:
            with contextlib.suppress(OSError, AttributeError):  # no group yet, or none on this system
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
        self._process.join(5.0)
        self._ends.close()

    def _start(self, limit_s: float = START_S) -> Machine:
        context = multiprocessing.get_context("spawn")
        self._ends, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, self._device), daemon=True)
        self._process.start()
        theirs.close()
        try:
            answer = self._ends.recv() if self._ends.poll(limit_s) else f"PyTorch did not start within {limit_s:.0f} s"
        except (EOFError, OSError):
            answer = "the process that imports PyTorch died; try python -c 'import torch'"
        if isinstance(answer, Machine):
            return answer
        self.close()
        raise Unavailable(answer)


def serve(ends: Connection, device: str) -> None:
    """Answer cases until the other end closes: first with the machine, or why there is none."""
    if hasattr(os, "setsid"):
        os.setsid()  # compilers started for a case end with its process group
    try:
        machine = find_machine(device)
    except Unavailable as error:
        ends.send(str(error))
        return
    ends.send(machine)
    while True:
        try:
            case, budget_s = ends.recv()
        except (EOFError, OSError):
            return
        ends.send(attempt(case, machine.kind, budget_s))


def attempt(case: Case, device: str, budget_s: float) -> Measurement | Skipped:
    """Measure a case here and now; any failure is an answer, for the next case may still work."""
    import torch
    from kernels import time_kernel
    from steps import time_step

    try:
        if isinstance(case, Step):
            found = time_step(case, device, budget_s)
            return Measurement(case, found.timing, found.parameters, found.peak_bytes)
        return Measurement(case, time_kernel(case, device, budget_s))
    except Exception as error:
        short = isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
        reason = "out of memory" if short else f"{type(error).__name__}: {_first_line(error)}"
        return Skipped(case, reason, healthy=short)
    finally:
        if isinstance(case, Step) and case.compiled:
            torch.compiler.reset()
        if device == "cuda":
            torch.cuda.empty_cache()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else "no message"
