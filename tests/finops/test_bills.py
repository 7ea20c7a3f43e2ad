"""Bills of providers become FOCUS: what was billed adds up, and so does what it cost after amortisation."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from groundplan.finops.lake.lake import Lake
from groundplan.tasks.finops.allocate import AllocateRequest, allocate
from groundplan.tasks.finops.lake import import_files, quarantine

from .conftest import charge

Bill = Callable[..., Path]
HOUR = {"line_item_usage_start_date": "2026-05-01T00:00:00.000Z",
        "line_item_usage_end_date": "2026-05-01T01:00:00.000Z",
        "line_item_currency_code": "USD", "bill_billing_period_start_date": "2026-05-01T00:00:00.000Z",
        "bill_billing_period_end_date": "2026-06-01T00:00:00.000Z"}  # fmt: skip
TAGS = '{"user_team": "vision", "user_Name": "gpu-1", "user_role": "user_admin", "aws_created_by": "x"}'
CUR: tuple[Mapping[str, str], ...] = tuple(HOUR | row for row in (
    {"line_item_line_item_type": "SavingsPlanCoveredUsage", "line_item_unblended_cost": "98.32", "resource_tags": TAGS,
     "savings_plan_savings_plan_effective_cost": "61.4", "savings_plan_savings_plan_a_r_n": "arn:sp",
     "pricing_public_on_demand_cost": "98.32", "line_item_resource_id": "i-1", "line_item_product_code": "AmazonEC2",
     "line_item_usage_type": "BoxUsage:p5.48xlarge", "line_item_usage_amount": "1", "pricing_unit": "Hrs",
     "product_instance_type": "p5.48xlarge"},
    {"line_item_line_item_type": "SavingsPlanNegation", "line_item_unblended_cost": "-98.32",
     "savings_plan_savings_plan_a_r_n": "arn:sp", "line_item_usage_amount": "1",
     "line_item_usage_type": "BoxUsage:p5.48xlarge", "line_item_product_code": "AmazonEC2"},
    {"line_item_line_item_type": "SavingsPlanRecurringFee", "line_item_unblended_cost": "70.000000000001",
     "savings_plan_total_commitment_to_date": "70.000000000001", "savings_plan_used_commitment": "61.4",
     "savings_plan_savings_plan_a_r_n": "arn:sp", "line_item_product_code": "ComputeSavingsPlans"},
    {"line_item_line_item_type": "SavingsPlanUpfrontFee", "line_item_unblended_cost": "1000",
     "savings_plan_savings_plan_a_r_n": "arn:sp2"},
    {"line_item_line_item_type": "DiscountedUsage", "line_item_unblended_cost": "0",
     "reservation_effective_cost": "0.05", "reservation_reservation_a_r_n": "arn:ri",
     "pricing_public_on_demand_cost": "0.085",
     "line_item_product_code": "AmazonEC2", "line_item_usage_type": "BoxUsage:c5.large"},
    {"line_item_line_item_type": "RIFee", "line_item_unblended_cost": "37.2", "reservation_reservation_a_r_n": "arn:ri",
     "reservation_unused_amortized_upfront_fee_for_billing_period": "1.5", "reservation_unused_recurring_fee": "2.25",
     "reservation_unused_quantity": "45"},
    {"line_item_line_item_type": "Fee", "line_item_unblended_cost": "300", "reservation_reservation_a_r_n": "arn:ri"},
    {"line_item_line_item_type": "Fee", "line_item_unblended_cost": "29"},
    {"line_item_line_item_type": "Usage", "line_item_unblended_cost": "1e-9",
     "line_item_usage_type": "USE1-SpotUsage:g5.xlarge", "line_item_product_code": "AmazonEC2"},
    {"line_item_line_item_type": "Tax", "line_item_unblended_cost": "12.5"},
    {"line_item_line_item_type": "Credit", "line_item_unblended_cost": "-20"},
    {"line_item_line_item_type": "Refund", "line_item_unblended_cost": "-3"},
    {"line_item_line_item_type": "EdpDiscount", "line_item_unblended_cost": "-7"},
))  # fmt: skip
BILLED = sum((Decimal(row["line_item_unblended_cost"]) for row in CUR), Decimal(0))
EFFECTIVE = sum(map(Decimal, ("61.4", "8.600000000001", "0.05", "3.75", "29", "1e-9", "12.5", "-20", "-3", "-7")))


def taken(lake: Path, sql: str) -> list[tuple[Any, ...]]:
    """Return what a query finds in a lake."""
    found: list[tuple[Any, ...]] = Lake(str(lake)).connect().execute(sql).fetchall()
    return found


def written(path: Path, rows: Sequence[Mapping[str, str]], spelled: Callable[[str], str] = str) -> Path:
    """Write rows that have different columns as one CSV."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    relation = ", ".join(f"? AS {json.dumps(spelled(name))}" for name in names)
    union = " UNION ALL ".join([f"SELECT {relation}"] * len(rows))
    values = [row.get(name) for row in rows for name in names]
    how = "parquet" if path.suffix == ".parquet" else "csv"
    duckdb.connect().execute(f"COPY ({union}) TO '{path}' (FORMAT {how})", values)
    return path


