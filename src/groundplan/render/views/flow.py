"""What flows through a training design: from the data over storage, accelerators and network to what is watched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.quantities import (
    format_bit_rate,
    format_bytes,
    format_count,
    format_percent,
    format_rate,
    format_seconds,
)
from groundplan.render.document import Flow, Stage
from groundplan.render.phrases import value_of

COMMUNICATION = (
    "tensor_parallel",
    "context_parallel",
    "expert_parallel",
    "pipeline_p2p",
    "gradient_reduction",
    "weight_gathering",
)
"""Terms of a step that wait for the network."""
STALLS = ("data_stall", "checkpoint_stall")
"""Terms of a run that wait for storage."""


def flow(design: Mapping[str, Any]) -> Flow:
    """Return the stations of a design with what flows between them; the one that limits is marked."""
    storage, network, checkpoint = design["storage"], design["network"], design["checkpoint"]
    limit, share = _limit(design)
    marked = f"limits: {format_percent(share)} of the time" if share is not None else "limits"
    stages = (
        ("data", "Data", (f"{format_count(design['tokens'])} {design['unit']}",)),
        (
            "storage",
            "Storage",
            (str(storage["product"] or "unknown"), f"{format_bytes(storage['capacity_bytes'])} kept"),
        ),
        (
            "compute",
            "Compute",
            (
                f"{format_count(design['accelerators'])} x {design['accelerator']}",
                f"{format_count(design['nodes'])} nodes",
            ),
        ),
        (
            "network",
            "Network",
            (str(network["fabric"]), f"{format_bit_rate(network['available_bits_per_s'])} a device"),
        ),
        (
            "watch",
            "Monitoring",
            (
                f"step {format_seconds(value_of(design['step_s']))}",
                f"MFU {format_percent(value_of(design['mfu']))}",
                f"goodput {format_percent(value_of(design['goodput']))}",
            ),
        ),
    )
    return Flow(
        "Architecture",
        tuple(
            Stage(title, (*lines, *([marked] if name == limit else ())), name == limit) for name, title, lines in stages
        ),
        (
            f"{format_bytes(storage['capacity_bytes'])}",
            f"reads {format_rate(storage['read_bytes_per_s'])}; saves {format_bytes(checkpoint['bytes'])} "
            f"every {format_seconds(checkpoint['interval_s'])}",
            f"needs {format_bit_rate(network['needed_bits_per_s'])}",
            f"{format_count(value_of(design['tokens_per_s']))} {design['unit']}/s",
        ),
    )


def _limit(design: Mapping[str, Any]) -> tuple[str, float | None]:
    """Return which station limits, and its share of the run; what fails limits whatever its share."""
    if not design["memory"]["fits"]:
        return "compute", None
    if design["storage"]["ok"] is False:
        return "storage", None
    if design["network"]["fabric_ok"] is False:
        return "network", None
    step, run = design["step_terms"], design["run_terms"]
    waiting = sum(step.get(name, 0.0) for name in COMMUNICATION) / (sum(step.values()) or 1.0)
    seconds = {
        "compute": run["training"] * (1.0 - waiting),
        "network": run["training"] * waiting,
        "storage": sum(run.get(name, 0.0) for name in STALLS),
    }
    limit = max(seconds, key=lambda name: seconds[name])
    return limit, seconds[limit] / (sum(run.values()) or 1.0)
