"""Commitments are the best for the usage seen; quiet hours, tiers and transfers only where the bill shows them."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundplan.catalog.catalog import load_catalog
from groundplan.finops.recommend.bill import off_hours, storage_tier, transfer
from groundplan.finops.recommend.commitments import commit, commitments, saving
from groundplan.tasks.finops.allocate import AllocateRequest
from groundplan.tasks.finops.lake import import_files
from groundplan.tasks.finops.recommend import recommend

pytest.importorskip("scipy")
USAGE = st.lists(st.integers(0, 12), min_size=5, max_size=60)


@settings(deadline=None)
@given(USAGE, st.floats(0.05, 0.98))
def test_one_commitment_is_the_newsvendors_quantile(usage: list[int], share: float) -> None:
    machines = np.array(usage, dtype=float)
    bought = commit(machines, 1.0, {"reserved_1y": share})["reserved_1y"]
    best = max(saving(machines, 1.0, {"reserved_1y": share}, {"reserved_1y": n}) for n in range(14))
    assert saving(machines, 1.0, {"reserved_1y": share}, {"reserved_1y": bought}) == pytest.approx(best, abs=1e-6)
    assert np.mean(machines >= bought + 1) <= share + 1e-9  # the next one would run too seldom
    assert bought == 0 or np.mean(machines >= bought) >= share - 1e-9


@settings(deadline=None)
@given(USAGE, st.floats(0.3, 0.9), st.floats(0.1, 0.9))
def test_two_terms_are_as_good_as_trying_every_pair(usage: list[int], one_year: float, three_years: float) -> None:
    machines, prices = np.array(usage, dtype=float), {"reserved_1y": one_year, "reserved_3y": three_years}
    bought = commit(machines, 1.0, prices)
    pairs = [dict(zip(prices, pair, strict=True)) for pair in product(range(14), range(14))]
    allowed = [pair for pair in pairs if pair["reserved_3y"] <= machines.min()]
    best = max(saving(machines, 1.0, prices, pair) for pair in allowed)
    assert bought["reserved_3y"] <= machines.min()
    assert saving(machines, 1.0, prices, bought) == pytest.approx(best, abs=1e-6)


def _hours(days: int, machines: int, sku: str = "p4d.24xlarge") -> list[dict[str, Any]]:
    one = {"sku": sku, "provider": "AWS", "region": "us-east-1", "hours": machines, "cost": 20.0 * machines}
    return [one | {"hour": hour} for hour in range(days * 24)]


def test_a_month_of_steady_usage_is_worth_a_commitment_and_saves_less_than_it_cost() -> None:
    (row,), missing = commitments(_hours(30, 4), load_catalog([]), 30.0, 1.0)
    assert "commit to 4 for 3 years x p4d.24xlarge" in row.what and not missing
    assert row.low_usd < row.high_usd < 30 * 24 * 4 * 20.0
    assert "--instance-count 4" in row.command


def test_too_short_a_bill_and_an_unknown_machine_are_said() -> None:
    assert commitments(_hours(10, 4), load_catalog([]), 10.0, 3.0)[1][0].needs.startswith("28 days")
    found, (missing,) = commitments(_hours(30, 4, "x9.mystery"), load_catalog([]), 30.0, 1.0)
    assert not found and "x9.mystery" in missing.needs


def test_machines_that_are_empty_every_weekend_can_be_off() -> None:
    hours = [
        {"weekday": day, "hour": hour, "weeks": 4, "least": 3 if day > 5 else 0, "mean": 4.0 if day > 5 else 1.0,
         "node_cost": 10.0}
        for day in range(1, 8)
        for hour in range(24)
    ]  # fmt: skip
    (row,), _ = off_hours(hours)
    assert row.what == "switch off 3 machines on weekends"
    assert row.low_usd == pytest.approx(48 * 10 * 3 * 30 / 7)
    assert row.high_usd == pytest.approx(48 * 10 * 4 * 30 / 7)
    assert off_hours([row | {"weeks": 1} for row in hours])[1][0].kind == "off-hours"
    assert off_hours([row | {"least": 0} for row in hours])[0] == []


def test_only_data_that_nobody_reads_moves_to_a_colder_tier() -> None:
    bucket = {"provider": "AWS", "service": "Amazon Simple Storage Service", "cost": 230.0, "days": 30.0, "told": "s3"}
    cold, read = bucket | {"resource": "cold", "reads": 0}, bucket | {"resource": "read", "reads": 7}
    (row,), _ = storage_tier([cold, read], 1.0)
    assert row.what.startswith("cold:") and 0 < row.low_usd < row.high_usd < 230.0
    assert storage_tier([cold], 1.0)[1][0].kind == "storage-tier"  # a bill that never shows reads shows nothing
    assert storage_tier([cold | {"told": "Glacier"}, read], 1.0) == ([], [])


def test_a_bill_with_inter_region_traffic_says_what_it_costs(tmp_path: Path) -> None:
    names = (
        "BilledCost EffectiveCost BillingCurrency ChargePeriodStart ChargePeriodEnd ChargeCategory ChargeDescription"
    )
    columns = [*names.split(), "ResourceId", "ConsumedQuantity", "ConsumedUnit", "SkuMeter"]
    common = ["USD", "2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", "Usage"]
    with (tmp_path / "bill.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerow(
            ["12", "12", *common, "USE1-EUC1-AWS-Out-Bytes", "bucket", "600", "GB", "USE1-EUC1-AWS-Out-Bytes"]
        )
        writer.writerow(
            ["9", "9", *common, "$0.09 per GB data out to the internet", "site", "100", "GB", "DataTransfer-Out"]
        )
    import_files(str(tmp_path / "lake"), [tmp_path / "bill.csv"])
    found = recommend(AllocateRequest(str(tmp_path / "lake")), load_catalog([])).recommendations
    assert [row["kind"] for row in found] == ["transfer"]
    assert found[0]["high_usd"] == "360.00" and "bucket: 600 GB" in found[0]["what"]
    assert transfer([], 1.0) == []
