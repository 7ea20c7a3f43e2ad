"""Google Cloud's billing export becomes FOCUS: the sum is cost and all credits, whatever form it came in."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from groundplan.finops.lake.lake import Lake
from groundplan.tasks.finops.lake import import_files, quarantine


def row(cost: Any, sku: str = "Nvidia H100 80GB GPU running in Americas", **more: Any) -> dict[str, Any]:
    """Return a row of the detailed export."""
    return {
        "billing_account_id": "01AB-CD", "service": {"id": "6F81-5844-456A", "description": "Compute Engine"},
        "sku": {"id": "0001", "description": sku}, "usage_start_time": "2026-05-01 00:00:00 UTC",
        "usage_end_time": "2026-05-01 01:00:00 UTC",
        "project": {"id": "ml", "name": "ML", "number": "7", "labels": [{"key": "team", "value": "platform"}]},
        "labels": [], "system_labels": [{"key": "compute.googleapis.com/machine_spec", "value": "a3-highgpu-8g"}],
        "location": {"location": "us-central1", "country": "US", "region": "us-central1", "zone": "us-central1-a"},
        "cost": cost, "currency": "USD", "currency_conversion_rate": 1.0,
        "usage": {"amount": 3600.0, "unit": "seconds", "amount_in_pricing_units": 1.0, "pricing_unit": "hour"},
        "credits": [], "invoice": {"month": "202605"}, "cost_type": "regular",
        "resource": {"name": "gpu-1", "global_name": "//compute.googleapis.com/projects/7/zones/a/instances/1"},
    } | more  # fmt: skip


def credit(amount: Any, kind: str | None, name: str) -> dict[str, Any]:
    """Return a credit of a row."""
    return {"name": name, "amount": amount, "full_name": f"{name} in full", "id": name.lower(), "type": kind}


ROWS = [
    row(88.1, labels=[{"key": "team", "value": "vision"}, {"key": "env", "value": 'a"b'}], cost_at_list=98.1,
        credits=[credit(-8.1, "SUSTAINED_USAGE_DISCOUNT", "Sustained"), credit(-30.000000001, "PROMOTION", "Startup")]),
    row(10, credits=[credit(-10, "COMMITTED_USAGE_DISCOUNT", "CUD")]),
    row(6.5, "Commitment v1: H100 in Americas for 1 Year", resource=None),
    row(1.5, "Spot Preemptible A3 core", credits=[credit(-0.5, None, "Free Trial"),
                                                     credit(-0.25, None, "Spot discount")]),
    row(2.25, "Tax", cost_type="tax", resource=None, credits=None),
    row(-4, "Adjustment", cost_type="adjustment", adjustment_info={"id": "a1", "description": "goodwill"}),
    row(-1e-06, "Rounding error", cost_type="rounding_error"),
]  # fmt: skip
TOTAL = sum(Decimal(str(one["cost"])) for one in ROWS) + sum(
    Decimal(str(given["amount"])) for one in ROWS for given in one["credits"] or []
)


def taken(lake: Path, sql: str) -> list[tuple[Any, ...]]:
    """Return what a query finds in a lake."""
    found: list[tuple[Any, ...]] = Lake(str(lake)).connect().execute(sql).fetchall()
    return found


def json_lines(path: Path) -> Path:
    """Write the rows as BigQuery's JSON export."""
    path.write_text("".join(json.dumps(one) + "\n" for one in ROWS))
    return path


def in_form(folder: Path, form: str) -> Path:
    """Write the rows in a form: lines, an array, nested Parquet, or CSV with flat columns."""
    lines, path = json_lines(folder / "lines.json"), folder / f"gcp.{form}"
    if form == "array":
        path.write_text(json.dumps([{key: str(value) if key == "cost" else value for key, value in one.items()}
                                    for one in ROWS], indent=1))  # fmt: skip
    elif form == "parquet":
        duckdb.execute(f"COPY (SELECT * FROM read_json('{lines}', format = 'nd')) TO '{path}' (FORMAT parquet)")
    elif form == "csv":
        flat = """billing_account_id, service.id AS "service.id", service.description AS "service.description",
            sku.id AS "sku.id", sku.description AS sku_description, usage_start_time, usage_end_time,
            project.id AS "project.id", project.name AS "project.name", to_json(project.labels) AS "project.labels",
            to_json(labels) AS labels, to_json(system_labels) AS system_labels, to_json(location) AS location, cost,
            cost_at_list, currency, to_json(usage) AS usage, to_json(credits) AS credits,
            invoice.month AS "invoice.month", cost_type, to_json(adjustment_info) AS adjustment_info,
            resource.name AS "resource.name", resource.global_name AS "resource.global_name" """
        duckdb.execute(f"COPY (SELECT {flat} FROM read_json('{lines}', format = 'nd')) TO '{path}' (FORMAT csv)")
    return lines if form == "lines" else path


