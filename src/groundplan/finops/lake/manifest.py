"""The manifest: one small file a commit, numbered, never changed. What no commit names is not in the lake."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from groundplan.errors import GroundplanError
from groundplan.finops.lake.folder import Folder

FORM = "groundplan/lake/1"
FOLDER = "manifest"


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file: its dataset, its rows, and the instants between which they are dated."""

    dataset: str
    path: str
    rows: int  # good ones
    quarantined: int
    first: str | None
    last: str | None
    partial: bool = False  # of its rows, other parts may hold the other columns


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it was imported; its content is what makes it the same file."""

    name: str
    sha256: str
    bytes: int
    importer: str


@dataclass(frozen=True, slots=True)
class Commit:
    """One import: a source, the parts it became, and how its rows and money reconcile."""

    version: int
    imported_at: str
    tool: str
    source: Source
    parts: tuple[Part, ...]
    read: int
    already: int  # rows that the lake held
    sums: dict[str, dict[str, str]]  # column -> {"read", "kept", "already", "quarantined"} -> decimal


def commits(folder: Folder) -> tuple[Commit, ...]:
    """Return every commit of a lake, in order."""
    return tuple(_read(folder, name) for name in folder.names(FOLDER) if name.endswith(".json") and name[0] != ".")


def append(folder: Folder, commit: Commit) -> bool:
    """Add a commit under its number; False where another import took the number first."""
    content = json.dumps({"schema": FORM, **asdict(commit)}, indent=1).encode()
    return folder.claim(f"{FOLDER}/{commit.version:08d}.json", content)


def now() -> str:
    """Return the present instant as commits carry it."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _read(folder: Folder, name: str) -> Commit:
    try:
        row = json.loads(folder.read(f"{FOLDER}/{name}"))
        if row.pop("schema") != FORM:
            raise GroundplanError(f"{FOLDER}/{name} was written by another version of groundplan", "update groundplan")
        source = Source(**row.pop("source"))
        parts = tuple(Part(**part) for part in row.pop("parts"))
        return Commit(source=source, parts=parts, **row)
    except (ValueError, KeyError, TypeError):
        raise GroundplanError(f"{FOLDER}/{name} of the lake is damaged", "restore it from a copy of the lake") from None
