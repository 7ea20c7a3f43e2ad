"""Kinds of training data: the size of a sample and how fast one accelerator reads, where somebody measured it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from groundplan.catalog.schema import DATA


@dataclass(frozen=True, slots=True)
class ReadRate:
    """How fast one accelerator reads a kind of data when it is kept busy."""

    accelerator: str
    bytes_per_s: float
    evidence: str
    source: str


@dataclass(frozen=True, slots=True)
class DatasetKind:
    """A kind of data set. `decoded`: samples cost CPU time to decompress or decode."""

    id: str
    name: str
    sample_bytes: float
    decoded: bool
    rates: tuple[ReadRate, ...]
    evidence: str
    source: str


@cache
def dataset_kinds() -> Mapping[str, DatasetKind]:
    """Return the kinds by id."""
    lines: dict[str, list[dict[str, str]]] = {}
    with (DATA / "dataset_kinds.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            lines.setdefault(line["id"], []).append(line)
    return {
        identity: DatasetKind(
            identity,
            rows[0]["name"],
            float(rows[0]["sample_bytes"]),
            rows[0]["decoded"] == "yes",
            tuple(ReadRate(r["accelerator"], float(r["bytes_per_s"]), r["evidence"], r["source"]) for r in rows),
            rows[0]["evidence"],
            rows[0]["source"],
        )
        for identity, rows in lines.items()
    }


def rate_on(kind: DatasetKind, accelerator: str) -> ReadRate | None:
    """Return the rate published for an accelerator, if any."""
    return next((rate for rate in kind.rates if rate.accelerator == accelerator), None)
