"""The 80 % intervals of serving predictions, by engine and kind of model."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache

from groundplan.catalog.schema import DATA

Factors = tuple[float, float]


def serving_interval(engine: str, sparse: bool) -> Mapping[str, Factors]:
    """Return the factors on each predicted quantity; those of all engines together where one has no runs."""
    experts = "yes" if sparse else "no"
    regimes = _regimes()
    quantities = {key[2] for key in regimes}
    return {one: regimes.get((engine, experts, one)) or regimes["", experts, one] for one in sorted(quantities)}


@cache
def _regimes() -> Mapping[tuple[str, str, str], Factors]:
    with (DATA / "serving_intervals.csv").open(encoding="utf-8", newline="") as file:
        return {
            (line["engine"], line["experts"], line["quantity"]): (float(line["low"]), float(line["high"]))
            for line in csv.DictReader(file)
        }
