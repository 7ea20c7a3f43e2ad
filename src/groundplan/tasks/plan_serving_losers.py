"""What a serving plan says of what lost: which deployments are nearest to the limits, why each accelerator lost."""

from __future__ import annotations

import math
from collections.abc import Sequence

from groundplan.plan.search import Rejected
from groundplan.plan.serving import Deployable, FoundServices
from groundplan.tasks.plan_serving_result import ServiceDesign
from groundplan.workload.service import ServingBrief

COSTLY = 3.0
"""Cost over the cheapest deployment's up to which one that misses the limits is still near to what is asked."""
NEAREST = 3

Near = tuple[float, str, Deployable]


def nearest_of(found: FoundServices, brief: ServingBrief) -> list[Near]:
    """Return what comes nearest to the limits at a sane cost, one of each accelerator and format."""
    rate = brief.traffic.rate_per_s
    bills = {id(one): one.bill(one.replicas_at(rate)).usd_per_hour for _, _, one in found.near}
    most = COSTLY * min(bills.values(), default=0.0)
    kinds: dict[object, Near] = {}
    for near in found.near:
        setting = near[2].setting
        if bills[id(near[2])] <= most:
            kinds.setdefault((setting.accelerator.id, setting.deployment.weights), near)
    return list(kinds.values())[:NEAREST]


def losers(
    found: FoundServices, shown: Sequence[ServiceDesign], best: ServiceDesign | None, rate_per_s: float
) -> tuple[Rejected, ...]:
    """Return what was left out, and of every accelerator that no design shown is of, why its best lost."""
    told = {one.accelerator for one in shown}
    reasons: dict[str, Rejected] = {}
    for one in found.good:
        accelerator = one.setting.accelerator
        if best is not None and accelerator.id not in told:
            ratio = one.bill(one.replicas_at(rate_per_s)).usd_per_hour / best.usd_per_hour
            said = f"the cheapest, {one.name}, costs {ratio:.2f} times as much by the search"
            reasons.setdefault(accelerator.id, Rejected(accelerator.name, said))
    for excess, what, one in found.near:
        accelerator = one.setting.accelerator
        if accelerator.id not in told and math.isfinite(excess):
            said = f"the nearest, {one.name}, has {excess:.3g} times the limit of {what}"
            reasons.setdefault(accelerator.id, Rejected(accelerator.name, said))
    return (*found.rejected, *reasons.values())
