"""Put the constants and intervals of a saved calibration into the built-in catalog.

    groundplan calibrate --data more-runs.csv --format json --out calibration.json
    python docs/accuracy/adopt.py calibration.json

Each fitted value replaces the one in `architectures.csv` or `stacks.csv`, with the sources it was fitted to; parts of
a family without runs of their own take the value of their kin; `intervals.csv` is written anew.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "src" / "groundplan" / "catalog" / "data"
KIN = {"tpu-v4": "tpu-v5p", "tpu-v6e": "tpu-v5p", "tpu-v7x": "tpu-v5p"}
"""Architectures without published runs -> the one whose fitted shares they take."""
INTERVAL_SOURCE = (
    "split-conformal, from measured over predicted step times of published runs, each predicted by constants fitted "
    "without its source"
)


def adopt(calibration: dict[str, Any]) -> None:
    """Rewrite the three tables."""
    for table in ("architectures", "stacks"):
        fitted = {(one["row"], one["attribute"]): one for one in calibration["constants"] if one["table"] == table}
        _rewrite(DATA / f"{table}.csv", fitted)
    _write_intervals(calibration["intervals"])


def _rewrite(path: Path, fitted: dict[tuple[str, str], dict[str, Any]]) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        header, *lines = list(csv.reader(file))
    missing = set(fitted)
    for line in lines:
        row, attribute = line[0], line[1]
        found = fitted.get((row, attribute))
        kin = fitted.get((KIN.get(row, ""), attribute))
        if found and found["rows"]:
            line[2:7] = [*_figure(found), "derived", _source(found), ""]
        elif found:
            line[2:7] = [*_figure(found), "assumed", f"expected: {found['reason']}", "no published run depends on it"]
        elif kin:
            line[2:7] = [*_figure(kin), "assumed", f"as {KIN[row]}: no published runs of its own", ""]
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
        out.writerow(["stack", "architecture", "experts", "low", "high", "rows", "evidence", "source"])
        for one in intervals:
            own = [one["stack"], one["architecture"], one["experts"]]
            out.writerow([*own, f"{one['low']:.3f}", f"{one['high']:.3f}", one["rows"], "derived", INTERVAL_SOURCE])


if __name__ == "__main__":
    adopt(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
