"""AWS cost and usage reports: CUR 2.0 as CSV or Parquet, and the legacy report under either of its spellings.

Names are brought to those of CUR 2.0 first: `lineItem/UnblendedCost` is `line_item_unblended_cost`. Then:

- **BilledCost** is the unblended cost of every line, so that the bill adds up as AWS adds it up. Usage that a savings
  plan covers is there at its price on demand, and a `SavingsPlanNegation` takes it off again.
- **EffectiveCost** is the cost after amortisation: covered usage at what the commitment pays for it, its negation at
  nothing, upfront and recurring fees at nothing, and what nobody used of a commitment as a charge of its own.
- A fee (`RIFee`, `SavingsPlanRecurringFee`) whose commitment was not all used therefore gives two charges: the
  purchase, billed and without effect; and the unused part, `Unused`, not billed and with effect.
- **ListCost** is the public cost on demand.
"""

from __future__ import annotations

import re
from typing import Any

from groundplan.finops.ingest.bills import charges, first_named, object_of, rest, stage_bill, text_of
from groundplan.finops.ingest.head import Head
from groundplan.finops.ingest.importer import Importer
from groundplan.finops.ingest.staging import stage_table
from groundplan.finops.lake.engine import quoted

MARKS = ("line_item_unblended_cost", "line_item_usage_start_date", "line_item_line_item_type")
# Cells that the query reads, by their name in CUR 2.0.
MONEY = (
    "line_item_unblended_cost",
    "pricing_public_on_demand_cost",
    "reservation_effective_cost",
    "reservation_unused_amortized_upfront_fee_for_billing_period",
    "reservation_unused_recurring_fee",
    "savings_plan_savings_plan_effective_cost",
    "savings_plan_total_commitment_to_date",
    "savings_plan_used_commitment",
)
NUMBERS = (
    "line_item_usage_amount",
    "line_item_unblended_rate",
    "pricing_public_on_demand_rate",
    "reservation_unused_quantity",
)
TIMES = (
    "line_item_usage_start_date",
    "line_item_usage_end_date",
    "bill_billing_period_start_date",
    "bill_billing_period_end_date",
)
TEXTS = (
    "bill_invoice_id",
    "bill_payer_account_id",
    "bill_payer_account_name",
    "line_item_availability_zone",
    "line_item_currency_code",
    "line_item_legal_entity",
    "line_item_line_item_description",
    "line_item_line_item_type",
    "line_item_product_code",
    "line_item_resource_id",
    "line_item_usage_account_id",
    "line_item_usage_account_name",
    "line_item_usage_type",
    "pricing_rate_code",
    "pricing_term",
    "pricing_unit",
    "product",
    "product_instance_type",
    "product_region",
    "product_region_code",
    "product_sku",
    "reservation_reservation_a_r_n",
    "savings_plan_offering_type",
    "savings_plan_savings_plan_a_r_n",
)
# Names of lines and of the hours asked for differ from one export of a month to the next.
UNTOLD = ("identity_line_item_id", "identity_time_interval")
_TAG = re.compile(r"^resource_?tags[/_](.+)$", re.IGNORECASE)


def plain_name(name: str) -> str:
    """Return a column's name as CUR 2.0 spells it.

    >>> plain_name("lineItem/UnblendedCost"), plain_name("savingsPlan/SavingsPlanARN")
    ('line_item_unblended_cost', 'savings_plan_savings_plan_a_r_n')
    """
    if "/" not in name:
        return name.lower()
    parts = (re.sub(r"(?<!^)([A-Z])", r"_\1", part) for part in name.split("/", 1))
    return "_".join(parts).lower()


def _recognises(head: Head) -> bool:
    return set(MARKS) <= {plain_name(name) for name in head.columns}


def _selects(connection: Any, head: Head) -> dict[str, str]:
    stage_table(connection, head)
    flat = {name: found[1] for name in head.columns if (found := _TAG.match(name)) and name.lower() != "resource_tags"}
    plain = {plain_name(name): name for name in head.columns if name not in flat}
    names = (*MONEY, *NUMBERS, *TIMES, *TEXTS)
    texts = {name: first_named(head.columns, plain.get(name, name)) for name in names}
    texts["map_tags"] = first_named(head.columns, "resource_tags")
    texts["flat_tags"] = object_of({_key(key): text_of(quoted(name), head.columns[name]) for name, key in flat.items()})
    used = {plain.get(name, name) for name in (*names, *UNTOLD, "resource_tags")} | set(flat)
    extras = {plain_name(name): sql for name, sql in rest(head.columns, used).items()}
    kind = first_named(head.columns, plain["line_item_line_item_type"])
    stage_bill(connection, texts, object_of({"line_item_type": kind} | extras))
    checked = dict.fromkeys(MONEY, "money") | dict.fromkeys(NUMBERS, "number") | dict.fromkeys(TIMES, "time")
    return charges(connection, "aws_cur", "AWS", checked)


def _key(key: str) -> str:
    """Return a tag's key without the mark that a user set it.

    >>> _key("user:Team"), _key("user_team"), _key("aws:createdBy")
    ('Team', 'team', 'aws:createdBy')
    """
    return re.sub(r"^user[:_]", "", key)


AWS_CUR = Importer("AWS cost and usage report", _recognises, _selects)
