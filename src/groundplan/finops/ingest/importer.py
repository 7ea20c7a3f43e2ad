"""What an importer is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from groundplan.finops.ingest.head import Head


@dataclass(frozen=True, slots=True)
class Importer:
    """One format: how to know it, and how its files become rows.

    Parameters
    ----------
    name : str
        What messages call it.
    recognises : callable
        Whether a file is of this format, from its head.
    selects : callable
        Given a DuckDB connection and the head, stages the file and returns one SELECT a dataset, made by
        `staging.select_rows`.
    partial : bool
        Whether a file may hold some columns of a row only, and another file the others.
    """

    name: str
    recognises: Callable[[Head], bool]
    selects: Callable[[Any, Head], dict[str, str]]
    partial: bool = False
