"""Measured training runs as they are published: one CSV line is one run, columns as in `COLUMNS`."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from groundplan.errors import InputError

COLUMNS = [
    "id",
    "source",
    "url_or_path",
    "year",
    "framework",
    "model",
    "family",
    "params_b",
    "layers",
    "hidden",
    "ffn",
    "heads",
    "kv_heads",
    "head_dim",
    "vocab",
    "n_experts",
    "top_k",
    "moe_ffn",
    "seq_len",
    "gpu",
    "gpus_per_node",
    "n_gpus",
    "intra_node_link",
    "inter_node_link",
    "tp",
    "pp",
    "vpp",
    "cp",
    "ep",
    "dp",
    "zero_or_fsdp",
    "micro_batch",
    "global_batch_seqs",
    "precision",
    "recompute",
    "seq_parallel",
    "step_time_s",
    "tokens_per_s_per_gpu",
    "samples_per_s",
    "tflops_per_gpu",
    "mfu_pct",
    "hfu_pct",
    "peak_mem_gb",
    "notes",
]
"""Columns of a file of measured runs, as in docs/measurements.md. Empty cells mean that the source does not say."""
NEEDED = ("layers", "hidden", "heads", "seq_len", "gpu", "n_gpus")
"""Columns no run can be predicted without."""
SAME_WORD = 0.8
"""Likeness from which a column counts as one of ours misspelt; others are the user's own and are not read."""


LARGEST = 1.0e15
"""No cell of a real run is larger."""
MOST = 2.0e9
"""No count or length of a real run is larger."""
SHOWN = 40
"""Characters of a cell that a message shows."""
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True, slots=True)
class Unpredictable:
    """A run that has no prediction, why, and what would mend it."""

    id: str
    source: str
    reason: str
    mend: str


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """One line, with readers for its cells."""

    id: str
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        """Return the cell, or '' where the source does not say."""
        return self.cells.get(column, "")

    def number(self, column: str) -> float | None:
        """Return the cell as a number; None where it is empty.

        Raises
        ------
        InputError
            The cell is no number.
        """
        cell = self.cells.get(column)
        if not cell:
            return None
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError(f"{column} is {shown(cell)}", "give a number, or leave the cell empty")
        if abs(value) > LARGEST:
            raise InputError(f"{column} is {shown(cell)}, more than any run has", "correct the number")
        return value

    def measured(self, column: str) -> float | None:
        """Return a measured figure; None where the cell is empty.

        Raises
        ------
        InputError
            The cell is no number above zero.
        """
        value = self.number(column)
        if value is not None and value <= 0:
            raise InputError(
                f"{column} is {shown(self.text(column))}, which nothing measures", "give a number above zero"
            )
        return value

    def size(self, column: str, default: int | None = None) -> int:
        """Return the cell as a whole number of at least one; `default` where it is empty.

        Raises
        ------
        InputError
            The cell is empty and has no default, or is no whole number of at least one.
        """
        value = self.number(column)
        if value is None and default is not None:
            return default
        if value is None:
            raise InputError(f"{column} is not stated", f"fill in {column}")
        if value < 1 or value != int(value):
            raise InputError(f"{column} is {shown(self.text(column))}", "give a whole number of at least one")
        if value > MOST:
            raise InputError(f"{column} is {shown(self.text(column))}, more than any run has", "correct the number")
        return int(value)


def shown(cell: str) -> str:
    """Return a cell as messages show it.

    >>> shown("abc"), len(shown("9" * 5000))
    ("'abc'", 45)
    """
    return repr(cell if len(cell) <= SHOWN else cell[:SHOWN] + "...")


def read_measured(path: Path, columns: Sequence[str] = COLUMNS, needed: Sequence[str] = NEEDED) -> list[MeasuredRun]:
    """Read a CSV of measured runs, by default of training.

    Raises
    ------
    InputError
        No such file, no CSV, or columns without which nothing can be predicted are missing.
    """
    reader = csv.reader(_text(path).splitlines(keepends=True), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        lines = [(reader.line_num, cells) for cells in reader if cells]
    except csv.Error as error:
        raise InputError(f"{path} is no CSV: {error}", f"give columns such as {', '.join(needed)}") from None
    _check_header(path, header, columns, needed)
    if not lines:
        raise InputError(f"{path} has no rows", "give at least one measured run")
    for number, cells in lines:
        if any(cell.strip() for cell in cells[len(header) :]):
            raise InputError(
                f"{path}: line {number} has {len(cells)} cells, the header {len(header)}",
                "a comma inside a cell needs quotes around the cell",
            )
    return [_run(header, cells, index) for index, (_, cells) in enumerate(lines, 2)]


def _run(header: Sequence[str], cells: Sequence[str], index: int) -> MeasuredRun:
    own = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if name and cell.strip()}
    return MeasuredRun(own.get("id") or f"line {index}", own)


def _text(path: Path) -> str:
    """Return a file as text, or say what it is in place of a CSV."""
    if path.is_dir():
        named = "the empty path names a folder" if str(path) == "." else f"{path} is a folder"
        raise InputError(named, "name a CSV file in it")
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", "name an existing CSV file") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "name a CSV file that you may read") from None
    if raw.startswith((b"PAR1", b"PK\x03\x04", b"\x1f\x8b")):
        raise InputError(f"{path} is no CSV but a Parquet, Excel or compressed file", "save it as CSV in UTF-8")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path} is in UTF-16", "save it in UTF-8")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not in UTF-8", "save it as CSV in UTF-8") from None
    if not text.strip():
        raise InputError(f"{path} is empty", "give a header line and at least one measured run")
    return text


def _check_header(path: Path, header: Sequence[str], columns: Sequence[str], needed: Sequence[str]) -> None:
    """Refuse a header that would be read as 'the source does not say': misspelt, doubled, missing, not of a CSV."""
    for mark, word in SEPARATORS.items():
        if len(header) == 1 and mark in header[0]:
            raise InputError(f"{path} is separated by {word}", "separate the cells by commas")
    _check_spelling(path, header, columns)
    missing = [name for name in needed if name not in header]
    if missing:
        raise InputError(f"{path} has no column {missing[0]}", f"needed are {', '.join(needed)} and a measured column")
    twice = next((name for name, count in Counter(header).items() if name and count > 1), None)
    if twice:
        raise InputError(f"{path} has two columns {twice}", "keep one of them")


def _check_spelling(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    """Refuse a column that is all but one of ours, which would be read as 'the source does not say'."""
    absent = [name for name in columns if name not in header]
    for name in header:
        meant = [] if name in columns else get_close_matches(name.lower(), absent, n=1, cutoff=SAME_WORD)
        if meant:
            raise InputError(f"{path} has a column {name!r}", f"did you mean {meant[0]}? rename it")