def legacy(name: str) -> str:
    """Return the name that the legacy report has for a column of CUR 2.0."""
    for group in ("line_item", "bill", "pricing", "reservation", "savings_plan", "product"):
        if name.startswith(group + "_"):
            words = [part.title() for part in group.split("_")]
            rest = "".join(part.title() for part in name.removeprefix(group + "_").split("_"))
            return words[0].lower() + "".join(words[1:]) + "/" + rest
    return name


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("spelled", [str, legacy])
def test_an_aws_report_adds_up_billed_and_amortised(tmp_path: Path, suffix: str, spelled: Callable[[str], str]) -> None:
    report = import_files(str(tmp_path / "lake"), [written(tmp_path / f"cur.{suffix}", CUR, spelled)])
    assert report.files[0].format == "AWS cost and usage report" and report.quarantined == 0
    assert report.kept == len(CUR) + 2  # the unused parts of the savings plan and of the reservation
    (sums,) = taken(tmp_path / "lake", "SELECT sum(BilledCost), sum(EffectiveCost) FROM billing")
    assert sums == (BILLED, EFFECTIVE)


def test_lines_of_an_aws_report_are_what_focus_calls_them(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    import_files(str(lake), [written(tmp_path / "cur.csv", CUR)])
    sql = """SELECT x_extras ->> '$.line_item_type', ChargeCategory, CommitmentDiscountStatus, PricingCategory,
        EffectiveCost::DOUBLE FROM billing ORDER BY ALL"""
    found = taken(lake, sql)
    for row in (
        ("Credit", "Credit", None, None, -20.0),
        ("EdpDiscount", "Credit", None, None, -7.0),
        ("Fee", "Purchase", None, "Standard", 0.0),
        ("Fee", "Purchase", None, "Standard", 29.0),
        ("RIFee", "Purchase", None, "Committed", 0.0),
        ("RIFee", "Usage", "Unused", "Committed", 3.75),
        ("SavingsPlanCoveredUsage", "Usage", "Used", "Committed", 61.4),
        ("SavingsPlanNegation", "Adjustment", None, None, 0.0),
        ("SavingsPlanUpfrontFee", "Purchase", None, "Standard", 0.0),
        ("Tax", "Tax", None, None, 12.5),
        ("Usage", "Usage", None, "Dynamic", 1e-9),
    ):
        assert row in found
    covered = """SELECT Tags, ResourceName, ServiceCategory, SkuPriceDetails ->> '$.InstanceType', PricingQuantity
        FROM billing WHERE ResourceId = 'i-1'"""
    (line,) = taken(lake, covered)
    tags = {"team": "vision", "Name": "gpu-1", "role": "user_admin", "aws_created_by": "x"}
    assert (json.loads(line[0]), *line[1:]) == (tags, "gpu-1", "Compute", "p5.48xlarge", 1.0)
    assert taken(lake, "SELECT sum(PricingQuantity) FROM billing WHERE ServiceName = 'AmazonEC2'") == [(1.0,)]


@pytest.mark.parametrize("names", [("resourceTags/user:Team", "resourceTags/aws:createdBy"),
                                   ("resource_tags_user_Team", "resource_tags_aws:createdBy")])  # fmt: skip
def test_flat_tags_of_an_aws_report_come_together(tmp_path: Path, names: tuple[str, str]) -> None:
    base = dict(CUR[-4])
    rows = [base | {names[0]: "vision", names[1]: "me"}, {**base, "line_item_unblended_cost": "2"}]
    import_files(str(tmp_path / "lake"), [written(tmp_path / "cur.csv", rows)])
    found = taken(tmp_path / "lake", "SELECT Tags FROM billing ORDER BY BilledCost")
    assert (found[0][0], json.loads(found[1][0])) == (None, {"Team": "vision", "aws:createdBy": "me"})


def test_tags_of_an_aws_report_in_parquet_are_a_map(tmp_path: Path) -> None:
    path = tmp_path / "cur.parquet"
    duckdb.execute(f"""COPY (SELECT 0.1::DOUBLE AS line_item_unblended_cost, 'Usage' AS line_item_line_item_type,
        TIMESTAMP '2026-05-01' AS line_item_usage_start_date, TIMESTAMP '2026-05-01 01:00' AS line_item_usage_end_date,
        'USD' AS line_item_currency_code, MAP {{'user_team': 'ads'}} AS resource_tags,
        MAP {{'instance_type': 'p5', 'region': 'us-east-1'}} AS product FROM range(3)) TO '{path}'""")
    import_files(str(tmp_path / "lake"), [path])
    sql = "SELECT sum(BilledCost), any_value(Tags), any_value(SkuPriceDetails), any_value(RegionId) FROM billing"
    assert taken(tmp_path / "lake", sql) == [(Decimal("0.3"), '{"team":"ads"}', '{"InstanceType":"p5"}', "us-east-1")]


def test_aws_lines_whose_cost_is_not_known_are_kept_apart(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    covered = {name: value for name, value in CUR[0].items() if "effective" not in name}
    rows = [covered, CUR[8] | {"line_item_unblended_cost": "$1"}, CUR[8] | {"line_item_line_item_type": ""}, CUR[9]]
    report = import_files(str(lake), [written(tmp_path / "cur.csv", rows)])
    assert (report.kept, report.quarantined) == (1, 3)
    assert report.files[0].sums["BilledCost"]["read"] == "110.820000001"
    problems = " | ".join(row.problem for row in quarantine(str(lake)).rows)
    for words in ("effective_cost is missing", "line_item_unblended_cost $1 is no number", "item_type is missing"):
        assert words in problems
    assert json.loads(quarantine(str(lake)).rows[0].raw).keys() == {name for row in rows for name in row}


def test_a_broken_line_of_a_report_is_kept_apart_once(tmp_path: Path) -> None:
    path = written(tmp_path / "cur.csv", CUR)
    path.write_text(path.read_text() + "one,cell,too,few\n")
    report = import_files(str(tmp_path / "lake"), [path])
    assert (report.kept, report.quarantined) == (len(CUR) + 2, 1)
    assert taken(tmp_path / "lake", "SELECT sum(BilledCost) FROM billing") == [(BILLED,)]


DAY = {"Date": "05/31/2026", "BillingCurrencyCode": "EUR", "MeterCategory": "Virtual Machines", "MeterName": "NC24",
       "BillingPeriodStartDate": "05/01/2026", "BillingPeriodEndDate": "05/31/2026", "UnitOfMeasure": "1 Hour",
       "ResourceId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm-1",
       "Tags": '"team": "ads"', "AdditionalInfo": '{"ServiceType":"Standard_NC24ads_A100_v4"}'}  # fmt: skip
BOTH: tuple[Mapping[str, str], ...] = tuple(DAY | row for row in (
    {"CostInBillingCurrency": "88.123456789012345", "ChargeType": "Usage", "PricingModel": "OnDemand",
     "Quantity": "24"},
    {"CostInBillingCurrency": "20", "ChargeType": "Usage", "PricingModel": "Spot", "Quantity": "24"},
    {"CostInBillingCurrency": "-0.01", "ChargeType": "RoundingAdjustment", "PricingModel": "", "Quantity": "1"},
    {"CostInBillingCurrency": "5", "ChargeType": "Purchase", "PricingModel": "OnDemand", "Quantity": "1"},
))  # fmt: skip
ACTUAL = (*BOTH, *(DAY | row for row in (
    {"CostInBillingCurrency": "0", "ChargeType": "Usage", "PricingModel": "Reservation", "Quantity": "24",
     "ReservationId": "r-1"},
    {"CostInBillingCurrency": "720", "ChargeType": "Purchase", "PricingModel": "Reservation", "Quantity": "1",
     "ReservationId": "r-1"},
    {"CostInBillingCurrency": "-90", "ChargeType": "Refund", "PricingModel": "Reservation", "Quantity": "1",
     "ReservationId": "r-1"},
)))  # fmt: skip
AMORTISED = (*BOTH, *(DAY | row for row in (
    {"CostInBillingCurrency": "19.5", "ChargeType": "Usage", "PricingModel": "Reservation", "Quantity": "24",
     "ReservationId": "r-1"},
    {"CostInBillingCurrency": "4.5", "ChargeType": "UnusedReservation", "PricingModel": "Reservation", "Quantity": "5",
     "ReservationId": "r-1"},
    {"CostInBillingCurrency": "1.25", "ChargeType": "UnusedSavingsPlan", "PricingModel": "SavingsPlan", "Quantity": "1",
     "ReservationId": "sp-1"},
)))  # fmt: skip


def cost_of(rows: Sequence[Mapping[str, str]]) -> Decimal:
    """Return what the rows of Azure's file sum to."""
    return sum((Decimal(row["CostInBillingCurrency"]) for row in rows), Decimal(0))


def camel(name: str) -> str:
    """Return a name of the EA file as the MCA file spells it."""
    return {"BillingCurrencyCode": "billingCurrency"}.get(name, name[0].lower() + name[1:])


@pytest.mark.parametrize("spelled", [str, str.upper, camel])
def test_actual_and_amortised_azure_files_come_in_alone_or_together(
    tmp_path: Path, spelled: Callable[[str], str]
) -> None:
    actual = written(tmp_path / "actual.csv", ACTUAL, spelled)
    amortised = written(tmp_path / "amortised.csv", AMORTISED, spelled)
    for name, paths in (("a", [actual]), ("m", [amortised]), ("am", [actual, amortised]), ("ma", [amortised, actual])):
        report = import_files(str(tmp_path / name), paths)
        assert report.quarantined == 0 and report.files[0].format == "Azure cost details"
        (sums,) = taken(tmp_path / name, "SELECT sum(BilledCost), sum(EffectiveCost) FROM billing")
        billed = cost_of(ACTUAL) if "a" in name else cost_of(BOTH)
        effective = cost_of(AMORTISED) if "m" in name else cost_of(BOTH)
        assert sums == (billed, effective)
        assert report.already == (len(BOTH) if len(paths) == 2 else 0)
    used = "SELECT sum(PricingQuantity) FROM billing WHERE CommitmentDiscountStatus = 'Used'"
    assert taken(tmp_path / "am", used) == [(24.0,)]


def test_azure_rows_are_what_focus_calls_them(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    import_files(str(lake), [written(tmp_path / name, rows) for name, rows in
                             (("actual.csv", ACTUAL), ("amortised.csv", AMORTISED))])  # fmt: skip
    sql = """SELECT BilledCost::DOUBLE, EffectiveCost::DOUBLE, ChargeCategory, PricingCategory,
        CommitmentDiscountStatus, CommitmentDiscountType FROM billing"""
    assert sorted(taken(lake, sql), key=str) == sorted([
        (88.123456789012345, 88.123456789012345, "Usage", "Standard", None, None),
        (20.0, 20.0, "Usage", "Dynamic", None, None),
        (-0.01, -0.01, "Adjustment", None, None, None),
        (5.0, 5.0, "Purchase", "Standard", None, None),
        (0.0, 0.0, "Usage", "Committed", "Used", "Reservation"),
        (720.0, 0.0, "Purchase", "Committed", None, "Reservation"),
        (-90.0, 0.0, "Credit", "Committed", None, "Reservation"),
        (0.0, 19.5, "Usage", "Committed", "Used", "Reservation"),
        (0.0, 4.5, "Usage", "Committed", "Unused", "Reservation"),
        (0.0, 1.25, "Usage", "Committed", "Unused", "Savings Plan"),
    ], key=str)  # fmt: skip
    one = """SELECT DISTINCT ChargePeriodStart::VARCHAR, ChargePeriodEnd::VARCHAR, BillingPeriodEnd::VARCHAR, Tags,
        ResourceName, BillingCurrency, ServiceCategory, SkuPriceDetails ->> '$.InstanceType' FROM billing"""
    assert taken(lake, one) == [
        ("2026-05-31 00:00:00", "2026-06-01 00:00:00", "2026-06-01 00:00:00", '{"team": "ads"}', "vm-1", "EUR",
         "Compute", "Standard_NC24ads_A100_v4")
    ]  # fmt: skip


def test_tags_that_are_no_json_are_kept_but_not_as_tags(tmp_path: Path) -> None:
    rows = [BOTH[0] | {"Tags": 'team: "ads'}, BOTH[1] | {"Tags": '{"team": "ads"}'}, BOTH[2] | {"Tags": ""}]
    import_files(str(tmp_path / "lake"), [written(tmp_path / "azure.csv", rows)])
    found = taken(tmp_path / "lake", "SELECT Tags, x_extras ->> '$.tags' FROM billing ORDER BY BilledCost DESC")
    assert found == [(None, '{team: "ads}'), ('{"team": "ads"}', None), (None, None)]


def test_a_bill_whose_tags_are_no_json_is_kept_and_can_be_allocated(tmp_path: Path, bill: Bill) -> None:
    rows = [charge("1", tags="{team: ads}"), charge("2", tags='{"team": "ads"}'), charge("4")]
    import_files(str(tmp_path / "lake"), [bill("a.csv", rows)])
    found = taken(tmp_path / "lake", "SELECT Tags, x_extras FROM billing ORDER BY BilledCost")
    assert found == [(None, '{"Tags":"{team: ads}"}'), ('{"team": "ads"}', None), (None, None)]
    result = allocate(AllocateRequest(str(tmp_path / "lake"), "team"))
    assert {row["team"]: Decimal(row["cost_usd"]) for row in result.rows} == {"ads": 2, "(unknown)": 5, "(idle)": 0}
