"""Samples of dcgm-exporter in the wide form: one row an accelerator (or MIG slice) and instant, one column a field.

A query over a Prometheus that scrapes dcgm-exporter, pivoted by field, has this form; so has most data kept as Parquet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from groundplan.finops.ingest.head import Head
from groundplan.finops.ingest.importer import Importer
from groundplan.finops.ingest.staging import cell, instant, select_rows, stage_table, unreadable
from groundplan.finops.lake.datasets import datasets
from groundplan.finops.lake.engine import literal, quoted

# Column of the dataset -> names it goes by in exports, the first present counts.
NAMES = {
    "time": ("timestamp", "time", "Time", "ts"),
    "node": ("Hostname", "hostname", "node", "instance", "host"),
    "gpu": ("gpu", "GPU", "gpu_index", "device"),
    "uuid": ("UUID", "uuid", "GPU_UUID"),
    "model": ("modelName", "model", "gpu_name"),
    "job_id": ("hpc_job", "job_id", "slurm_job_id"),
    "slice": ("GPU_I_PROFILE", "mig_profile"),
    "slice_id": ("GPU_I_ID", "mig_id"),
}
# Column of the dataset -> fields that add up to it, and what one unit of them is.
FIELDS = {
    "gpu_util": (("DCGM_FI_DEV_GPU_UTIL",), 0.01),
    "engine_active": (("DCGM_FI_PROF_GR_ENGINE_ACTIVE",), 1.0),
    "sm_active": (("DCGM_FI_PROF_SM_ACTIVE",), 1.0),
    "tensor_active": (("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",), 1.0),
    "dram_active": (("DCGM_FI_PROF_DRAM_ACTIVE",), 1.0),
    "memory_used_bytes": (("DCGM_FI_DEV_FB_USED",), 2.0**20),
    "power_w": (("DCGM_FI_DEV_POWER_USAGE",), 1.0),
    "nvlink_bytes_per_s": (("DCGM_FI_PROF_NVLINK_TX_BYTES", "DCGM_FI_PROF_NVLINK_RX_BYTES"), 1.0),
    "pcie_bytes_per_s": (("DCGM_FI_PROF_PCIE_TX_BYTES", "DCGM_FI_PROF_PCIE_RX_BYTES"), 1.0),
}


SHARES = ("gpu_util", "engine_active", "sm_active", "tensor_active", "dram_active")
MOST_SHARE = 1.05  # counters of different clocks may read a little over 1; anything above is DCGM's blank, or no share


def _named(columns: Iterable[str]) -> dict[str, str]:
    present = set(columns)
    found = {name: next((known for known in names if known in present), None) for name, names in NAMES.items()}
    return {name: known for name, known in found.items() if known is not None}


def _recognises(head: Head) -> bool:
    fields = any(name.startswith("DCGM_FI_") for name in head.columns)
    return fields and {"time", "node", "gpu"} <= _named(head.columns).keys()


def _selects(connection: Any, head: Head) -> dict[str, str]:
    stage_table(connection, head)
    return {"telemetry": sample_rows(head.columns)}


def sample_rows(sources: Mapping[str, str], problems: Sequence[tuple[str, str]] = ()) -> str:
    """Return the SELECT of telemetry out of the table `raw`, whose columns are named as dcgm-exporter names them."""
    telemetry = datasets()["telemetry"]
    named = _named(sources)
    columns = {name: cell(known, telemetry.columns[name], sources[known]) for name, known in named.items()}
    columns["time"] = instant(named["time"], sources[named["time"]])
    for name in ("gpu", "job_id", "slice", "slice_id", "uuid"):
        if name in columns:
            columns[name] = f"nullif({columns[name]}, '')"
    at = f"CAST({quoted(named['time'])} AS VARCHAR)"
    no_time = f"{literal(named['time'] + ' ')} || left({at}, 40) || ' is no time'"
    found = [*problems, (f"{at} IS NOT NULL AND {columns['time']} IS NULL", no_time)]
    for name, (fields, unit) in FIELDS.items():
        present = [field for field in fields if field in sources]
        if present:
            columns[name] = f"({' + '.join(_read(field, sources[field]) for field in present)}) * {unit!r}"
            found += [unreadable(field, "number", sources[field]) for field in present]
            found.append((f"{columns[name]} < 0", literal(f"{present[0]} is negative")))
        if present and name in SHARES:
            found.append((f"{columns[name]} > {MOST_SHARE}", literal(f"{present[0]} is more than the whole")))
    return select_rows(telemetry, columns, found)


def _read(field: str, source: str) -> str:
    """Return the SQL of a field; what Parquet holds for nothing, NaN, is NULL."""
    number = cell(field, "number", source)
    return f"CASE WHEN NOT isnan({number}) THEN {number} END" if source in ("FLOAT", "DOUBLE") else number


DCGM = Importer("DCGM samples", _recognises, _selects)
