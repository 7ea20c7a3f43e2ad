"""A document: what a result says to people, before anyone has chosen how it looks.

A view (`render.views`) turns the JSON contract into a `Document`; a writer (`render.writers`) turns a document
into text. All text in a document is plain: writers escape it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def one_line(text: str) -> str:
    """Return text on one line without control characters, as every writer prints it.

    >>> one_line("a\\tb\\x1b[31m\\n")
    'a b [31m'
    """
    return _CONTROLS.sub(" ", text).strip(" ") if _CONTROLS.search(text) else text


class Tone(StrEnum):
    """What a piece of text means; writers choose the colour."""

    PLAIN = ""
    GOOD = "good"
    BAD = "bad"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Fact:
    """One labelled value, with a remark."""

    label: str
    value: str
    note: str = ""
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Facts:
    """Labelled values under one heading."""

    title: str
    rows: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A table column. `detail` columns are left out where width is short; `right` aligns numbers."""

    name: str
    right: bool = False
    detail: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text. `brief_rows` is how many a terminal shows unless all are asked for; None = all."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] | None = None
    brief_rows: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One term of a breakdown; `share` is its part of the total, None when the total is 0 or unknown."""

    name: str
    text: str
    share: float | None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Terms that sum to a total, largest first."""

    title: str
    parts: tuple[Part, ...]
    total: str


@dataclass(frozen=True, slots=True)
class Notes:
    """Sentences under one heading."""

    title: str
    items: tuple[str, ...]
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Node:
    """One line of a formula tree, the remarks under it, and its children."""

    text: str
    details: tuple[str, ...] = ()
    children: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Tree:
    """A formula tree under one heading."""

    title: str
    root: Node


@dataclass(frozen=True, slots=True)
class Stage:
    """One station of what flows through a design: its name, what it is, and whether it is what limits."""

    name: str
    lines: tuple[str, ...]
    limits: bool = False


@dataclass(frozen=True, slots=True)
class Flow:
    """Stations in a row; `arrows[i]` says what goes from station i to the next."""

    title: str
    stages: tuple[Stage, ...]
    arrows: tuple[str, ...]


class ChartKind(StrEnum):
    """The charts a report may carry."""

    SHARES = "shares"  # one bar per term
    FRONT = "front"  # cost against time
    MONTHS = "months"  # stacked cost per month
    AGREEMENT = "agreement"  # predicted against measured
    BRIDGE = "bridge"  # from one total to another, step by step
    BURN_DOWN = "burn-down"  # a limit, what was spent by each day, and a forecast with its interval
    TIME_LINE = "time-line"  # a value by day, and spans of days that are marked
    ERRORS = "errors"  # median and 90th percentile of the error, by set


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart beside the tables that carry the same numbers; `points` hold the values in the unit `unit`."""

    kind: ChartKind
    title: str
    unit: str
    points: tuple[Mapping[str, float | str], ...] = field(default_factory=tuple)


Block = Facts | Table | Breakdown | Notes | Tree | Chart | Flow


@dataclass(frozen=True, slots=True)
class Document:
    """What one result says: the verdict first, then the blocks in the order they are read.

    `schema` is the result's own (``groundplan/plan/1``): written files carry it as their mark.
    """

    schema: str
    title: str
    headline: str
    tone: Tone
    blocks: tuple[Block, ...]
    footer: str = ""
