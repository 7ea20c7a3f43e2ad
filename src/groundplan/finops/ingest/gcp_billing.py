"""Google Cloud billing exports, standard and detailed: JSON lines or array, Parquet, or CSV with flat columns.

- **BilledCost** of a row is its cost with the discounts among its credits (committed and sustained use, free tier,
  other discounts): FOCUS calls that billed, inclusive of reduced rates. Credits that are grants (promotions, trials)
  are no discount of a rate: in FOCUS they are charges of the category Credit, so each becomes a row of its own, with
  the labels and the resource of its usage. All rows sum to cost + all credits, which is what is invoiced.
- **EffectiveCost** is the same. The export does not say which usage a committed-use fee paid for, so the fee stays
  where it is, as a recurring purchase, and the usage it covers costs what is left of it.
- **ListCost** is `cost_at_list`, **ContractedCost** the cost before credits.
"""

from __future__ import annotations

from typing import Any

from groundplan.finops.ingest.bills import charges, first_named, object_of, stage_bill, text_of
from groundplan.finops.ingest.head import Head
from groundplan.finops.ingest.importer import Importer
from groundplan.finops.ingest.staging import stage_table
from groundplan.finops.lake.engine import literal, quoted

MARKS = ("billing_account_id", "usage_start_time", "cost", "currency")
LINE_BYTES = 1 << 24
# Cell -> its path in a row of the export.
PATHS = {
    "account": "billing_account_id",
    "service": "service.description",
    "service_id": "service.id",
    "sku": "sku.description",
    "sku_id": "sku.id",
    "usage_start": "usage_start_time",
    "usage_end": "usage_end_time",
    "project": "project.id",
    "project_name": "project.name",
    "project_labels": "project.labels",
    "labels": "labels",
    "tags": "tags",
    "system_labels": "system_labels",
    "region": "location.region",
    "place": "location.location",
    "zone": "location.zone",
    "cost": "cost",
    "list_cost": "cost_at_list",
    "currency": "currency",
    "consumed": "usage.amount",
    "consumed_unit": "usage.unit",
    "quantity": "usage.amount_in_pricing_units",
    "unit": "usage.pricing_unit",
    "price": "price.effective_price",
    "list_price": "price.list_price",
    "credits": "credits",
    "month": "invoice.month",
    "cost_type": "cost_type",
    "adjustment": "adjustment_info.id",
    "adjustment_words": "adjustment_info.description",
    "resource": "resource.global_name",
    "resource_name": "resource.name",
    "seller": "seller_name",
    "transaction": "transaction_type",
    "subscription": "subscription.instance_id",
    "consumption_model": "consumption_model.description",
}
CHECKED = {
    "cost": "money",
    "list_cost": "money",
    "consumed": "number",
    "quantity": "number",
    "usage_start": "time",
    "usage_end": "time",
}
EXTRAS = ("service_id", "transaction", "subscription", "consumption_model")


def _recognises(head: Head) -> bool:
    if head.form == "json":
        return all(f'"{mark}"' in head.start for mark in MARKS)
    return head.has(*MARKS)


def _selects(connection: Any, head: Head) -> dict[str, str]:
    if head.form == "json":
        _stage_json(connection, head)
        texts = {cell: f"nullif(trim(cells[{place}]), '')" for place, cell in enumerate(PATHS, 1)}
        texts["is_whole"] = "is_whole"
    else:
        stage_table(connection, head)
        texts = {cell: _table_cell(head, path) for cell, path in PATHS.items()} | {"is_whole": "TRUE"}
    stage_bill(connection, texts, object_of({cell: texts[cell] for cell in EXTRAS}), "raw")
    return charges(connection, "gcp_billing", "Google Cloud", CHECKED)


def _stage_json(connection: Any, head: Head) -> None:
    """Make the view `raw` of a JSON file: a row's text, and its cells in the order of `PATHS`."""
    path = literal(str(head.path))
    if head.start.lstrip().startswith("["):
        lines = f"SELECT CAST(json AS VARCHAR) AS line FROM read_json_objects({path}, format = 'array')"
    else:
        shape = "columns = {'line': 'VARCHAR'}, header = false, auto_detect = false, null_padding = false"
        marks = r"delim = '\x1F', quote = '', escape = ''"  # JSON has no such character outside an escape
        lines = f"SELECT line FROM read_csv({path}, {shape}, {marks}, max_line_size = {LINE_BYTES})"
    paths = ", ".join(literal(f"$.{path}") for path in PATHS.values())
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW raw AS SELECT line AS raw, json_valid(line) AS is_whole, "
        f"json_extract_string(CASE WHEN json_valid(line) THEN line END, [{paths}]) AS cells "
        f"FROM ({lines}) WHERE trim(line) <> ''"
    )


def _table_cell(head: Head, path: str) -> str:
    """Return the SQL of a cell in a table: a column named for its path, or a part of a nested one."""
    flat = first_named(head.columns, path, path.replace(".", "_"))
    whole, _, part = path.partition(".")
    if not part or whole not in head.columns:
        return flat
    nested = text_of(quoted(whole), head.columns[whole])
    known = f"CASE WHEN json_valid({nested}) THEN {nested} END"
    return f"coalesce({flat}, json_extract_string({known}, {literal('$.' + part)}))"


GCP_BILLING = Importer("Google Cloud billing export", _recognises, _selects)
