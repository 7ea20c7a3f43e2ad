"""What a path names: the files to import, and the content by which one is known again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from groundplan.errors import InputError
from groundplan.finops.ingest.mlflow import UNREAD, is_store

BLOCK_BYTES = 1 << 22


def files_of(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the files that paths name, folders opened up; hidden files and our own truth left out.

    Raises
    ------
    InputError
        A path does not exist, or a folder holds no file.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = list(_inside(path))
            if not inside:
                raise InputError(f"{path} holds no file", "name the folder that holds the exports")
            found += inside
        else:
            found.append(path)
    return tuple(found)


def _inside(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder in order; a store whose files are one thing is yielded as a folder."""
    if is_store(folder):
        yield folder
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_")):
            continue
        if path.is_dir():
            yield from _inside(path)
        elif path.is_file():
            yield path


def content_of(path: Path) -> list[Path]:
    """Return the files that a path consists of; of a store, those that say what its runs were, not what they made."""
    if not path.is_dir():
        return [path]
    inside = (file for file in path.rglob("*") if not UNREAD & set(file.relative_to(path).parts))
    return sorted(file for file in inside if file.is_file())


def sha256_of(path: Path) -> str:
    """Return what tells the content of a path from any other."""
    digest = hashlib.sha256()
    for part in content_of(path):
        if part != path:
            digest.update(f"{part.relative_to(path).as_posix()}\0{part.stat().st_size}\0".encode())
        with part.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()
