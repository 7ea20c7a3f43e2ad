"""What charges alone show: cold buckets only where reading is counted, transfer by kind, no more than is billed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.tasks.finops.allocate import AllocateRequest
from groundplan.tasks.finops.lake import import_files
from groundplan.tasks.finops.recommend import RecommendResult, recommend

Bill = Callable[..., Path]
COLUMNS = ("BilledCost", "EffectiveCost", "BillingCurrency", "ChargePeriodStart", "ChargePeriodEnd", "ChargeCategory",
           "ServiceCategory", "ServiceName", "ProviderName", "RegionId", "ResourceId", "PricingQuantity", "PricingUnit",
           "ChargeDescription", "SkuMeter")  # fmt: skip
PRICES = """provider,resource,component,qty,unit,monthly_cost_usd,unit_price_derived,golden_date,file
aws,aws_s3_bucket.b,Storage (frequent access),1,GB,0.023,0.023,2024-09-25,list
aws,aws_s3_bucket.b,Storage (infrequent access),1,GB,0.0115,0.0115,2024-09-25,list
google,google_storage_bucket.b,Storage (standard),1,GiB,0.02,0.02,2024-09-25,list
google,google_storage_bucket.b,Storage (coldline),1,GiB,0.004,0.004,2024-09-25,list
google,google_storage_bucket.b,Data retrieval,1,GB,0.02,0.02,2024-09-25,list
"""
S3, GCS = ("Amazon Simple Storage Service", "AWS"), ("Cloud Storage", "Google Cloud")


def of(cost: float, service: tuple[str, str], bucket: str, quantity: float, unit: str, words: str) -> tuple[Any, ...]:
    """Return a charge of the 30 days of June."""
    return (cost, cost, "USD", "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z", "Usage", "Storage", *service, "r",
            bucket, quantity, unit, words, "")  # fmt: skip


def moved(cost: float, resource: str, words: str, meter: str = "", provider: str = "AWS") -> tuple[Any, ...]:
    return (cost, cost, "USD", "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z", "Usage", "Networking", "Transfer",
            provider, "r", resource, cost * 100, "GB", words, meter)  # fmt: skip


@pytest.fixture
def advised(tmp_path: Path, bill: Bill) -> Callable[..., RecommendResult]:
    def advise(charges: Sequence[tuple[Any, ...]], prices: str = PRICES) -> RecommendResult:
        (tmp_path / "storage.csv").write_text(prices)
        files = [bill("b.csv", charges, COLUMNS), *([tmp_path / "storage.csv"] if prices else [])]
        import_files(str(tmp_path / "lake"), files)
        return recommend(AllocateRequest(str(tmp_path / "lake")), load_catalog())

    return advise


def _needs(found: RecommendResult, kind: str) -> list[str]:
    return [row["needs"] for row in found.not_judged if row["kind"] == kind]


def test_only_a_bucket_that_is_hardly_read_goes_into_a_colder_tier(advised: Callable[..., RecommendResult]) -> None:
    found = advised(
        [
            of(230, S3, "cold", 10_000, "GB-Mo", "S3 Standard storage"),
            of(1, S3, "cold", 2_500, "Requests", "GET requests"),
            of(230, S3, "hot", 10_000, "GB-Mo", "S3 Standard storage"),
            of(40, S3, "hot", 1e8, "Requests", "GET requests"),
            of(125, S3, "old", 10_000, "GB-Mo", "S3 Standard-Infrequent Access storage"),
            of(200, GCS, "lake", 10_000, "gibibyte month", "Standard Storage US"),
            of(0.1, GCS, "other", 1, "count", "Class B operations"),
        ]
    )
    rows = {row["what"].partition(":")[0]: row for row in found.recommendations}
    assert set(rows) == {"cold", "lake"}
    assert (rows["cold"]["low_usd"], rows["cold"]["high_usd"]) == ("115.00", "115.00")  # half, and free to get back
    assert rows["lake"]["high_usd"] == "160.00"  # a fifth of the price
    assert rows["lake"]["low_usd"] == "140.00"  # less a tenth of it got back, at the price of a month in Standard
    assert '"StorageClass":"INTELLIGENT_TIERING"' in rows["cold"]["command"]
    assert not _needs(found, "storage-tier") and _needs(found, "format")


@pytest.mark.parametrize(
    ("charges", "prices", "needs"),
    [
        ([of(230, S3, "b", 10_000, "GB-Mo", "Standard")], PRICES, "how often buckets are read"),
        ([of(230, S3, "b", 10_000, "GB-Mo", "Standard")], "", "prices of storage tiers"),
        ([of(230, S3, "b", 10_000, "Requests", "GET")], PRICES, "storage charges by bucket"),
    ],
)
def test_without_reads_prices_or_quantities_tiers_are_not_judged(
    advised: Callable[..., RecommendResult], charges: list[tuple[Any, ...]], prices: str, needs: str
) -> None:
    found = advised(charges, prices)
    assert not found.recommendations
    assert _needs(found, "storage-tier")[0].startswith(needs)


def test_transfer_is_told_by_kind_and_the_internet_is_left_alone(advised: Callable[..., RecommendResult]) -> None:
    found = advised(
        [
            moved(30, "i-1", "$0.010 per GB - regional data transfer - in/out/between EC2 AZs or using elastic IPs"),
            moved(10, "i-2", "", "USW2-DataTransfer-Regional-Bytes"),
            moved(20, "bucket", "$0.02 per GB - US West (Oregon) data transfer to US East (Northern Virginia)"),
            moved(50, "i-1", "$0.090 per GB - first 10 TB / month data transfer out beyond the global free tier"),
            moved(60, "vm", "Network Inter Zone Data Transfer Out", provider="Google Cloud"),
            moved(70, "vm", "Network Inter Region Data Transfer Out from Americas to EMEA", provider="Google Cloud"),
            moved(80, "vnet", "", "Inter-Region Data Transfer Out", provider="Microsoft"),
        ]
    )
    rows = {row["what"].partition(":")[0]: (row["low_usd"], row["high_usd"]) for row in found.recommendations}
    assert rows == {
        "inter-zone transfer of AWS in r": ("30.00", "40.00"),
        "inter-region transfer of AWS in r": ("20.00", "20.00"),
        "inter-zone transfer of Google Cloud in r": ("60.00", "60.00"),
        "inter-region transfer of Google Cloud in r": ("70.00", "70.00"),
        "inter-region transfer of Microsoft in r": ("80.00", "80.00"),
    }
    assert found.together["high_usd"] == "270.00"  # all of it, and no more
