"""Texts of nvidia-smi become telemetry."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from groundplan.errors import InputError
from groundplan.finops.lake.engine import rows
from groundplan.finops.lake.lake import Lake
from groundplan.tasks.finops.lake import ImportResult, import_files

UNITS = """\
timestamp, name, index, uuid, utilization.gpu [%], memory.used [MiB], power.draw [W], mig.mode.current
2026/01/01 00:00:00.500, NVIDIA A100-SXM4-80GB, 0, GPU-a, 45 %, 1024 MiB, 61.25 W, Disabled
2026/01/01 00:00:00.500, NVIDIA A100-SXM4-80GB, 1, GPU-b, [N/A], [Not Supported], [N/A], Disabled
2026/01/01 00:00:00.500, NVIDIA A100-SXM4-80GB, 2, GPU-c, [Unknown Error], 10 MiB, 60.00 W, Disabled
2026/01/01 00:00:00.500, NVIDIA A100-SXM4-80GB, 3, GPU-d
"""
DMON = """\
#Date       Time        gpu    pwr  gtemp  mtemp     sm    mem    enc    dec   mclk   pclk     fb   bar1  rxpci  txpci
#YYYYMMDD   HH:MM:SS    Idx      W      C      C      %      %      %      %    MHz    MHz     MB     MB   MB/s   MB/s
 20260101   00:00:01      0     61     35      -     45      0      0      0   2619    345   1024      1     10      5
 20260101   00:00:01      1     43     35      -      -      0      0      0   2619    345      0      1      0      0
#Date       Time        gpu    pwr  gtemp  mtemp     sm    mem    enc    dec   mclk   pclk     fb   bar1  rxpci  txpci
#YYYYMMDD   HH:MM:SS    Idx      W      C      C      %      %      %      %    MHz    MHz     MB     MB   MB/s   MB/s
 20260101   00:00:02      0     61     35
"""


def bring(tmp_path: Path, name: str, text: str) -> tuple[ImportResult, list[dict[str, Any]]]:
    """Import a text; return what became of it, and the telemetry."""
    path, lake = tmp_path / name, str(tmp_path / "lake")
    path.write_text(text)
    report = import_files(lake, [path])
    return report, rows(Lake(lake).connect(), "SELECT * FROM telemetry ORDER BY gpu")


def test_cells_with_units_and_without_say_the_same(tmp_path: Path) -> None:
    report, found = bring(tmp_path, "gpu-001.csv", UNITS)
    assert (report.kept, report.quarantined) == (2, 2)
    assert report.files[0].problems == (
        "line 5: 4 cells, not 8",
        "utilization.gpu is [Unknown Error], no number",
    )
    first, second = found
    assert (first["time"], first["node"]) == (datetime(2026, 1, 1, 0, 0, 0, 500000), "gpu-001")
    assert (first["gpu"], first["uuid"], first["model"]) == ("0", "GPU-a", "NVIDIA A100-SXM4-80GB")
    assert (first["gpu_util"], first["memory_used_bytes"], first["power_w"]) == (0.45, 2**30, 61.25)
    assert (second["gpu_util"], second["memory_used_bytes"], second["power_w"]) == (None, None, None)
    bare = UNITS.replace(" %", "").replace(" MiB", "").replace(" W", "")
    again, same = bring(tmp_path, "gpu-001.txt.csv", bare)
    assert (again.kept, again.already) == (0, 2) and same == found


def test_dmon(tmp_path: Path) -> None:
    report, (first, second) = bring(tmp_path, "gpu-001.dmon", DMON)
    assert (report.kept, report.quarantined) == (2, 1)
    assert (first["time"], first["node"], first["gpu"]) == (datetime(2026, 1, 1, 0, 0, 1), "gpu-001", "0")
    assert (first["gpu_util"], first["memory_used_bytes"], first["power_w"]) == (0.45, 2**30, 61)
    assert (first["pcie_bytes_per_s"], second["gpu_util"]) == (15e6, None)
    header, _, *samples = DMON.splitlines()[:4]
    commas = "\n".join(", ".join(line.split()) for line in (header, *samples))
    again, _ = bring(tmp_path, "gpu-001.csv", commas)
    assert (again.kept, again.already) == (0, 2)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "index, utilization.gpu [%]\n0, 45 %\n", "no times"),
        ("a.dmon", "# gpu    pwr     sm\n# Idx      W      %\n    0     43     35\n", "does not say when"),
    ],
)
def test_samples_without_times_are_refused(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        bring(tmp_path, name, text)
