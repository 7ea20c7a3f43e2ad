"""The canonical predictions: what is predicted of a fixed set of runs and designs, and how it compares with before.

`accepted.csv` holds what was accepted last; its first line names the changelog fragment that explains it.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from groundplan.catalog.catalog import load_catalog
from groundplan.tasks.train import TrainRequest, train
from groundplan.tasks.validate import validate_memory, validate_training

HERE = Path(__file__).parent
ACCEPTED = HERE / "accepted.csv"
TOLERANCE = 0.01
"""Change of a prediction that asks for an explanation."""
EVERY_RUN, EVERY_PEAK = 6, 4
"""Every so many of the published runs and peaks is canonical."""
QUANTITIES = ("step_s", "run_s", "mfu", "energy_j")
TOKENS = 1e9

Predictions = Mapping[str, float]


def predictions() -> dict[str, float]:
    """Return every canonical prediction by name."""
    catalog = load_catalog([])
    found = {f"{row.id}.step_s": row.predicted for row in validate_training(catalog).rows[::EVERY_RUN]}
    found |= {f"{row.id}.peak_bytes": row.predicted for row in validate_memory(catalog).rows[::EVERY_PEAK]}
    with (HERE / "designs.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            asked = {key: _value(value) for key, value in line.items() if value and key != "id"}
            design = train(TrainRequest(**asked, tokens=TOKENS, as_of="2026-11-23"), catalog).design
            for name in QUANTITIES:
                prediction = getattr(design, name)
                if prediction is not None:
                    found[f"{line['id']}.{name}"] = prediction.value
            found[f"{line['id']}.memory"] = design.memory.total_bytes.value
    return found


def _value(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def accepted() -> tuple[str, dict[str, float]]:
    """Return the fragment that explains the accepted predictions, and them."""
    first, *lines = ACCEPTED.read_text(encoding="utf-8").splitlines()
    return first.removeprefix("# explained in "), {
        name: float(value) for name, value in (line.split(",") for line in lines[1:])
    }


def moved(old: Predictions, new: Predictions) -> list[tuple[str, float | None, float | None]]:
    """Return what moved by more than `TOLERANCE`, appeared or vanished, the largest change first."""
    found = []
    for name in {**old, **new}:
        before, after = old.get(name), new.get(name)
        if before is None or after is None:
            found.append((float("inf"), name, before, after))
        elif abs(after / before - 1.0) > TOLERANCE:
            found.append((abs(after / before - 1.0), name, before, after))
    return [(name, before, after) for _, name, before, after in sorted(found, key=lambda one: (-one[0], one[1]))]


def table(changes: list[tuple[str, float | None, float | None]]) -> str:
    """Return the changes as a table: name, old, new, change."""
    width = max((len(name) for name, _, _ in changes), default=4)
    lines = [f"{'prediction':<{width}}  {'old':>12}  {'new':>12}  change"]
    for name, old, new in changes:
        change = f"{100 * (new / old - 1):+.1f} %" if old is not None and new is not None else "new" if new else "gone"
        shown = (f"{value:.6g}" if value is not None else "-" for value in (old, new))
        lines.append(f"{name:<{width}}  " + "  ".join(f"{value:>12}" for value in shown) + f"  {change}")
    return "\n".join(lines)


def text_of(found: Predictions, fragment: str) -> str:
    """Return the file of accepted predictions."""
    lines = [f"{name},{value:.6g}" for name, value in found.items()]
    return "\n".join([f"# explained in {fragment}", "prediction,value", *lines]) + "\n"
