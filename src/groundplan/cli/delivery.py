"""Hand an answer over: to standard output, or to a file that is never half-written and never someone else's."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from groundplan.atomic import EVERYBODY, write_whole
from groundplan.cli.asked import Answer, Asked
from groundplan.errors import InputError

MARK = b"groundplan"
HEAD_BYTES = 65_536  # a CSV header names every column of a design
TAIL_BYTES = 512
WIDE_TERMINAL = 100
ATTAINED = 0.95  # share of requests inside every limit that is a yes, as in serving briefs


def deliver(answer: Answer, asked: Asked) -> None:
    """Render the answer as asked and print or write it, then its pictures; remarks go to standard error."""
    if asked.out is not None:
        write_file(asked.out, _text(answer, asked, terminal=False), asked.force)
        print(f"wrote {asked.out}", file=sys.stderr)
    else:
        _print(_text(answer, asked, terminal=sys.stdout.isatty()))
    if asked.plot is not None:
        write_file(asked.plot, _picture(answer, asked.plot), asked.force)
        print(f"wrote {asked.plot}", file=sys.stderr)


def _print(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        abandon_output()


def abandon_output() -> None:
    """Say nothing more: the reader has gone (`| head`), and the interpreter must not flush to it again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _text(answer: Answer, asked: Asked, terminal: bool) -> str:
    if isinstance(answer, str):
        return answer
    from groundplan.render import render

    if asked.form == "html":
        _remark_on_charts()
    width = shutil.get_terminal_size((WIDE_TERMINAL, 24)).columns if terminal else WIDE_TERMINAL
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return render(answer, asked.form, wide=asked.wide, colour=colour, width=width)


def _picture(answer: Answer, target: Path) -> str | bytes:
    if isinstance(answer, str):
        raise InputError("this answer has no chart", "leave --plot out")
    from groundplan.render.views import document_of
    from groundplan.render.writers import picture

    document = document_of(answer)
    return picture.png(document) if target.suffix.lower() == ".png" else picture.svg(document)


def _remark_on_charts() -> None:
    from groundplan.render.charts import available

    if not available():
        print("note: the report has no charts; pip install 'groundplan[charts]' adds them", file=sys.stderr)


def is_ok(answer: Mapping[str, Any]) -> bool:
    """Say whether the answer is yes: feasible, fits, keeps up, inside its limits, carried by the fabric, faultless."""
    if "verdict" in answer:
        return bool(answer["verdict"]["feasible"])
    if "fits" in answer:
        return bool(answer["fits"]) and bool(answer.get("keeps_up", True))
    if answer.get("attainment") is not None:
        return bool(answer["attainment"] >= ATTAINED)
    if "memory" in answer:
        return bool(answer["memory"]["fits"])
    if "fabric_ok" in answer:
        return bool(answer["fabric_ok"])
    if "products" in answer:
        return any(product["ok"] for product in answer["products"])
    if "problems" in answer:
        return not answer["problems"]
    if str(answer.get("schema", "")).startswith("groundplan/diff/"):
        return not answer["rows"]
    return True


def check_target(target: Path, force: bool) -> None:
    """Refuse a file that cannot or may not be written, before any work is done.

    Raises
    ------
    InputError
        A folder, a missing folder, or a file that groundplan did not write (without `force`).
    """
    if target.is_dir():
        raise InputError(f"{target} is a folder", "name a file in it")
    if not target.parent.is_dir():
        raise InputError(f"{target} cannot be written: there is no folder {target.parent}", "make the folder first")
    if not target.exists():
        return
    if not target.is_file():
        raise InputError(f"{target} is not a regular file", "name a file, or redirect standard output")
    if not force and not is_ours(target):
        raise InputError(f"{target} exists and was not written by groundplan", "choose another name, or add --force")


def is_ours(path: Path) -> bool:
    """Say whether groundplan wrote a file: each format carries the name and schema in its first or last lines."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            tail = file.read()
    except OSError:
        return False
    if head.startswith(b"\x89PNG"):
        return b"Software\0groundplan" in head
    if head.startswith(b"{"):
        return b'"schema": "groundplan/' in head
    if head.startswith((b"<", b"#")):
        return b"<!-- groundplan/" in head or head.startswith(b"# groundplan ")
    if head.startswith(b"schema,"):
        return head.partition(b"\n")[2].startswith(b"groundplan/")
    if head == b"schema\n":  # a table without rows
        return True
    return b"; groundplan/" in tail and tail.rstrip().rsplit(b"\n", 1)[-1].startswith(MARK)


def write_file(target: Path, content: str | bytes, force: bool = False) -> None:
    """Write a file in one step: a reader finds the old file or the whole new one, never a part.

    Raises
    ------
    InputError
        As `check_target`.
    GroundplanError
        When the file system refuses.
    """
    check_target(target, force)
    real = target.resolve()  # replace what a link points to, not the link
    data = content.encode() if isinstance(content, str) else content
    write_whole(real, data, real.stat().st_mode & 0o7777 if real.exists() else EVERYBODY)
