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
HELD_OUT = Path(__file__).with_name("held_out.csv")
SCHEMA = "groundplan/calibrate/1"
NEEDED = ("constants", "intervals", "sets", "held_out", "after", "refined")
SEEN = "all, seen"
MEMORY_SOURCE = "split-conformal, from measured over predicted peaks of published runs; no constant is fitted to them"
INTERVAL_SOURCE = (
    "split-conformal, from measured over predicted step times of published runs, each predicted by constants fitted "
    "without its source, or without its model where one source stands for a stack"
)


def adopt(calibration: dict[str, Any]) -> dict[Path, list[list[Any]]]:
    """Return the tables of a calibration, anew: nothing is written before all of them are made."""
    missing = [key for key in NEEDED if key not in calibration]
    if calibration.get("schema") != SCHEMA or missing or calibration["refined"] or not calibration["intervals"]:
        raise SystemExit("this is no full calibration: make one with groundplan calibrate --format json, no --refine")
    tables: dict[Path, list[list[Any]]] = {}
    for table in ("architectures", "stacks"):
        seen = [one for one in calibration["constants"] if one["table"] == table]
        fitted = {(one["row"], one["attribute"]): one for one in seen}
        shared = {(row, one["attribute"]): one for one in seen for row in one["shared"]}
        tables[DATA / f"{table}.csv"] = _rewritten(DATA / f"{table}.csv", fitted, shared)
    tables[DATA / "intervals.csv"] = _intervals(calibration["intervals"])
    tables[HELD_OUT] = _held_out(calibration)
    return tables


def write(tables: dict[Path, list[list[Any]]]) -> None:
    """Write tables that are complete."""
    for path, lines in tables.items():
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)


def _rewritten(path: Path, fitted: Figures, shared: Figures) -> list[list[Any]]:
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
    return [header, *lines]


def _figure(one: dict[str, Any]) -> tuple[str, str]:
    if one["attribute"] == "flops_per_joule":
        return f"{one['fitted'] / 1e12:.4g}", "TFLOP/J"
    return f"{one['fitted']:.4g}", "1"


def _source(one: dict[str, Any]) -> str:
    sources = ", ".join(sorted(one["sources"]))
    return f"fitted to {one['rows']} published runs by groundplan calibrate: {sources}"


def _intervals(intervals: list[dict[str, Any]]) -> list[list[Any]]:
    lines: list[list[Any]] = [
        ["stack", "architecture", "experts", "nodes", "low", "high", "rows", "evidence", "source"]
    ]
    for one in intervals:
        own = [one["stack"], one["architecture"], one["experts"], one["nodes"]]
        lines.append([*own, *_outward(one["low"], one["high"]), one["rows"], "derived", INTERVAL_SOURCE])
    return lines


def _held_out(calibration: dict[str, Any]) -> list[list[Any]]:
    """Errors on runs not seen, by set and in all, and on all runs seen: what a test holds the laws of today against."""
    held_out, seen = calibration["held_out"], calibration["after"]
    rows = [*calibration["sets"], {**held_out, "name": "all"}, {**seen, "name": SEEN}]
    figures = ("median_ape", "p90_ape", "bias", "coverage_80")
    return [
        ["name", "rows", *figures],
        *([one["name"], one["rows"], *(f"{one[k]:.2f}" for k in figures)] for one in rows),
    ]


def _outward(low: float, high: float) -> tuple[str, str]:
    """Three digits, rounded so that the interval never shrinks."""
    return f"{math.floor(low * 1000) / 1000:.3f}", f"{math.ceil(high * 1000) / 1000:.3f}"


def adopt_memory() -> dict[Path, list[list[Any]]]:
    """Return `memory_intervals.csv` anew, from the published peaks."""
    catalog = load_catalog([])
    cases, _ = read_cases(read_measured(PUBLISHED / "memory.csv"), catalog, measured_peak_bytes)
    lines: list[list[Any]] = [["stack", "method", "devices", "low", "high", "rows", "evidence", "source"]]
    for one in memory_intervals(cases, predict_peaks(cases, catalog).values):
        factors = _outward(one.low, one.high)
        lines.append([one.stack, one.method, one.devices, *factors, one.rows, "derived", MEMORY_SOURCE])
    return {DATA / "memory_intervals.csv": lines}


def main(paths: list[str]) -> None:
    """Adopt the calibrations, then the peaks; a wrong file leaves every table as it was."""
    tables: dict[Path, list[list[Any]]] = {}
    for path in paths:
        try:
            calibration = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SystemExit(f"{path} is no saved calibration: {error}") from None
        if not isinstance(calibration, dict):
            raise SystemExit(f"{path} is no saved calibration")
        tables |= adopt(calibration)
    write(tables | adopt_memory())


if __name__ == "__main__":
    main(sys.argv[1:])
