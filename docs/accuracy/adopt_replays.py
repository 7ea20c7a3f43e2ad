"""Put replays of request traces through the simulator and write what it says beside what was measured.

    python docs/accuracy/adopt_replays.py FOLDER

The replays are not ours to ship: the page is made from the figures in `replays.csv`. A test holds it against the
code where they are there.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from groundplan.catalog.catalog import load_catalog
from groundplan.tasks.validate_serving import validate_serving

REPLAYS = Path(__file__).with_name("replays.csv")
SOURCE = "github.com/casys-kaist/LLMServingSim, bench/examples: vLLM 0.19, 300 ShareGPT requests at 10 a second"
COLUMNS = ("replay", "quantity", "measured", "predicted", "low", "high", "source")


def lines(folder: Path) -> list[list[str]]:
    """Return the figures of the replays of a folder, as `replays.csv` has them."""
    rows = validate_serving(load_catalog([]), [folder]).rows
    return [
        [row.id, row.quantity, *(f"{value:.4g}" for value in (row.measured, row.predicted, row.low, row.high)), SOURCE]
        for row in rows
    ]


if __name__ == "__main__":
    with REPLAYS.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([list(COLUMNS), *lines(Path(sys.argv[1]))])
