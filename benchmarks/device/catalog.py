"""The processor as an accelerator of one's own catalog: what its kernels were measured to reach."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

MEMORY_SHARE = 0.9
"""Share of the machine's memory that a training process is taken to have."""
SOURCE = "groundplan device benchmark: best of the kernels measured"


def catalog_text(name: str, kernels: Iterable[Mapping[str, object]]) -> str:
    """Return the YAML row of a processor; rates without a measured kernel are left out, not guessed.

    It stands for what the run was given: with one thread, one core.
    """
    rows = list(kernels)
    rates = {f"peak_{kind}": _best(rows, "gemm", kind, "tflops") for kind in ("fp32", "bf16")}
    bandwidth = _best(rows, "bandwidth", None, "gb_per_s")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_SHARE
    identity = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")
    lines = [
        "# groundplan device benchmark: put this file into a catalog folder",
        "accelerators:",
        f"  {identity}:",
        f"    name: {name!r}",
        "    vendor: processor",
        "    class: cpu",
        "    architecture: cpu",
        *(f"    {attribute}: {rate:.5g} TFLOP/s" for attribute, rate in rates.items() if rate),
        *([f"    sustained_bf16: {rates['peak_bf16']:.5g} TFLOP/s"] if rates["peak_bf16"] else []),
        f"    memory: {memory / 1e9:.4g} GB",
        *([f"    memory_bandwidth: {bandwidth:.5g} GB/s"] if bandwidth else []),
        "    evidence: measured",
        f"    source: {SOURCE!r}",
    ]
    return "\n".join(lines) + "\n"


def catalog_path(path: Path) -> Path:
    """Return the file of the catalog row beside the file of training steps.

    >>> catalog_path(Path("out/rows.csv")).name
    'rows-catalog.yaml'
    """
    return path.with_name(f"{path.stem}-catalog.yaml")


def _best(rows: list[Mapping[str, object]], kind: str, dtype: str | None, column: str) -> float:
    values = [
        float(str(row[column]))
        for row in rows
        if row["kind"] == kind and dtype in (None, row["dtype"]) and row.get(column)
    ]
    return max(values, default=0.0)
