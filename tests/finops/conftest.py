"""Bills and lakes for the tests of the accounts."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

COLUMNS = (
    "BilledCost",
    "EffectiveCost",
    "BillingCurrency",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ResourceId",
    "Tags",
)


def charge(cost: str, day: int = 1, resource: str = "i-1", currency: str = "USD", tags: str = "") -> tuple[str, ...]:
    """Return one charge of a day of May 2026."""
    return (cost, cost, currency, f"2026-05-{day:02}T00:00:00Z", f"2026-05-{day + 1:02}T00:00:00Z", resource, tags)


@pytest.fixture
def bill(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a bill of the given charges."""

    def write(name: str, rows: Sequence[Sequence[Any]], columns: Sequence[str] = COLUMNS, **how: Any) -> Path:
        path = tmp_path / name
        with path.open("w", newline="", encoding=how.pop("encoding", "utf-8")) as file:
            writer = csv.writer(file, **how)
            writer.writerow(columns)
            writer.writerows(rows)
        return path

    return write
