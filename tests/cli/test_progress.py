"""Something long shows how far it is on a terminal, and nowhere else."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys

LONG = "simulate serve --model llama-3.1-8b --accelerator h100-sxm --rate 20 --replicas 2 --count 60000 --format json"

IMPATIENT = """
import sys
from groundplan.cli import entry, progress
progress.PATIENCE_S = 0.2
sys.exit(entry.main())
"""


def _said(**environment: str) -> tuple[str, str]:
    """Run something long with standard error on a terminal; return what standard output got, and the terminal."""
    screen, terminal = pty.openpty()
    command = [sys.executable, "-c", IMPATIENT, *LONG.split()]
    settings = {**os.environ, "TERM": "xterm", "COLUMNS": "120", **environment}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal, env=settings, text=True) as process:
        os.close(terminal)
        drawn = b""
        while True:
            try:
                drawn += os.read(screen, 65536)
            except OSError:  # the other end is closed
                break
        assert process.stdout is not None
        answer = process.stdout.read()
    os.close(screen)
    assert process.returncode == 0
    return answer, drawn.decode()


def test_a_bar_on_the_terminal_counts_and_leaves_the_answer_alone() -> None:
    answer, drawn = _said()
    assert json.loads(answer)["schema"].startswith("groundplan/simulate-serve/")
    counted = [int(text.replace(",", "")) for text in re.findall(r"([\d,]+) of 60,000", drawn)]
    assert counted == sorted(counted)
    assert counted[-1] > counted[0]
    assert drawn.rstrip().endswith("\x1b[2K"), "the line is taken away at the end"


def test_a_terminal_that_cannot_move_its_cursor_gets_no_bar() -> None:
    _, drawn = _said(TERM="dumb")
    assert drawn == ""
