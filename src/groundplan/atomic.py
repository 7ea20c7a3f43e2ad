"""Files that are whole or not there."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from groundplan.errors import GroundplanError

EVERYBODY = 0o666  # less what the process withholds (umask)


def write_whole(path: Path, content: bytes, permissions: int = EVERYBODY) -> None:
    """Write a file in one step: a reader finds the old file or the whole new one, never a part.

    Raises
    ------
    GroundplanError
        The file system refuses.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        try:
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, permissions), "wb") as file:
                if permissions != EVERYBODY:
                    os.fchmod(file.fileno(), permissions)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise GroundplanError(f"cannot write {path}: {error.strerror}", "choose another place") from None


def sweep(folder: Path) -> None:
    """Remove what processes left in a folder that were killed while they wrote."""
    for partial in folder.glob(".*.partial"):
        writer = partial.name.split(".")[-2].partition("-")[0]
        if writer.isdecimal() and not _lives(int(writer)):
            partial.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
