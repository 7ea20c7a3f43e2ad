"""Read what a command is given to read: standard input, and results saved as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from groundplan.errors import InputError

LARGEST_INPUT_BYTES = 64 * 2**20
"""A saved plan is a few hundred kB."""
HOW_TO_SAVE = "save one with: groundplan plan brief.yaml --out plan.json"


def read_stdin() -> str:
    """Return standard input as text.

    Raises
    ------
    InputError
        Too much of it, or not text.
    """
    return _text(sys.stdin.buffer.read(LARGEST_INPUT_BYTES + 1), "standard input")


def read_saved(path: str) -> dict[str, Any]:
    """Return a result saved as JSON; ``-`` reads standard input.

    Raises
    ------
    InputError
        A folder, a missing file, one that is too large, not JSON, or no result of Groundplan.
    """
    label = "standard input" if path == "-" else path
    try:
        saved = json.loads(read_stdin() if path == "-" else _file(Path(path)), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise InputError(f"{label} is not JSON", HOW_TO_SAVE) from None
    if not isinstance(saved, dict) or not str(saved.get("schema", "")).startswith("groundplan/"):
        raise InputError(f"{label} is no saved result of groundplan", HOW_TO_SAVE)
    return saved


def _file(path: Path) -> str:
    if path.is_dir():
        raise InputError(f"{path} is a folder", "name a file in it")
    try:
        with path.open("rb") as file:
            return _text(file.read(LARGEST_INPUT_BYTES + 1), str(path))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", HOW_TO_SAVE) from None


def _text(raw: bytes, label: str) -> str:
    if len(raw) > LARGEST_INPUT_BYTES:
        raise InputError(f"{label} is larger than {LARGEST_INPUT_BYTES // 2**20} MiB", "give a smaller file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{label} is not text", "give a file in UTF-8") from None


def _refuse_constant(name: str) -> float:
    raise ValueError(name)
