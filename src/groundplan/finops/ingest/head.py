"""What a file is, from its first bytes: the columns of a table, the keys of a JSON document."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import json
import lzma
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from groundplan.errors import InputError
from groundplan.finops.lake.engine import connect

HEAD_BYTES = 262_144
DELIMITERS = (",", ";", "\t", "|")
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Head:
    """What a file turned out to be.

    `columns` are those of a CSV or Parquet table, with their SQL types (VARCHAR throughout in a CSV);
    `start` is the first text of anything else.
    """

    path: Path
    form: str  # csv, parquet, json, text or folder
    columns: dict[str, str]
    delimiter: str = ","
    encoding: str = "utf-8"
    start: str = ""

    def has(self, *names: str) -> bool:
        """Say whether the table has all of these columns."""
        return all(name in self.columns for name in names)


def look(path: Path) -> Head:
    """Return what a file is.

    Raises
    ------
    InputError
        No such file, an empty one, one that cannot be read or was cut off, a column named twice.
    """
    if not path.exists():
        raise InputError(f"there is no file {path}", "name a file or a folder of files")
    if path.is_dir():
        return Head(path, "folder", {})
    try:
        first = _first_bytes(path)
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise InputError(f"{path} cannot be read: {error}", "was it cut off? export or copy it again") from None
    if not first.strip():
        raise InputError(f"{path} is empty", "export it again")
    if first[:4] == b"PAR1":
        return Head(path, "parquet", _parquet_columns(path))
    encoding = "utf-16" if first[:2] in UTF16 else "utf-8"
    text = first.decode(encoding, errors="replace").lstrip("\ufeff")
    if text.lstrip()[:1] in "{[":
        return Head(path, "json", {}, encoding=encoding, start=text)
    line = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=line.count)
    if not line.count(delimiter):
        return Head(path, "text", {}, encoding=encoding, start=text)
    names = [name.strip() for name in next(csv.reader(io.StringIO(line), delimiter=delimiter))]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise InputError(f"{path} has the column {twice[0]} twice", "remove one of them")
    return Head(path, "csv", dict.fromkeys(names, "VARCHAR"), delimiter, encoding, text)


def document(head: Head) -> Any:
    """Return the content of a JSON file.

    Raises
    ------
    InputError
        It is no JSON, or was cut off.
    """
    try:
        with open_bytes(head.path) as file:
            return json.loads(file.read().decode(head.encoding))
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{head.path} is no whole JSON document: {error}", "export it again") from None


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading, through its compression."""
    opener = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}.get(path.suffix.lower(), open)
    return opener(path, "rb")  # type: ignore[no-any-return,operator]


def _first_bytes(path: Path) -> bytes:
    with open_bytes(path) as file:
        return file.read(HEAD_BYTES)


def _parquet_columns(path: Path) -> dict[str, str]:
    import duckdb

    try:
        found = connect().execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path} is no whole Parquet file: {reason}", "export it again") from None
    return {name: kind for name, kind, *_ in found}
