"""Price lists in the schema that OpenCost reads: nodes and GPUs at a price an hour, and the day until which it held."""

from __future__ import annotations

from typing import Any

from groundplan.finops.ingest.head import Head
from groundplan.finops.ingest.importer import Importer
from groundplan.finops.ingest.staging import cell, select_rows, stage_table, unreadable
from groundplan.finops.lake.datasets import datasets
from groundplan.finops.lake.engine import literal

MARKS = ("EndTimestamp", "InstanceID", "AssetClass", "MarketPriceHourly")


def _selects(connection: Any, head: Head) -> dict[str, str]:
    stage_table(connection, head)
    price = cell("MarketPriceHourly", "money", head.columns["MarketPriceHourly"])
    columns = {
        "provider": "'opencost'",
        "region": '"Region"' if head.has("Region") else "NULL",
        "instance": 'coalesce("InstanceType", "InstanceID")' if head.has("InstanceType") else '"InstanceID"',
        "accelerator": 'CASE WHEN "AssetClass" = \'gpu\' THEN "InstanceID" END',
        "accelerators": "CASE WHEN \"AssetClass\" = 'gpu' THEN 1 END",
        "on_demand_usd_per_hour": price,
        "date": cell("EndTimestamp", "time", head.columns["EndTimestamp"]),
        "source": literal(head.path.name),
    }
    problems = [
        unreadable("EndTimestamp", "time", head.columns["EndTimestamp"]),
        unreadable("MarketPriceHourly", "money", head.columns["MarketPriceHourly"]),
        (f"{price} IS NULL", literal("MarketPriceHourly is missing")),
        (f"{price} < 0", literal("MarketPriceHourly is negative")),
    ]
    return {"prices": select_rows(datasets()["prices"], columns, problems)}


OPENCOST_PRICES = Importer("OpenCost price list", lambda head: head.has(*MARKS), _selects)
