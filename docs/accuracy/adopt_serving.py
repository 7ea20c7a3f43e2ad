"""Fit the constants of serving engines to measured runs and put them, and the intervals, into the built-in catalog.

    python docs/accuracy/adopt_serving.py runs.csv

Every source in turn is left out of the fit and predicted: its errors make `serving_intervals.csv`, and the table of
errors on runs not seen, `serving_held_out.csv`.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

from groundplan.catalog.catalog import load_catalog
from groundplan.catalog.schema import schema
from groundplan.tasks.validate_serving import read_serving_cases, serving_set
from groundplan.validation.conformal import conformal_factors
from groundplan.validation.measured import read_measured
from groundplan.validation.serving_fitting import (
    fit_serving,
    measured_serving,
    out_of_fold_serving,
    serving_constants,
)
from groundplan.validation.serving_reading import COLUMNS, NEEDED, QUANTITIES, ServingCase

DATA = Path(__file__).parents[2] / "src" / "groundplan" / "catalog" / "data"
HELD_OUT = Path(__file__).with_name("serving_held_out.csv")
FEWEST = 20
COVERAGE = 0.8
SCALES = {"us": 1e6, "ms": 1e3, "s": 1.0, "1": 1.0, "": 1.0}
SOURCE = "split-conformal, from measured over predicted figures of published runs, predicted without their source"


def main(paths: list[Path]) -> None:
    """Fit, predict every source without itself, and write the tables."""
    catalog = load_catalog([])
    runs = [run for path in paths for run in read_measured(path, COLUMNS, NEEDED)]
    cases, _ = read_serving_cases(runs, catalog)
    values = fit_serving(cases, catalog)
    unseen, _ = out_of_fold_serving(cases, catalog)
    write_constants(cases, values)
    write_intervals(cases, unseen)
    write_held_out(cases, unseen)


def write_constants(cases: list[ServingCase], values: np.ndarray) -> None:
    """Put the fitted values into `engines.csv` and `architectures.csv`, with the sources of the runs behind them."""
    for table in ("engines", "architectures"):
        path = DATA / f"{table}.csv"
        with path.open(encoding="utf-8", newline="") as file:
            header, *lines = list(csv.reader(file))
        for one, value in zip(serving_constants(), values, strict=True):
            if one.table != table:
                continue
            own = [case for case in cases if one.touches(case)]
            if not own:
                continue
            attribute = next(a for a in schema()[table].values() if a.field == one.attribute)
            sources = ", ".join(dict.fromkeys(case.run.text("source").split(" as shipped")[0] for case in own))
            line = [
                one.row,
                attribute.name,
                f"{value:.4g}",
                attribute.unit,
                "derived",
                f"fitted to {len(own)} published serving runs: {sources}",
                "",
            ]
            places = [i for i, old in enumerate(lines) if old[:2] == line[:2]]
            if places:
                lines[places[0]] = line
            else:
                lines.insert(max(i for i, old in enumerate(lines) if old[0] == one.row) + 1, line)
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *lines])


def write_intervals(cases: list[ServingCase], unseen: np.ndarray) -> None:
    """Write the factors by engine and kind of model, and those of all engines."""
    ratios = measured_serving(cases) / unseen
    keys = [(case.engine.id, "yes" if case.sparse else "no") for case in cases]
    with (DATA / "serving_intervals.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["engine", "experts", "quantity", "low", "high", "rows", "evidence", "source"])
        for engine, experts in sorted({*keys, *(("", key[1]) for key in keys)}):
            own = np.asarray([key[1] == experts and engine in ("", key[0]) for key in keys])
            for place, quantity in enumerate(QUANTITIES):
                known = ratios[own, place][np.isfinite(ratios[own, place])]
                if len(known) >= FEWEST:
                    low, high = conformal_factors(known, COVERAGE if engine else 0.9)
                    table.writerow(
                        [engine, experts, quantity, f"{low:.3f}", f"{high:.3f}", len(known), "derived", SOURCE]
                    )


def write_held_out(cases: list[ServingCase], unseen: np.ndarray) -> None:
    """Write the errors on runs not seen, by set and over all."""
    measured = measured_serving(cases)
    errors: dict[str, list[float]] = {}
    for i, case in enumerate(cases):
        for j, quantity in enumerate(QUANTITIES):
            error = 100.0 * (unseen[i, j] / measured[i, j] - 1.0)
            if np.isfinite(error):
                errors.setdefault(serving_set(case, quantity), []).append(error)
                errors.setdefault(f"all / {quantity}", []).append(error)
    with HELD_OUT.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["name", "rows", "median_ape", "p90_ape", "bias"])
        for name in sorted(errors):
            own = np.asarray(errors[name])
            table.writerow(
                [
                    name,
                    len(own),
                    f"{np.median(abs(own)):.2f}",
                    f"{np.quantile(abs(own), 0.9):.2f}",
                    f"{np.median(own):.2f}",
                ]
            )


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
