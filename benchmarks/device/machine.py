"""The device that is measured: its name, what it computes, its power limit. PyTorch is imported on use only."""

from __future__ import annotations

import math
import os
import platform
import shutil
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path

OLDEST_TORCH = (2, 5)
"""First release whose scaled-dot-product attention takes fewer key than query heads."""
INSTALL = "install it first: pip install torch"


class Unavailable(Exception):
    """What the user asked for is not to be had here; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One device, as rows name it."""

    kind: str  # cuda or cpu
    name: str
    dtypes: tuple[str, ...]  # computed natively: fp32, bf16
    torch: str
    threads: int  # of the processor; the host's where the device is a GPU
    power_limit: str  # "700 W", or unknown
    load: float = 0.0  # programs running on the host in the minute before: they disturb a processor's times

    @property
    def description(self) -> str:
        """Return what a row's notes say of the device."""
        threads = f"; {self.threads} CPU threads, load {self.load:.1f} before" if self.kind == "cpu" else ""
        return f"torch {self.torch}{threads}; power limit {self.power_limit}"


def find_machine(wanted: str) -> Machine:
    """Return the device to measure.

    Parameters
    ----------
    wanted
        "cuda", "cpu", or "auto": a GPU if there is one.

    Raises
    ------
    Unavailable
        No PyTorch, one that is too old, or no GPU where one was asked for.
    """
    try:
        import torch
    except (ImportError, OSError, ValueError) as error:  # the last two: a CUDA build without CUDA's libraries
        reason = textwrap.shorten(str(error), 80)
        raise Unavailable(f"PyTorch cannot be imported ({reason}); {INSTALL}") from None
    release = tuple(int(part) for part in torch.__version__.split(".")[:2])
    if release < OLDEST_TORCH:
        raise Unavailable(f"PyTorch {torch.__version__} is too old; {INSTALL}>={OLDEST_TORCH[0]}.{OLDEST_TORCH[1]}")
    has_cuda = torch.cuda.is_available()
    if wanted == "cuda" and not has_cuda:
        raise Unavailable(f"PyTorch {torch.__version__} sees no CUDA device; use --device cpu, or install a CUDA build")
    if wanted == "cpu" or not has_cuda:
        dtypes = ("fp32", "bf16") if _processor_has_bf16() else ("fp32",)
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan
        return Machine("cpu", processor_name(), dtypes, torch.__version__, torch.get_num_threads(), "unknown", load)
    properties = torch.cuda.get_device_properties(0)
    dtypes = ("bf16", "fp32") if torch.cuda.is_bf16_supported(including_emulation=False) else ("fp32",)
    limit = _power_limit(getattr(properties, "uuid", None))
    return Machine("cuda", properties.name, dtypes, torch.__version__, torch.get_num_threads(), limit)


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's model name; what the platform calls it where the kernel names none."""
    return _cpuinfo(cpuinfo).get("model name") or platform.processor() or platform.machine() or "unknown processor"


def _processor_has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether products of bf16 are instructions: without, PyTorch converts and the time says nothing of bf16."""
    found = _cpuinfo(cpuinfo)
    flags = set(f"{found.get('flags', '')} {found.get('Features', '')}".split())
    return bool(flags & {"amx_bf16", "avx512_bf16", "bf16"})


def _cpuinfo(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def _power_limit(uuid: object) -> str:
    """Return the limit nvidia-smi reports for the GPU of this identity; unknown where none can be asked."""
    tool = shutil.which("nvidia-smi")
    if tool is None or uuid is None:
        return "unknown"
    identity = str(uuid) if str(uuid).startswith("GPU-") else f"GPU-{uuid}"
    query = [tool, f"--id={identity}", "--query-gpu=power.limit", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
        return f"{float(done.stdout):.0f} W"
    except (OSError, subprocess.SubprocessError, ValueError):
        return "unknown"
