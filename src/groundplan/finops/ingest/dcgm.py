"""Samples of dcgm-exporter in the wide form: one row an accelerator (or MIG slice) and instant, one column a field.

A query over a Prometheus that scrapes dcgm-exporter, pivoted by field, has this form; so has most data kept as Parquet.
"""

from __future__ import annotations

from typing import Any

from groundplan.finops.ingest.head import Head
from groundplan.finops.ingest.importer import Importer
from groundplan.finops.ingest.staging import cell, select_rows, stage_table, unreadable
from groundplan.finops.lake.datasets import datasets
from groundplan.finops.lake.engine import literal

# Column of the dataset -> names it goes by in exports, the first present counts.
NAMES = {
    "time": ("timestamp", "time", "Time", "ts"),
    "node": ("Hostname", "hostname", "node", "instance", "host"),
    "gpu": ("gpu", "GPU", "gpu_index", "device"),
    "uuid": ("UUID", "uuid", "GPU_UUID"),
    "model": ("modelName", "model", "gpu_name"),
    "job_id": ("hpc_job", "job_id", "slurm_job_id"),
    "slice": ("GPU_I_PROFILE", "mig_profile"),
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


def _named(head: Head) -> dict[str, str]:
    found = {name: next((known for known in names if known in head.columns), None) for name, names in NAMES.items()}
    return {name: known for name, known in found.items() if known is not None}


def _recognises(head: Head) -> bool:
    fields = any(name.startswith("DCGM_FI_") for name in head.columns)
    return fields and {"time", "node", "gpu"} <= _named(head).keys()


def _selects(connection: Any, head: Head) -> dict[str, str]:
    stage_table(connection, head)
    telemetry = datasets()["telemetry"]
    named = _named(head)
    columns = {
        name: cell(known, telemetry.columns[name], head.columns[known])
        for name, known in named.items()
        if name != "gpu"
    }
    columns["gpu"] = f"CAST({cell(named['gpu'], 'text', head.columns[named['gpu']])} AS VARCHAR)"
    for name in ("job_id", "slice", "uuid"):
        if name in columns:
            columns[name] = f"nullif({columns[name]}, '')"
    problems = [unreadable(named["time"], "time", head.columns[named["time"]])]
    for name, (fields, unit) in FIELDS.items():
        present = [field for field in fields if field in head.columns]
        if present:
            summed = " + ".join(cell(field, "number", head.columns[field]) for field in present)
            columns[name] = f"({summed}) * {unit!r}"
            problems += [unreadable(field, "number", head.columns[field]) for field in present]
            problems.append((f"{columns[name]} < 0", literal(f"{present[0]} is negative")))
    return {"telemetry": select_rows(telemetry, columns, problems)}


DCGM = Importer("DCGM samples", _recognises, _selects)
