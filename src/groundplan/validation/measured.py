"""Measured training runs as they are published: one CSV line is one run, columns as in `COLUMNS`."""

from __future__ import annotations

import csv
import math
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
            raise InputError(f"{column} is {cell!r}", "give a number, or leave the cell empty")
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
            raise InputError(f"{column} is {self.text(column)!r}, which nothing measures", "give a number above zero")
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
            raise InputError(f"{column} is {self.text(column)!r}", "give a whole number of at least one")
        return int(value)


def read_measured(path: Path, columns: Sequence[str] = COLUMNS, needed: Sequence[str] = NEEDED) -> list[MeasuredRun]:
    """Read a CSV of measured runs, by default of training.

    Raises
    ------
    InputError
        No such file, no CSV, or columns without which nothing can be predicted are missing.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", "name an existing CSV file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", "give a CSV file in UTF-8") from None
    try:
        reader = csv.DictReader(text.splitlines(keepends=True), strict=True)
        header = [name for name in reader.fieldnames or () if name]
        lines = list(reader)
    except csv.Error as error:
        raise InputError(f"{path} is no CSV: {error}", f"give columns such as {', '.join(needed)}") from None
    _check_spelling(path, header, columns)
    missing = [name for name in needed if name not in header]
    if missing:
        raise InputError(f"{path} has no column {missing[0]}", f"needed are {', '.join(needed)} and a measured column")
    if not lines:
        raise InputError(f"{path} has no rows", "give at least one measured run")
    return [MeasuredRun(line.get("id") or f"line {index}", _clean(line)) for index, line in enumerate(lines, 2)]


def _check_spelling(path: Path, header: list[str], columns: Sequence[str]) -> None:
    """Refuse a column that is all but one of ours, which would be read as 'the source does not say'."""
    absent = [name for name in columns if name not in header]
    for name in header:
        meant = [] if name in columns else get_close_matches(name.lower(), absent, n=1, cutoff=SAME_WORD)
        if meant:
            raise InputError(f"{path} has a column {name!r}", f"did you mean {meant[0]}? rename it")


def _clean(line: Mapping[str | None, str | list[str] | None]) -> dict[str, str]:
    return {key: value.strip() for key, value in line.items() if key and value and isinstance(value, str)}
