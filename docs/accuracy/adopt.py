"""Put the constants and intervals of a saved calibration into the built-in catalog.

    groundplan calibrate --data more-runs.csv --format json --out calibration.json
    python docs/accuracy/adopt.py calibration.json

Each fitted value replaces the one in `architectures.csv` or `stacks.csv`, with the sources it was fitted to; rows
that share a constant take it too; `intervals.csv` is written anew, and so is
`memory_intervals.csv`, from the published peaks.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path
from typing import Any

from groundplan.catalog.catalog import load_catalog
from groundplan.tasks.validate import PUBLISHED, read_cases
from groundplan.validation.conformal import memory_intervals
from groundplan.validation.measured import read_measured
from groundplan.validation.peaks import predict_peaks
from groundplan.validation.reading import measured_peak_bytes

DATA = Path(__file__).parents[2] / "src" / "groundplan" / "catalog" / "data"
Figures = dict[tuple[str, str], dict[str, Any]]
SEEN = "all, seen"
MEMORY_SOURCE = "split-conformal, from measured over predicted peaks of published runs; no constant is fitted to them"
INTERVAL_SOURCE = (
    "split-conformal, from measured over predicted step times of published runs, each predicted by constants fitted "
    "without its source, or without its model where one source stands for a stack"
)


def adopt(calibration: dict[str, Any]) -> None:
    """Rewrite the three tables."""
    for table in ("architectures", "stacks"):
        seen = [one for one in calibration["constants"] if one["table"] == table]
        fitted = {(one["row"], one["attribute"]): one for one in seen}
        shared = {(row, one["attribute"]): one for one in seen for row in one["shared"]}
        _rewrite(DATA / f"{table}.csv", fitted, shared)
    _write_intervals(calibration["intervals"])
    _write_held_out(calibration)


def _rewrite(path: Path, fitted: Figures, shared: Figures) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        header, *lines = list(csv.reader(file))
    missing = {key for key, one in fitted.items() if one["rows"]}
    for line in lines:
        row, attribute = line[0], line[1]
        found = fitted.get((row, attribute))
        kin = shared.get((row, attribute))
        if found and not found["rows"]:
            expected = {**found, "fitted": found["expected"]}
            line[2:7] = [*_figure(expected), "assumed", found["reason"], ""]
        elif found:
            line[2:7] = [*_figure(found), "derived", _source(found), ""]
        elif kin:
            line[2:7] = [*_figure(kin), "assumed", f"shared with {kin['row']}", ""]
        missing.discard((row, attribute))
    if missing:
        raise SystemExit(f"{path.name} has no line for {sorted(missing)}: add one, then adopt again")
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *lines])


def _figure(one: dict[str, Any]) -> tuple[str, str]:
    if one["attribute"] == "flops_per_joule":
        return f"{one['fitted'] / 1e12:.4g}", "TFLOP/J"
    return f"{one['fitted']:.4g}", "1"


def _source(one: dict[str, Any]) -> str:
    sources = ", ".join(sorted(one["sources"]))
    return f"fitted to {one['rows']} published runs by groundplan calibrate: {sources}"


def _write_intervals(intervals: list[dict[str, Any]]) -> None:
    with (DATA / "intervals.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["stack", "architecture", "experts", "nodes", "low", "high", "rows", "evidence", "source"])
        for one in intervals:
            own = [one["stack"], one["architecture"], one["experts"], one["nodes"]]
            out.writerow([*own, *_outward(one["low"], one["high"]), one["rows"], "derived", INTERVAL_SOURCE])


def _write_held_out(calibration: dict[str, Any]) -> None:
    """Errors on runs not seen, by set and in all, and on all runs seen: what a test holds the laws of today against."""
    held_out, seen = calibration["held_out"], calibration["after"]
    rows = [*calibration["sets"], {**held_out, "name": "all"}, {**seen, "name": SEEN}]
    with (Path(__file__).with_name("held_out.csv")).open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        figures = ("median_ape", "p90_ape", "bias", "coverage_80")
        out.writerow(["name", "rows", *figures])
        for one in rows:
            out.writerow([one["name"], one["rows"], *(f"{one[key]:.2f}" for key in figures)])


def _outward(low: float, high: float) -> tuple[str, str]:
    """Three digits, rounded so that the interval never shrinks."""
    return f"{math.floor(low * 1000) / 1000:.3f}", f"{math.ceil(high * 1000) / 1000:.3f}"


def adopt_memory() -> None:
    """Write `memory_intervals.csv` anew from the published peaks."""
    catalog = load_catalog([])
    cases, _ = read_cases(read_measured(PUBLISHED / "memory.csv"), catalog, measured_peak_bytes)
    intervals = memory_intervals(cases, predict_peaks(cases, catalog).values)
    with (DATA / "memory_intervals.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["stack", "method", "devices", "low", "high", "rows", "evidence", "source"])
        for one in intervals:
            factors = _outward(one.low, one.high)
            out.writerow([one.stack, one.method, one.devices, *factors, one.rows, "derived", MEMORY_SOURCE])


if __name__ == "__main__":
    for path in sys.argv[1:]:
        adopt(json.loads(Path(path).read_text(encoding="utf-8")))
    adopt_memory()
