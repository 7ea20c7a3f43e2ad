"""Files that people sent, kept by the hash of their content, so that a link to a calculation names what it read."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from groundplan.errors import InputError

PREFIX = "upload:"
TOKEN = re.compile(r"upload:([0-9a-f]{64})/([A-Za-z0-9_-][A-Za-z0-9._-]{0,79})")
LARGEST = 64 << 20  # bytes of a file
LARGEST_UNPACKED = 512 << 20
LARGEST_ALL = 2 << 30  # beyond it the oldest go
CHUNK = 1 << 20


class Uploads:
    """The files of a folder.

    Parameters
    ----------
    folder : Path
        Of the server; every worker and job sees it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "uploads"

    def keep(self, file: BinaryIO, name: str) -> str:
        """Keep a file, and return what stands for it in the address of a page: ``upload:HASH/NAME``.

        Raises
        ------
        InputError
            It is empty, too large, or unpacks to too much.
        """
        self._folder.mkdir(exist_ok=True, mode=0o700)
        handle, partial = tempfile.mkstemp(dir=self._folder, prefix=".")
        try:
            with os.fdopen(handle, "wb") as target:
                digest = _copied(file, target)
            name = plain(name)
            if name.endswith(".gz"):
                _check_unpacked(Path(partial))
            place = self._place(digest, name)
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.replace(partial, place)
        finally:
            Path(partial).unlink(missing_ok=True)
        self._forget()
        return f"{PREFIX}{digest}/{name}"

    def path_of(self, token: str) -> Path:
        """Return where an upload lies.

        Raises
        ------
        InputError
            It is no upload, or has been forgotten.
        """
        found = TOKEN.fullmatch(token)
        place = self._place(*found.groups()) if found else None
        if place is None or not place.is_file():
            raise InputError(f"{token[:100]!r} is no upload of this server", "send the file again")
        os.utime(place.parent.parent)  # what is used is kept
        return place

    @contextmanager
    def nameless(self) -> Iterator[None]:
        """Call an upload by its own name in the errors that leave; where it lies is nobody's business."""
        try:
            yield
        except InputError as error:
            said = re.sub(re.escape(str(self._folder)) + r"/[0-9a-f]{64}/upload/?", "", error.what)
            if said == error.what:
                raise
            raise InputError(said, error.mend) from None

    def _place(self, digest: str, name: str) -> Path:
        return self._folder / digest / "upload" / name  # a config.json is named for its folder

    def _forget(self) -> None:
        kept = sorted(self._folder.glob("[0-9a-f]*"), key=lambda place: place.stat().st_mtime, reverse=True)
        held = 0
        for place in kept:
            held += sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
            if held > LARGEST_ALL:
                shutil.rmtree(place, ignore_errors=True)


def is_upload(value: object) -> bool:
    """Say whether a value stands for an upload."""
    return isinstance(value, str) and value.startswith(PREFIX)


def name_of(token: str) -> str:
    """Return what the one who sent an upload calls it."""
    return token.rpartition("/")[2]


def plain(name: str) -> str:
    """Return the name of a file without folders and anything odd.

    >>> plain("../../etc/pass wd.csv"), plain(""), plain(".hidden")
    ('pass_wd.csv', 'file', 'hidden')
    """
    last = re.split(r"[/\\\\]", name)[-1]
    return re.sub(r"[^A-Za-z0-9._-]", "_", last).lstrip(".")[-80:].lstrip(".") or "file"


def _copied(file: BinaryIO, target: BinaryIO) -> str:
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(CHUNK):
        size += len(chunk)
        if size > LARGEST:
            raise InputError(f"the file has more than {LARGEST >> 20} MiB", "send less, or use the command line")
        digest.update(chunk)
        target.write(chunk)
    if not size:
        raise InputError("the file is empty", "choose another")
    return digest.hexdigest()


def _check_unpacked(path: Path) -> None:
    """Refuse what unpacks to a flood."""
    size = 0
    try:
        with gzip.open(path) as packed:
            while chunk := packed.read(CHUNK):
                size += len(chunk)
                if size > LARGEST_UNPACKED:
                    raise InputError(f"the file unpacks to more than {LARGEST_UNPACKED >> 20} MiB", "send less")
    except (OSError, EOFError, zlib.error):
        raise InputError("the file ends in .gz and is not sound gzip", "pack it again") from None
