"""Node lists as Slurm prints them."""

from __future__ import annotations

import re
from itertools import product

NOTHING = {"", "None assigned", "(null)", "None"}
MOST_NODES = 1_000_000
_BRACKETS = re.compile(r"\[([^\]]*)\]")


def expand(text: str) -> list[str]:
    """Return the nodes of a list.

    >>> expand("gpu-[001-003,7],login")
    ['gpu-001', 'gpu-002', 'gpu-003', 'gpu-7', 'login']
    >>> expand("r[1-2]n[1-2]")
    ['r1n1', 'r1n2', 'r2n1', 'r2n2']

    Raises
    ------
    ValueError
        The text is no node list.
    """
    if text.strip() in NOTHING:
        return []
    found: list[str] = []
    for part in _split(text.strip()):
        pieces = _BRACKETS.split(part)  # text, inside of brackets, text, ...
        choices = [_numbers(piece) if index % 2 else [piece] for index, piece in enumerate(pieces)]
        found += ["".join(chosen) for chosen in product(*choices)]
        if len(found) > MOST_NODES:
            raise ValueError(text)
    return found


def _split(text: str) -> list[str]:
    """Split at the commas that are in no brackets."""
    parts, depth, last = [], 0, 0
    for index, mark in enumerate(text):
        depth += (mark == "[") - (mark == "]")
        if depth not in (0, 1):
            raise ValueError(text)
        if mark == "," and not depth:
            parts.append(text[last:index])
            last = index + 1
    if depth:
        raise ValueError(text)
    return [part for part in (*parts, text[last:]) if part]


def _numbers(inside: str) -> list[str]:
    found: list[str] = []
    for part in inside.split(","):
        first, dash, last = part.partition("-")
        if dash:
            if int(last) - int(first) > MOST_NODES:
                raise ValueError(inside)
            found += [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
        else:
            found.append(first)
    return found
