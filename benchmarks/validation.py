"""How fast measured runs are predicted and scored: the published runs, repeated to ten thousand rows.

    python benchmarks/validation.py

Each repeat has a sequence length of its own, so that no row is another one over again. Prints rows, seconds,
and rows per second of the whole task, reading included, best of three runs.
"""

from __future__ import annotations

import csv
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from groundplan.catalog.catalog import Catalog, load_catalog
from groundplan.tasks.validate import PUBLISHED, validate_training

ROWS = 10_000


def main() -> None:
    """Time the task and print its rate."""
    catalog = load_catalog([])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "runs.csv"
        _write(path)
        seconds = min(_timed(path, catalog) for _ in range(3))
    print(f"{ROWS:,} measured runs read, predicted and scored: {seconds:.2f} s; {ROWS / seconds:,.0f}/s")


def _write(path: Path) -> None:
    with (PUBLISHED / "training.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, rows[0])
        out.writeheader()
        for place in range(ROWS):
            repeat, row = place // len(rows), rows[place % len(rows)]
            sequence = int(row["seq_len"]) + 64 * repeat if row["seq_len"] else ""
            out.writerow({**row, "id": f"{row['id']}-{repeat}", "seq_len": sequence})


def _timed(path: Path, catalog: Catalog) -> float:
    start = time.perf_counter()
    validate_training(catalog, [path])
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
