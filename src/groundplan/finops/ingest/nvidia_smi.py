"""Samples of nvidia-smi: `--query-gpu=... --format=csv` with or without units in the cells, and `dmon -o DT`.

Neither says which machine it ran on: the file's name up to the first dot does, unless there is a column `hostname`.
Times are taken as UTC.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from groundplan.errors import InputError
from groundplan.finops.ingest.dcgm import sample_rows
from groundplan.finops.ingest.head import Head, open_bytes
from groundplan.finops.ingest.importer import Importer
from groundplan.finops.ingest.staging import stage_columns

# Field -> the same of dcgm-exporter, and what turns one into the other.
QUERY_FIELDS = {
    "utilization.gpu": ("DCGM_FI_DEV_GPU_UTIL", 1.0),
    "memory.used": ("DCGM_FI_DEV_FB_USED", 1.0),
    "power.draw": ("DCGM_FI_DEV_POWER_USAGE", 1.0),
    "power.draw.average": ("DCGM_FI_DEV_POWER_USAGE", 1.0),
}
DMON_FIELDS = {
    "sm": ("DCGM_FI_DEV_GPU_UTIL", 1.0),  # of the time, that a kernel ran
    "fb": ("DCGM_FI_DEV_FB_USED", 1.0),
    "pwr": ("DCGM_FI_DEV_POWER_USAGE", 1.0),
    "gract": ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", 0.01),
    "smutil": ("DCGM_FI_PROF_SM_ACTIVE", 0.01),
    "rxpci": ("DCGM_FI_PROF_PCIE_RX_BYTES", 1e6),
    "txpci": ("DCGM_FI_PROF_PCIE_TX_BYTES", 1e6),
}
TEXTS = {
    "timestamp": ("timestamp",),
    "Hostname": ("hostname", "host", "node"),
    "gpu": ("index", "gpu", "pci.bus_id", "gpu_bus_id", "uuid", "gpu_uuid"),
    "UUID": ("uuid", "gpu_uuid"),
    "modelName": ("name", "gpu_name"),
}
NOTHING = {"", "-", "n/a", "[n/a]", "not supported", "[not supported]", "not available", "[not available]"}
_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)\s*(?:%|MiB|W|MB/s)?")
_DMON = re.compile(r"#[\s,]*(Date[\s,]+Time[\s,]+|Time[\s,]+)?gpu[\s,]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Table:
    """Rows of text cells; `problems` are rows that do not fit, as they came, with their reason."""

    names: tuple[str, ...]
    rows: list[list[str]]
    problems: list[tuple[str, str]]

    def column(self, *names: str) -> list[str] | None:
        """Return the first of these columns that is there."""
        place = next((self.names.index(name) for name in names if name in self.names), None)
        return None if place is None else [row[place] for row in self.rows]


def _queried(head: Head) -> bool:
    return head.form == "csv" and any(_bare(name) in QUERY_FIELDS for name in head.columns)


def _dmon(head: Head) -> bool:
    return head.form in ("csv", "text") and bool(_DMON.match(head.start))


def _bare(name: str) -> str:
    """Return a field without the unit that its header carries."""
    return name.partition("[")[0].strip().lower()


def _selects_queried(connection: Any, head: Head) -> dict[str, str]:
    names = tuple(_bare(name) for name in head.columns)
    if "timestamp" not in names:
        raise InputError(f"{head.path} has no times", "ask for --query-gpu=timestamp,index,utilization.gpu,memory.used")
    lines = ((number, row) for number, row in enumerate(csv.reader(_lines(head), skipinitialspace=True), 1))
    next(lines)
    table = _table(names, lines)
    return {"telemetry": _rows(connection, head, table, QUERY_FIELDS, table.column("timestamp") or [])}


def _selects_dmon(connection: Any, head: Head) -> dict[str, str]:
    first = next(_lines(head)).lstrip("#")
    names = tuple(re.split(r"[\s,]+", first.strip().lower()))
    if "date" not in names or "time" not in names:
        raise InputError(f"{head.path} does not say when", "run nvidia-smi dmon -o DT")
    lines = (
        (number, re.split(r"[\s,]+", line.strip()))
        for number, line in enumerate(_lines(head), 1)
        if not line.lstrip().startswith("#")
    )
    table = _table(names, lines)
    days, times = table.column("date") or [], table.column("time") or []
    instants = [f"{day[:4]}-{day[4:6]}-{day[6:]}T{time}" for day, time in zip(days, times, strict=True)]
    return {"telemetry": _rows(connection, head, table, DMON_FIELDS, instants)}


def _lines(head: Head) -> Iterator[str]:
    with open_bytes(head.path) as file:
        text = file.read().decode(head.encoding, errors="replace").lstrip("\ufeff")
    return (line for line in text.splitlines() if line.strip())


def _table(names: tuple[str, ...], lines: Iterator[tuple[int, list[str]]]) -> _Table:
    rows: list[list[str]] = []
    problems: list[tuple[str, str]] = []
    for number, row in lines:
        if len(row) == len(names):
            rows.append(row)
        else:
            problems.append((f"line {number}: {len(row)} cells, not {len(names)}", " ".join(row)))
    return _Table(names, rows, problems)


def _rows(connection: Any, head: Head, table: _Table, fields: dict[str, tuple[str, float]], instants: list[str]) -> str:
    """Return the SELECT of telemetry of a table, its fields under the names of dcgm-exporter."""
    count, extra = len(table.rows), len(table.problems)
    node = head.path.name.partition(".")[0]
    reasons: list[str | None] = [None] * count
    texts = {name: table.column(*known) for name, known in TEXTS.items()}
    texts |= {"timestamp": instants, "Hostname": texts["Hostname"] or [node] * count}
    columns: dict[str, Any] = {
        name: [*(text.strip() for text in cells), *[None] * extra] for name, cells in texts.items() if cells is not None
    }
    for field, (name, unit) in fields.items():
        cells = table.column(field)
        if cells is not None:
            values = _numbers(field, cells, reasons) * unit
            columns[name] = np.concatenate([values, np.full(extra, np.nan)])
    columns["problem"] = [*reasons, *(words for words, _ in table.problems)]
    columns["sample"] = [*[None] * count, *(row for _, row in table.problems)]
    stage_columns(connection, "raw", columns)
    sources = {
        name: "DOUBLE" if isinstance(cells, np.ndarray) else "VARCHAR"
        for name, cells in columns.items()
        if name not in ("problem", "sample")
    }
    return sample_rows(sources, [("problem IS NOT NULL", "problem")])


def _numbers(field: str, cells: list[str], reasons: list[str | None]) -> np.ndarray[Any, Any]:
    """Return cells as numbers, NaN where there is none; what is neither goes into `reasons`."""
    known: dict[str, float | None] = {}  # few texts fill many cells
    found = np.empty(len(cells))
    for place, cell in enumerate(cells):
        if cell not in known:
            text = cell.strip()
            match = _NUMBER.fullmatch(text)
            known[cell] = float(match[1]) if match else np.nan if text.lower() in NOTHING else None
        value = known[cell]
        if value is None:
            reasons[place] = f"{field} is {cell.strip()[:40]}, no number"
        found[place] = np.nan if value is None else value
    return found


NVIDIA_SMI = Importer("nvidia-smi CSV", _queried, _selects_queried)
NVIDIA_DMON = Importer("nvidia-smi dmon", _dmon, _selects_dmon)
