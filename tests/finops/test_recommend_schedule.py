"""Switching off: a planted working week is found to the hour, and savings are never more than what was free."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundplan.catalog.catalog import load_catalog
from groundplan.finops.recommend.schedule import Pool, best_schedule, off_hours, pools, quiet, saved
from groundplan.tasks.finops.allocate import AllocateRequest
from groundplan.tasks.finops.lake import import_files
from groundplan.tasks.finops.recommend import recommend

Bill = Callable[..., Path]
MONDAY = datetime(2026, 6, 1)
RATE = 4.0


def pool_of(free: Callable[[datetime], int], days: int = 28, nodes: int = 8) -> Pool:
    hours = [MONDAY + timedelta(hours=hour) for hour in range(days * 24)]
    names = [f"n{node}" for node in range(nodes)]
    same = {"provider": "AWS", "region": "r", "instance": "big", "nodes": nodes, "rate": RATE, "names": names}
    (pool,) = pools([same | {"hour": hour, "free": free(hour)} for hour in hours])
    return pool


def working_week(hour: datetime) -> int:
    """One machine is never used, five not at night from 19 to 7, seven not at weekends."""
    if hour.weekday() >= 5:
        return 7
    return 1 if 7 <= hour.hour < 19 else 5


def test_a_working_week_is_found_to_the_hour_with_its_dollars() -> None:
    pool = pool_of(working_week)
    found = best_schedule(pool)
    assert (found.always, found.night, found.weekend, found.night_from) == (1, 4, 6, 19)
    free_hours = sum(pool.free) / 28 * 30  # all that is free can be off
    assert saved(pool, found) == pytest.approx(free_hours * RATE)
    assert saved(pool, found, sure=True) == pytest.approx(free_hours * RATE)
    ((row,), _) = off_hours([pool], slurm=True)
    assert "0 19 * * 1-5 scontrol update NodeName=n6,n5,n4,n3 State=POWER_DOWN_ASAP" in row.command
    assert "0 7 * * 1-5 scontrol update NodeName=n6,n5,n4,n3 State=POWER_UP" in row.command


def test_one_night_of_work_lowers_only_the_low_end() -> None:
    pool = pool_of(lambda hour: 0 if hour.date() == (MONDAY + timedelta(days=9)).date() else working_week(hour))
    found = best_schedule(pool)
    assert found.night == 4
    assert 0 < saved(pool, found, sure=True) < saved(pool, found)


@settings(deadline=None)
@given(st.lists(st.integers(0, 8), min_size=14 * 24, max_size=14 * 24))
def test_savings_are_never_more_than_what_nobody_held(free: list[int]) -> None:
    counts = dict(zip((MONDAY + timedelta(hours=hour) for hour in range(14 * 24)), free, strict=True))
    pool = pool_of(counts.__getitem__, days=14)
    found = best_schedule(pool)
    low, high = saved(pool, found, sure=True), saved(pool, found)
    assert 0.0 <= low <= high + 1e-9
    assert high <= sum(free) / 14 * 30 * RATE + 1e-6
    night, weekend = quiet(pool, found.night_from)
    assert not (night & weekend).any()


def test_a_fleet_that_is_always_held_or_known_for_a_week_is_left_alone() -> None:
    assert off_hours([pool_of(lambda hour: 0)], slurm=True) == ([], [])
    made, missing = off_hours([pool_of(working_week, days=7)], slurm=True)
    assert not made and "two weeks" in missing[0].needs


def test_nights_without_jobs_are_found_in_a_lake(tmp_path: Path, bill: Bill) -> None:
    columns = ("BilledCost", "EffectiveCost", "BillingCurrency", "ChargePeriodStart", "ChargePeriodEnd",
               "ChargeCategory", "PricingCategory", "ResourceId", "ResourceName", "SkuId")  # fmt: skip
    charges, samples, jobs = [], [], []
    for day in range(28):
        at = MONDAY + timedelta(days=day)
        for node, price, category in (("n1", "96", "Standard"), ("n2", "96", "Standard"), ("n3", "48", "Committed")):
            charges.append((price, price, "USD", f"{at:%FT%TZ}", f"{at + timedelta(days=1):%FT%TZ}", "Usage", category,
                            f"i-{node}", node, "own.big"))  # fmt: skip
            samples.append((f"{at:%FT%TZ}", node, "0", "", 0.9 * (node == "n3"), 0.5, 30_000))
        jobs.append(f"{day}|w|ann|a|COMPLETED|{at:%FT08:00:00}|{at:%FT08:00:00}|{at:%FT20:00:00}|gres/gpu=1|n1|")
    samples.append((f"{MONDAY + timedelta(days=1, hours=3):%FT%TZ}", "n1", "0", "", 0.9, 0.5, 30_000))  # by hand
    jobs.append(
        f"99|w|ann|a|COMPLETED|{MONDAY:%FT%T}|{MONDAY:%FT%T}|{MONDAY + timedelta(days=28):%FT%T}|gres/gpu=1|n2|"
    )
    (tmp_path / "sacct.txt").write_text(
        "JobID|JobName|User|Account|State|Submit|Start|End|AllocTRES|NodeList|Comment\n" + "\n".join(jobs) + "\n"
    )
    fields = ("timestamp", "Hostname", "gpu", "hpc_job", "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
              "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "DCGM_FI_DEV_FB_USED")  # fmt: skip
    files = [bill("b.csv", charges, columns), bill("d.csv", samples, fields), tmp_path / "sacct.txt"]
    import_files(str(tmp_path / "lake"), files)
    found = recommend(AllocateRequest(str(tmp_path / "lake")), load_catalog())
    (row,) = [one for one in found.recommendations if one["kind"] == "off-hours"]
    assert "1 off from 20:00 to 08:00 UTC" in row["what"]  # n1; nobody saves by switching off what is committed
    assert float(row["high_usd"]) == pytest.approx((20 * 12 - 1) / 28 * 30 * 4, abs=0.01)  # less the hour by hand
    assert row["low_usd"] == "0.00"
