"""Price lists and other tables: each trap of theirs is a NULL or a quarantined row with its reason, never a price."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from groundplan.finops.lake.lake import Lake
from groundplan.tasks.finops.lake import import_files, quarantine

SAMPLES = Path(__file__).parents[3] / "shared/samples"
Bill = Callable[..., Path]
SKYPILOT = ("InstanceType", "AcceleratorName", "AcceleratorCount", "vCPUs", "MemoryGiB", "GpuInfo", "Price",
            "SpotPrice", "Region", "AvailabilityZone")  # fmt: skip


def test_traps_of_the_skypilot_catalog(tmp_path: Path, bill: Bill) -> None:
    rows = [
        ("p4d", "A100", 8, 96, 1152, "", 32.77, 9.8, "us-east-1", "us-east-1a"),
        ("no-spot", "A100", 8, 96, 1152, "", 32.77, "", "us-east-1", ""),
        ("same", "A100", 8, 96, 1152, "", 32.77, 32.77, "us-east-1", ""),  # no spot price at all
        ("bytes", "A100", 8, 96, 1236950581248, "", 32.77, "", "us-east-1", ""),  # memory in another unit
        ("sentinel", "A100", 8, 96, 1152, "", 700.0, "", "us-east-1", ""),
        ("", "V100", 1, "", "", "", 2.48, 0.74, "us-central1", ""),  # the accelerator of a split pair
    ]
    import_files(str(tmp_path / "lake"), [bill("aws.csv", rows, SKYPILOT)])
    sql = "SELECT instance, provider, spot_usd_per_hour::DOUBLE, memory_bytes FROM prices ORDER BY instance"
    gib = 2.0**30
    assert Lake(str(tmp_path / "lake")).connect().execute(sql).fetchall() == [
        ("bytes", "aws", None, None), ("no-spot", "aws", None, 1152 * gib), ("p4d", "aws", 9.8, 1152 * gib),
        ("same", "aws", None, 1152 * gib),
    ]  # fmt: skip
    assert sorted(row.problem for row in quarantine(str(tmp_path / "lake")).rows) == [
        "a placeholder stands for the price",
        "the price of an accelerator without its machine",
    ]


def test_spot_and_on_demand_rows_of_the_gpuhunt_catalog(tmp_path: Path, bill: Bill) -> None:
    columns = ("instance_name", "location", "price", "cpu", "memory", "gpu_count", "gpu_name", "gpu_memory", "spot")
    rows = [("a2", "us", 3.67, 12, 85, 1, "A100", 40, "False"), ("a2", "us", 1.1, 12, 85, 1, "A100", 40, "True")]
    (tmp_path / "gcp").mkdir()
    path = bill("gcp/vms.csv", rows, columns)
    import_files(str(tmp_path / "lake"), [path])
    sql = "SELECT provider, on_demand_usd_per_hour::DOUBLE, spot_usd_per_hour::DOUBLE FROM prices ORDER BY ALL"
    found = Lake(str(tmp_path / "lake")).connect().execute(sql).fetchall()
    assert found == [("gcp", 3.67, None), ("gcp", None, 1.1)]


def test_interruption_bands_are_shares(tmp_path: Path, bill: Bill) -> None:
    columns = ("instance_type", "region", "vcpu", "ram_gb", "savings_pct_over_ondemand", "interruption_freq_last_month")
    rows = [
        ("a", "r", 1, 1, 60, "<5%"),
        ("b", "r", 1, 1, 60, "15-20%"),
        ("c", "r", 1, 1, 60, ">20%"),
        ("d", "r", 1, 1, -62, "<5%"),
    ]
    import_files(str(tmp_path / "lake"), [bill("advisor.csv", rows, columns)])
    sql = "SELECT instance, interruption_low, interruption_high FROM prices ORDER BY instance"
    assert Lake(str(tmp_path / "lake")).connect().execute(sql).fetchall() == [
        ("a", 0.0, 0.05), ("b", 0.15, 0.20), ("c", 0.20, 1.0)
    ]  # fmt: skip
    assert len(quarantine(str(tmp_path / "lake")).rows) == 1


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not here")
@pytest.mark.parametrize("folder", ["prices", "focus", "jobs"])
def test_every_row_of_every_sample_is_accounted_for(tmp_path: Path, folder: str) -> None:
    report = import_files(str(tmp_path / "lake"), [SAMPLES / folder])
    for file in report.files:
        assert file.read == file.kept + file.already + file.quarantined > 0
        if file.file.endswith(".csv"):
            with open(file.file, encoding="utf-8-sig") as text:
                assert file.read == sum(1 for line in text if line.strip()) - 1
    assert all(row.what and row.mend for row in report.refused)
