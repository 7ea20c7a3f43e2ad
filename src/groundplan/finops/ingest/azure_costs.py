"""Azure cost details: EA and MCA, actual and amortised, in either spelling of their columns.

Both kinds of file are read row by row by one rule, so that either or both can be imported:

- What a reservation or savings plan covers, and what nobody used of it, was not billed: **BilledCost** is 0,
  **EffectiveCost** is the cost that the amortised file says. The actual file says 0.
- Its purchase or refund was billed: **BilledCost** is the cost, **EffectiveCost** 0. The amortised file has none.
- Every other row is in both files alike, both costs are its cost, and the lake takes it once.

So the actual file alone has the exact bill, the amortised file alone the exact effective cost, both have both.
Quantities of covered usage are those of the amortised file.
"""

from __future__ import annotations

from typing import Any

from groundplan.finops.ingest.bills import charges, first_named, object_of, rest, stage_bill
from groundplan.finops.ingest.head import Head
from groundplan.finops.ingest.importer import Importer
from groundplan.finops.ingest.staging import stage_table

# Cell -> names it goes by in EA and MCA files, old and new; in any case.
NAMES = {
    "cost": ("costInBillingCurrency", "cost", "preTaxCost", "extendedCost"),
    "currency": ("billingCurrency", "billingCurrencyCode", "currency", "currencyCode"),
    "day": ("date", "usageDateTime", "usageDate"),
    "kind": ("chargeType",),
    "model": ("pricingModel",),
    "meter_category": ("meterCategory",),
    "meter_sub_category": ("meterSubCategory", "meterSubcategory"),
    "meter_id": ("meterId",),
    "meter_name": ("meterName", "meter"),
    "list_cost": ("paygCostInBillingCurrency",),
    "list_price": ("payGPrice", "retailPrice"),
    "unit_price": ("unitPrice", "resourceRate"),
    "quantity": ("quantity", "usageQuantity", "consumedQuantity"),
    "unit": ("unitOfMeasure",),
    "frequency": ("frequency",),
    "period_start": ("billingPeriodStartDate",),
    "period_end": ("billingPeriodEndDate",),
    "account": ("billingAccountId", "billingAccountNumber"),
    "account_name": ("billingAccountName",),
    "subscription": ("subscriptionId", "subscriptionGuid"),
    "subscription_name": ("subscriptionName",),
    "invoice": ("invoiceId",),
    "publisher": ("publisherName",),
    "product": ("productName", "product"),
    "resource": ("resourceId", "instanceId", "instanceName"),
    "resource_name": ("resourceName",),
    "resource_type": ("resourceType",),
    "region": ("resourceLocation", "location"),
    "zone": ("availabilityZone",),
    "benefit": ("benefitId", "reservationId"),
    "benefit_name": ("benefitName", "reservationName"),
    "tags": ("tags",),
    "details": ("additionalInfo",),
}
CHECKED = {
    "cost": "money",
    "list_cost": "money",
    "quantity": "number",
    "unit_price": "number",
    "list_price": "number",
    "day": "time",
    "period_start": "time",
    "period_end": "time",
}
NEEDED = ("cost", "currency", "day", "meter_category")


def _recognises(head: Head) -> bool:
    known = {name.lower() for name in head.columns}
    return all(known & {name.lower() for name in NAMES[cell]} for cell in NEEDED)


def _selects(connection: Any, head: Head) -> dict[str, str]:
    stage_table(connection, head)
    texts = {cell: first_named(head.columns, *names) for cell, names in NAMES.items()}
    used = [name for cell, names in NAMES.items() if cell != "details" for name in names]
    extras = {name.lower(): sql for name, sql in rest(head.columns, used).items()}
    stage_bill(connection, texts, object_of(extras))
    return charges(connection, "azure_costs", "Microsoft", CHECKED)


AZURE_COSTS = Importer("Azure cost details", _recognises, _selects)
