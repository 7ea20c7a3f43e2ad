"""Measure what a device does with the work of training: products, attention, memory, whole steps of small models.

    python benchmarks/device/measure.py --out rows.csv

Training steps are written in the columns of measured runs, which `groundplan validate` and `groundplan calibrate`
read; kernels are written beside them, to rows-kernels.csv, and for a processor a row of one's own catalog. Needs
PyTorch 2.5 or later and nothing else, so that the folder can be copied to a machine that has an accelerator. Cases
that fail are named, counted and skipped.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from cases import KINDS, Case, Step, cases
from machine import INSTALL, Machine, Unavailable
from rows import KERNEL_COLUMNS, STEP_COLUMNS, kernel_row, kernels_path, step_row, table, write_rows
from worker import Measurement, Skipped, Worker

from catalog import catalog_path, catalog_text

BUDGET_S = {"kernel": 0.5, "step": 5.0}
QUICK_BUDGET_S = {"kernel": 0.1, "step": 0.6}
CASE_LIMIT_S = 120.0
"""Bound on one case [s], compiling included."""
QUICK_LIMIT_S = 55.0
"""Bound on a whole quick run [s]: what has not been measured by then is skipped."""


def main(arguments: list[str] | None = None) -> int:
    """Measure, write two files, print a table; return the exit status."""
    options = _parser().parse_args(arguments)
    start = time.monotonic()
    try:
        _check_writable(options.out)
        if find_spec("torch") is None:
            raise Unavailable(f"PyTorch is not installed for {sys.executable}; {INSTALL}")
        worker = Worker(options.device)
    except Unavailable as error:
        print(f"measure.py: {error}", file=sys.stderr)
        return 2
    try:
        outcomes = _measure(worker, options, start)
    finally:
        worker.close()
    return _report(outcomes, worker.machine, options.out)


def _measure(worker: Worker, options: argparse.Namespace, start: float) -> list[Measurement | Skipped]:
    """Run the cases one after the other; an interruption skips the rest and loses nothing."""
    machine = worker.machine
    chosen = cases(options.only, machine.kind == "cuda", machine.dtypes, options.quick)
    outcomes: list[Measurement | Skipped] = []
    try:
        for case in chosen:
            left_s = QUICK_LIMIT_S - (time.monotonic() - start) if options.quick else CASE_LIMIT_S
            outcomes.append(worker.measure(case, _budget_s(case, options.quick), left_s))
            _show_progress(len(outcomes), len(chosen), case)
    except KeyboardInterrupt:
        outcomes += [Skipped(case, "interrupted") for case in chosen[len(outcomes) :]]
    return outcomes


def _report(outcomes: list[Measurement | Skipped], machine: Machine, out: Path) -> int:
    """Write both files and print the table; return the exit status."""
    measured = [outcome for outcome in outcomes if isinstance(outcome, Measurement)]
    year = datetime.now(UTC).year
    steps = [step_row(found, machine, year) for found in measured if isinstance(found.case, Step)]
    kernels = [kernel_row(found, machine) for found in measured if not isinstance(found.case, Step)]
    write_rows(out, STEP_COLUMNS, steps)
    write_rows(kernels_path(out), KERNEL_COLUMNS, kernels)
    written = f"{out} ({len(steps)} steps), {kernels_path(out)} ({len(kernels)} kernels)"
    if machine.kind == "cpu" and kernels:
        catalog_path(out).write_text(catalog_text(machine.name, kernels), encoding="utf-8")
        written += f", {catalog_path(out)}"
    print(table(outcomes, machine))
    print(f"wrote {written}")
    return 0 if measured else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="measure.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="CSV of training steps; kernels go beside it")
    parser.add_argument(
        "--device", choices=("auto", "cuda", "cpu"), default="auto", help="default: a GPU if there is one"
    )
    parser.add_argument("--quick", action="store_true", help="a few cases, in under a minute on two cores")
    parser.add_argument("--only", type=_kinds, default=KINDS, metavar="KINDS", help=f"some of {','.join(KINDS)}")
    return parser


def _kinds(text: str) -> tuple[str, ...]:
    chosen = tuple(text.split(","))
    unknown = [kind for kind in chosen if kind not in KINDS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is no kind of case; choose from {', '.join(KINDS)}")
    return chosen


def _check_writable(path: Path) -> None:
    """Fail before the measuring, not after it."""
    if path.is_dir() or not path.parent.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise Unavailable(f"{path} cannot be written; name a file in an existing folder")


def _budget_s(case: Case, quick: bool) -> float:
    return (QUICK_BUDGET_S if quick else BUDGET_S)["step" if isinstance(case, Step) else "kernel"]


def _show_progress(done: int, total: int, case: Case) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{done}/{total} {case.name}", end="" if done < total else "\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # before the first case: nothing is lost
        sys.exit(130)
