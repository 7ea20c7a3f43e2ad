"""What is written: training steps as rows of measured runs, kernels as rows of their own, and the table shown."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from cases import Attention, Bandwidth, Gemm, Step
from machine import Machine
from worker import Measurement, Skipped

STEP_COLUMNS = [
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
"""Columns of a file of measured training runs, in order. What a single device leaves open stays empty."""
KERNEL_COLUMNS = [
    "gpu",
    "kind",
    "shape",
    "dtype",
    "direction",
    "seconds",
    "tflops",
    "gb_per_s",
    "repeats",
    "spread",
    "notes",
]
SOURCE = "groundplan device benchmark"
SCRIPT = "benchmarks/device/measure.py"
Row = Mapping[str, object]


def step_row(found: Measurement, machine: Machine, year: int) -> dict[str, object]:
    """Return a training step as a measured run: one device, no parallelism, no recomputation."""
    case, timing = found.case, found.timing
    if not isinstance(case, Step) or found.parameters is None:
        raise TypeError(f"{case.name} is no training step")
    model, sequences = case.model, case.micro_batch * case.accumulation
    ones = dict.fromkeys(("gpus_per_node", "n_gpus", "tp", "pp", "vpp", "cp", "ep", "dp"), 1)
    return ones | {
        "id": _identity(machine.name, case.name.removeprefix("step ")),
        "source": SOURCE,
        "url_or_path": SCRIPT,
        "year": year,
        "framework": f"PyTorch {'compiled' if case.compiled else 'eager'}",
        "model": model.name,
        "family": "dense",
        "params_b": round(found.parameters / 1e9, 6),
        "layers": model.layers,
        "hidden": model.hidden,
        "ffn": model.ffn,
        "heads": model.heads,
        "kv_heads": model.kv_heads,
        "head_dim": model.head_dim,
        "vocab": model.vocab,
        "seq_len": case.sequence,
        "gpu": machine.name,
        "intra_node_link": "single device",
        "inter_node_link": "single device",
        "zero_or_fsdp": "none",
        "micro_batch": case.micro_batch,
        "global_batch_seqs": sequences,
        "precision": case.dtype,
        "recompute": "none",
        "seq_parallel": "no",
        "step_time_s": _figures(timing.seconds),
        "tokens_per_s_per_gpu": _figures(sequences * case.sequence / timing.seconds),
        "samples_per_s": _figures(sequences / timing.seconds),
        "peak_mem_gb": "" if found.peak_bytes is None else _figures(found.peak_bytes / 1e9),
        "notes": f"{_step_notes(case)}; {_statistics(found)}; {machine.description}",
    }


def kernel_row(found: Measurement, machine: Machine) -> dict[str, object]:
    """Return a kernel's time and rate: products count a multiply and an add as two, attention its causal half."""
    case, timing = found.case, found.timing
    row: dict[str, object] = {
        "gpu": machine.name,
        "seconds": _figures(timing.seconds),
        "repeats": timing.repeats,
        "spread": round(timing.spread, 4),
        "notes": machine.description,
    }
    match case:
        case Gemm():
            row |= {"kind": "gemm", "direction": "forward", "tflops": _figures(case.flops / timing.seconds / 1e12)}
        case Attention():
            rate = _figures(case.flops / timing.seconds / 1e12)
            row |= {"kind": "attention", "direction": case.direction, "tflops": rate}
        case Bandwidth():
            rate = _figures(case.bytes_moved / timing.seconds / 1e9)
            row |= {"kind": "bandwidth", "direction": case.operation, "gb_per_s": rate}
        case Step():
            raise TypeError(f"{case.name} is no kernel")
    return row | {"shape": case.shape, "dtype": case.dtype}


def kernels_path(path: Path) -> Path:
    """Return the file of kernel rows beside the file of training steps.

    >>> kernels_path(Path("out/rows.csv")).name
    'rows-kernels.csv'
    """
    return path.with_name(f"{path.stem}-kernels{path.suffix}")


def write_rows(path: Path, columns: list[str], rows: Iterable[Row]) -> None:
    """Write rows as CSV; columns a row does not have stay empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def table(outcomes: list[Measurement | Skipped], machine: Machine) -> str:
    """Return the outcomes as a table of fixed columns, one line each, the skipped ones with their reason."""
    width = max((len(outcome.case.name) for outcome in outcomes), default=4)
    lines = [f"{machine.name} ({machine.description})", f"{'case':<{width}} {'median ms':>10}  {'rate':>17}  spread"]
    for outcome in outcomes:
        if isinstance(outcome, Skipped):
            lines.append(f"{outcome.case.name:<{width}} skipped: {outcome.reason}")
            continue
        timing = outcome.timing
        lines.append(
            f"{outcome.case.name:<{width}} {timing.seconds * 1e3:>10.3f}  {_rate(outcome):>17}  {timing.spread:>6.1%}"
        )
    skipped = sum(isinstance(outcome, Skipped) for outcome in outcomes)
    return "\n".join([*lines, f"{len(outcomes) - skipped} measured, {skipped} skipped"])


def _rate(found: Measurement) -> str:
    case, seconds = found.case, found.timing.seconds
    match case:
        case Gemm() | Attention():
            return f"{case.flops / seconds / 1e9:,.1f} GFLOP/s"
        case Bandwidth():
            return f"{case.bytes_moved / seconds / 1e9:,.1f} GB/s"
        case Step():
            return f"{case.micro_batch * case.accumulation * case.sequence / seconds:,.0f} tokens/s"


def _step_notes(case: Step) -> str:
    parameters = "tied, learned positions, biases" if case.model.style == "gpt" else "untied, rotary, no biases"
    mixed = "bf16 autocast over fp32 parameters" if case.dtype == "bf16" else "fp32 throughout"
    return f"{case.model.style} ({parameters}); {mixed}; fused AdamW; SDPA attention; random tokens"


def _statistics(found: Measurement) -> str:
    return f"median of {found.timing.repeats} samples, interquartile range {found.timing.spread:.1%}"


def _identity(*parts: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", " ".join(parts).lower()).strip("-")


def _figures(value: float) -> float:
    """Return a value to five significant figures: timing carries no more."""
    return float(f"{value:.5g}")
