"""The bill of the world: FOCUS 1.2 charges in whole micro-dollars, and what they are, for the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from groundplan.finops.world.fleet import COMMITTED, GPUS_PER_NODE, ON_DEMAND, SPOT, START, Node, Team, WorldSize
from groundplan.finops.world.shifts import Shift

MICRO = 1_000_000
UNUSED_PERCENT = 2  # of the commitment nobody uses
SUPPORT_PERCENT = 3
COLUMNS = (
    "BillingAccountId", "BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency", "BilledCost", "EffectiveCost", "ListCost",
    "ContractedCost", "BillingCurrency", "ProviderName", "PublisherName", "InvoiceIssuerName", "ServiceName",
    "ServiceCategory", "SkuId", "SkuPriceDetails", "ResourceId", "ResourceName", "ResourceType", "RegionId",
    "PricingCategory", "PricingQuantity", "PricingUnit", "ListUnitPrice", "ContractedUnitPrice", "ConsumedQuantity",
    "ConsumedUnit", "CommitmentDiscountId", "CommitmentDiscountStatus", "CommitmentDiscountType", "Tags",
)  # fmt: skip
COMPUTE = ("Amazon Elastic Compute Cloud", "Compute")
COMMITMENT = "arn:aws:savingsplans::world:savingsplan/gpu"
# Services that teams use: (name, category, SKU, unit, price, quantity a day of a team of usual size, day-to-day noise)
SERVICES = {
    "objects": ("Amazon Simple Storage Service", "Storage", "s3-standard", "GB-Mo", 0.023, 9_000.0, 0.01),
    "disks": ("Amazon Elastic Block Store", "Storage", "ebs-gp3", "GB-Mo", 0.08, 900.0, 0.02),
    "transfer": ("AWS Data Transfer", "Networking", "data-out", "GB", 0.09, 1_500.0, 0.07),
    "tokens": ("Amazon Bedrock", "AI and Machine Learning", "output-tokens", "1M tokens", 15.0, 22.0, 0.06),
    "cpus": ("Amazon Elastic Compute Cloud", "Compute", "m7i.4xlarge", "Hours", 0.8064, 90.0, 0.05),
}
STRAY, STRAY_USD_PER_HOUR = "g5.12xlarge", 5.672  # what somebody starts and forgets
WEEKEND = {"objects": 1.0, "disks": 1.0, "transfer": 0.7, "tokens": 0.55, "cpus": 0.6}


@dataclass(frozen=True, slots=True)
class Charge:
    """One row of the bill; amounts in micro-dollars. `owner` is the team, or why there is none."""

    cells: dict[str, Any]
    billed: int
    effective: int
    owner: str

    def row(self) -> list[Any]:
        """Return the cells in the order of `COLUMNS`."""
        amounts = {"BilledCost": _usd(self.billed), "EffectiveCost": _usd(self.effective)}
        return [(self.cells | amounts).get(name, "") for name in COLUMNS]


NODE, SHARED, UNKNOWN, UNUSED = "node", "shared", "unknown", "unused commitment"


def node_rate(node: Node, day: int, shifts: tuple[Shift, ...]) -> tuple[int, str]:
    """Return what a node costs an hour on a day, in micro-dollars, and how it is bought that day."""
    purchase, usd = node.purchase, node.usd_per_hour
    for shift in shifts:
        if not shift.first <= day < shift.after:
            continue
        if shift.where == "a100" and purchase == ON_DEMAND:
            usd *= shift.size
        if shift.where == "commitment" and purchase == COMMITTED and int(node.name[-4:]) % 10 < shift.size * 10:
            purchase, usd = ON_DEMAND, node.kind.on_demand_usd_per_hour * node.gpus / GPUS_PER_NODE
    return round(usd * MICRO), purchase


def charges_of(
    size: WorldSize, nodes: tuple[Node, ...], teams: tuple[Team, ...], shifts: tuple[Shift, ...]
) -> Iterator[Charge]:
    """Yield the bill day by day: machines by the hour, services by the day, what is shared, credits and tax."""
    rng = size.stream("bill")
    scale = {team.name: team.weight * len(teams) for team in teams}
    month_total = 0
    for day in range(size.days):
        today = START + timedelta(days=day)
        live = tuple(shift for shift in shifts if shift.first <= day < shift.after)
        of_day = [*_machines(nodes, day, today, live), *_services(rng, size, teams, scale, day, today, live)]
        of_day += _stray(day, today, shifts)
        month_total += sum(charge.effective for charge in of_day)
        if (today + timedelta(days=1)).day == 1 or day == size.days - 1:
            of_day += _month_end(today, month_total)
            month_total = 0
        yield from of_day


def _machines(nodes: tuple[Node, ...], day: int, today: datetime, live: tuple[Shift, ...]) -> Iterator[Charge]:
    committed = 0
    for node in nodes:
        rate, purchase = node_rate(node, day, live)
        cells = _cells(COMPUTE, node.kind.name, today) | _usage(1, "Hours", rate / MICRO, rate)
        at_list = max(rate, round(node.kind.on_demand_usd_per_hour * node.gpus / GPUS_PER_NODE * MICRO))
        cells |= {
            "ListUnitPrice": at_list / MICRO,
            "ListCost": _usd(at_list),
            "ResourceId": node.instance,
            "ResourceName": node.name,
            "ResourceType": "Instance",
            "Tags": json.dumps({"cluster": "gpu"}),
            "SkuPriceDetails": json.dumps({"InstanceType": node.kind.name}),
            "PricingCategory": {ON_DEMAND: "Standard", COMMITTED: "Committed", SPOT: "Dynamic"}[purchase],
            "ChargeDescription": f"{node.kind.name} {purchase.replace('_', ' ')}",
        }
        if purchase == COMMITTED:
            committed += rate * 24
            cells |= _commitment("Used")
        for hour in range(24):
            at = today + timedelta(hours=hour)
            period = {"ChargePeriodStart": _time(at), "ChargePeriodEnd": _time(at + timedelta(hours=1))}
            yield Charge(cells | period, 0 if purchase == COMMITTED else rate, rate, NODE)
    if committed:
        unused = committed * UNUSED_PERCENT // 100
        cells = _cells(COMPUTE, "savings-plan", today) | {"PricingCategory": "Committed"}
        left = cells | _commitment("Unused") | {"ChargeCategory": "Usage", "ChargeFrequency": "Recurring"}
        left["ChargeDescription"] = "commitment not used"
        yield Charge(left, 0, unused, UNUSED)
        bought = cells | {
            "ChargeCategory": "Purchase",
            "ChargeFrequency": "Recurring",
            "CommitmentDiscountId": COMMITMENT,
        }
        bought |= {"ResourceId": COMMITMENT, "ChargeDescription": "savings plan, no upfront"}
        yield Charge(bought, committed + unused, 0, SHARED)


def _services(
    rng: np.random.Generator,
    size: WorldSize,
    teams: tuple[Team, ...],
    scale: dict[str, float],
    day: int,
    today: datetime,
    live: tuple[Shift, ...],
) -> Iterator[Charge]:
    fleet = size.gpus / 512
    for team in teams:
        for key, (name, category, sku, unit, price, usual, noise) in SERVICES.items():
            quantity = usual * fleet * scale[team.name] * (1 + 0.0015 * day) * float(rng.lognormal(0.0, noise))
            quantity *= WEEKEND[key] if today.weekday() >= 5 else 1.0
            for shift in live:
                quantity *= shift.size if (shift.where, shift.team) == (key, team.name) else 1.0
            quantity = round(quantity / (30 if unit == "GB-Mo" else 1), 4)
            amount = round(quantity * price * MICRO)
            tagged = rng.random() > 0.01
            tags = {"team": team.name, "project": f"{team.name}-{key}"} if tagged else {}
            cells = _cells((name, category), sku, today) | _usage(quantity, unit, price, amount)
            cells |= {
                "ResourceId": f"{key}-{team.name}",
                "ResourceName": f"{key}-{team.name}",
                "Tags": json.dumps(tags) if tags else "",
                "ChargeDescription": f"{sku} of {team.name}",
            }
            yield Charge(cells, amount, amount, team.name if tagged else UNKNOWN)


def _stray(day: int, today: datetime, shifts: tuple[Shift, ...]) -> Iterator[Charge]:
    """Yield the hours of machines that somebody started and nobody owns."""
    for number, shift in enumerate(shifts):
        if shift.where != "stray" or not shift.first <= day < shift.after:
            continue
        for index in range(int(shift.size)):
            amount = round(24 * STRAY_USD_PER_HOUR * MICRO)
            cells = _cells(COMPUTE, STRAY, today) | _usage(24, "Hours", STRAY_USD_PER_HOUR, amount)
            cells |= {
                "ResourceId": f"i-stray{number:03}{index:03}",
                "ResourceName": f"tmp-{number}-{index}",
                "SkuPriceDetails": json.dumps({"InstanceType": STRAY}),
                "ChargeDescription": f"{STRAY} on demand",
            }
            yield Charge(cells, amount, amount, UNKNOWN)


def _month_end(today: datetime, month_total: int) -> Iterator[Charge]:
    """Yield what comes once a month and belongs to everybody: support, a credit, tax."""
    parts = (
        ("AWS Support", "Usage", "support of the month", month_total * SUPPORT_PERCENT // 100),
        ("AWS Credits", "Credit", "promotional credit", -(month_total // 200)),
        ("Tax", "Tax", "sales tax", month_total // 50),
    )
    for name, category, words, amount in parts:
        cells = _cells((name, "Management and Governance"), name.lower().replace(" ", "-"), today)
        cells |= {"ChargeCategory": category, "ChargeFrequency": "One-Time", "ChargeDescription": words}
        yield Charge(cells, amount, amount, SHARED)


def _cells(service: tuple[str, str], sku: str, today: datetime) -> dict[str, Any]:
    month = today.replace(day=1)
    return {
        "BillingAccountId": "100000000001", "BillingPeriodStart": _time(month),
        "BillingPeriodEnd": _time((month + timedelta(days=32)).replace(day=1)), "ChargePeriodStart": _time(today),
        "ChargePeriodEnd": _time(today + timedelta(days=1)), "BillingCurrency": "USD", "ProviderName": "AWS",
        "PublisherName": "AWS", "InvoiceIssuerName": "Amazon Web Services, Inc.", "ServiceName": service[0],
        "ServiceCategory": service[1], "SkuId": sku, "RegionId": "us-east-1",
    }  # fmt: skip


def _usage(quantity: float, unit: str, price: float, amount: int) -> dict[str, Any]:
    """Return the cells of an amount used at a price."""
    return {
        "ChargeCategory": "Usage", "ChargeFrequency": "Usage-Based", "PricingCategory": "Standard",
        "PricingQuantity": quantity, "PricingUnit": unit, "ConsumedQuantity": quantity, "ConsumedUnit": unit,
        "ListUnitPrice": price, "ContractedUnitPrice": price, "ListCost": _usd(amount), "ContractedCost": _usd(amount),
    }  # fmt: skip


def _commitment(status: str) -> dict[str, str]:
    return {
        "CommitmentDiscountId": COMMITMENT,
        "CommitmentDiscountStatus": status,
        "CommitmentDiscountType": "Savings Plan",
    }


def _usd(micro: int) -> str:
    return f"{'-' if micro < 0 else ''}{abs(micro) // MICRO}.{abs(micro) % MICRO:06}"


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