@pytest.mark.parametrize("form", ["lines", "array", "parquet", "csv"])
def test_the_bill_is_cost_and_credits_in_every_form(tmp_path: Path, form: str) -> None:
    report = import_files(str(tmp_path / "lake"), [in_form(tmp_path, form)])
    assert report.files[0].format == "Google Cloud billing export"
    assert (report.kept, report.quarantined) == (len(ROWS) + 2, 0)  # two grants
    assert taken(tmp_path / "lake", "SELECT sum(BilledCost), sum(EffectiveCost) FROM billing") == [(TOTAL, TOTAL)]


def test_one_export_in_two_forms_counts_once(tmp_path: Path) -> None:
    report = import_files(str(tmp_path / "lake"), [in_form(tmp_path, form) for form in ("lines", "parquet", "csv")])
    assert (report.kept, report.already) == (len(ROWS) + 2, 2 * (len(ROWS) + 2))


def test_rows_are_what_focus_calls_them(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    import_files(str(lake), [in_form(tmp_path, "lines")])
    sql = """SELECT BilledCost::DOUBLE, ChargeCategory, PricingCategory, ChargeClass, ChargeDescription, PricingQuantity
        FROM billing ORDER BY BilledCost"""
    gpu = "Nvidia H100 80GB GPU running in Americas"
    assert taken(lake, sql) == [
        (-30.000000001, "Credit", None, None, "Startup in full", None),
        (-4.0, "Adjustment", None, "Correction", "goodwill", 1.0),
        (-0.5, "Credit", None, None, "Free Trial in full", None),
        (-1e-06, "Adjustment", None, None, "Rounding error", 1.0),
        (0.0, "Usage", "Committed", None, gpu, 1.0),
        (1.25, "Usage", "Dynamic", None, "Spot Preemptible A3 core", 1.0),
        (2.25, "Tax", None, None, "Tax", 1.0),
        (6.5, "Purchase", "Committed", None, "Commitment v1: H100 in Americas for 1 Year", 1.0),
        (80.0, "Usage", "Standard", None, gpu, 1.0),
    ]
    one = """SELECT Tags, ResourceName, SubAccountId, ServiceCategory, SkuPriceDetails ->> '$.InstanceType',
        ChargePeriodEnd::VARCHAR, BillingPeriodEnd::VARCHAR, ListCost::DOUBLE, ContractedCost::DOUBLE, RegionId,
        x_extras ->> '$.credits[0].type' FROM billing WHERE BilledCost = 80"""
    ((tags, *rest),) = taken(lake, one)
    assert json.loads(tags) == {"team": "vision", "env": 'a"b'}
    assert rest == ["gpu-1", "ml", "Compute", "a3-highgpu-8g", "2026-05-01 01:00:00", "2026-06-01 00:00:00", 98.1, 88.1,
                    "us-central1", "SUSTAINED_USAGE_DISCOUNT"]  # fmt: skip
    assert taken(lake, "SELECT DISTINCT Tags FROM billing WHERE ChargeCategory = 'Tax'") == [('{"team":"platform"}',)]


def test_lines_that_cannot_be_read_are_kept_apart(tmp_path: Path) -> None:
    path = json_lines(tmp_path / "gcp.json")
    bad = [row("twelve"), row(1, credits=[credit("half", "PROMOTION", "x")]), row(1, usage_end_time=None)]
    path.write_text(path.read_text() + "".join(json.dumps(one) + "\n" for one in bad) + '{"cost": 1, "cur\n')
    report = import_files(str(tmp_path / "lake"), [path])
    assert (report.kept, report.quarantined) == (len(ROWS) + 2, 4)
    problems = " | ".join(one.problem for one in quarantine(str(tmp_path / "lake")).rows)
    for words in ("cost twelve is no number", "amount of a credit", "ChargePeriodEnd is missing", "no JSON"):
        assert words in problems
    assert taken(tmp_path / "lake", "SELECT sum(BilledCost) FROM billing") == [(TOTAL,)]
