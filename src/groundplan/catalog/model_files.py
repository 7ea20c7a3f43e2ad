"""Model rows: one JSON file for each model, read when it is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from groundplan.errors import InputError


class ModelTable(Mapping[str, Mapping[str, Any]]):
    """Model id -> its raw row. Files are read on first use; the name of the file is the id."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._rows: dict[str, Mapping[str, Any]] = {}

    def __getitem__(self, identity: str) -> Mapping[str, Any]:
        if identity not in self._rows:
            self._rows[identity] = read_model(self._files[identity])
        return self._rows[identity]

    def __contains__(self, identity: object) -> bool:
        return identity in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def model_files(folders: tuple[Path, ...]) -> dict[str, Path]:
    """Return model id -> file of the `models/*.json` in each folder; later folders override."""
    return {path.stem: path for folder in folders for path in sorted((folder / "models").glob("*.json"))}


def read_model(path: Path) -> Mapping[str, Any]:
    """Read one model row.

    Raises
    ------
    InputError
        When the file is no JSON object; names file and line.
    """
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: {error.msg}", "correct the JSON") from None
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read: {error}", "write a JSON object in UTF-8") from None
    if not isinstance(row, dict):
        raise InputError(f"{path}: holds no JSON object", 'write {"name": ..., "source": ..., "config": {...}}')
    return {"id": path.stem, **row}
