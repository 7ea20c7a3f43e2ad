"""Files of a lake, on a disk or behind any fsspec URL: written whole or not at all, never overwritten."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from groundplan.errors import GroundplanError, InputError, MissingExtra


class Folder(Protocol):
    """What a lake needs of a place that keeps files."""

    def names(self, under: str) -> list[str]:
        """Return the names of the files directly in a subfolder, sorted; none where there is no such folder."""

    def read(self, name: str) -> bytes:
        """Return a file's content."""

    def publish(self, local: Path, name: str) -> None:
        """Bring a finished local file into the folder under a name, in one step."""

    def claim(self, name: str, content: bytes) -> bool:
        """Write a new small file in one step; False, and nothing written, where the name is taken."""

    def address(self, name: str) -> str:
        """Return what DuckDB is given to read a file."""

    def lock(self) -> contextlib.AbstractContextManager[Path]:
        """Wait until no other import runs, and lend a private local folder to work in."""


class LocalFolder:
    """A lake on a file system."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self, under: str) -> list[str]:
        """Return the names of the files directly in a subfolder, sorted."""
        folder = self.root / under
        return sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        return (self.root / name).read_bytes()

    def publish(self, local: Path, name: str) -> None:
        """Move a finished file of the work folder to its name; it is on the disk before it is there."""
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _sync(local)
        os.replace(local, target)
        _sync(target.parent)

    def claim(self, name: str, content: bytes) -> bool:
        """Link a written file to a new name: the link either appears whole or fails because the name is taken."""
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        try:
            partial.write_bytes(content)
            _sync(partial)
            os.link(partial, target)
        except FileExistsError:
            return False
        finally:
            partial.unlink(missing_ok=True)
        _sync(target.parent)
        return True

    def address(self, name: str) -> str:
        """Return the path of a file."""
        return str(self.root / name)

    @contextlib.contextmanager
    def lock(self) -> Iterator[Path]:
        """Hold the lake's lock, which ends with the process; the work folder is empty at the start and the end."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            work = self.root / "work"
            _clear(work)  # what a killed import left
            work.mkdir()
            try:
                yield work
            finally:
                _clear(work)


class RemoteFolder:
    """A lake behind an fsspec URL. Objects appear whole; two imports at the same instant are not kept apart."""

    def __init__(self, url: str) -> None:
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise MissingExtra("a lake behind a URL", "lake") from None
        try:
            self.filesystem, self.path = url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise InputError(f"{url} cannot be opened: {error}", "name a folder, or a URL that fsspec knows") from None
        self.protocol = url.partition("://")[0]

    def names(self, under: str) -> list[str]:
        """Return the names of the files directly in a subfolder, sorted."""
        try:
            found = self.filesystem.ls(f"{self.path}/{under}", detail=False, refresh=True)
        except FileNotFoundError:
            return []
        return sorted(str(path).rsplit("/", 1)[-1] for path in found)

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        return bytes(self.filesystem.cat_file(f"{self.path}/{name}"))

    def publish(self, local: Path, name: str) -> None:
        """Put a finished file."""
        self.filesystem.makedirs(f"{self.path}/{name}".rsplit("/", 1)[0], exist_ok=True)
        self.filesystem.put_file(str(local), f"{self.path}/{name}")
        local.unlink()

    def claim(self, name: str, content: bytes) -> bool:
        """Write an object unless its name is taken."""
        if self.filesystem.exists(f"{self.path}/{name}"):
            return False
        self.filesystem.makedirs(f"{self.path}/{name}".rsplit("/", 1)[0], exist_ok=True)
        self.filesystem.pipe_file(f"{self.path}/{name}", content)
        return True

    def address(self, name: str) -> str:
        """Return the URL of a file."""
        return f"{self.protocol}://{self.path.lstrip('/')}/{name}"

    @contextlib.contextmanager
    def lock(self) -> Iterator[Path]:
        """Lend a work folder on this machine."""
        import tempfile

        with tempfile.TemporaryDirectory(prefix="groundplan-lake-") as work:
            yield Path(work)


def folder_at(location: str) -> Folder:
    """Return the folder at a path or URL."""
    if "://" in location and not location.startswith("file://"):
        return RemoteFolder(location)
    path = Path(location.removeprefix("file://")).expanduser()
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file, not a lake", "name a folder")
    return LocalFolder(path)


def filesystem_of(folder: Folder) -> Any:
    """Return the fsspec file system that DuckDB must know to read a folder; None for a local one."""
    return folder.filesystem if isinstance(folder, RemoteFolder) else None


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _clear(work: Path) -> None:
    import shutil

    if work.is_dir():
        shutil.rmtree(work, ignore_errors=True)
        if work.exists():
            raise GroundplanError(f"{work} cannot be emptied", "remove it by hand")
