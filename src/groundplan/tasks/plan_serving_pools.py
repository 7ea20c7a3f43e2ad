"""What a serving plan says of prefill and decode apart: whether they win, or why they lost."""

from __future__ import annotations

from collections.abc import Sequence

from groundplan.plan.serving import FoundServices
from groundplan.tasks.plan_serving_result import ServiceDesign


def why_apart(found: FoundServices, designs: Sequence[ServiceDesign]) -> str:
    """Say whether prefill and decode apart win, and else by what they lose."""
    best = designs[0] if designs else None
    if best is not None and best.disaggregation is not None:
        other = next((one for one in designs if one.disaggregation is None), None)
        if other is None:
            return "wins: no replica that does both keeps the limits"
        return f"wins: replicas that do both cost {other.usd_per_month / best.usd_per_month:.2f} times as much"
    settled = next((one for one in designs if one.disaggregation is not None), None)
    if settled is not None and best is not None:
        ratio = settled.usd_per_month / best.usd_per_month
        return f"lost: {settled.name} costs {ratio:.2f} times as much, simulated"
    good = [one for one in found.good if one.apart is not None]
    if good:
        together = next((one for one in found.good if one.apart is None), None)
        if together is None:
            return f"lost: {good[0].name} keeps the limits by the search, not in the simulation"
        ratio = good[0].usd_per_request / together.usd_per_request
        return f"lost: a request costs {ratio:.2f} times as much with {good[0].name}, by the search"
    near = next((one for one in found.near if one[2].apart is not None), None)
    if near is None:
        return "lost: no two pools fit on the candidates"
    return f"lost: the nearest, {near[2].name}, has {near[0]:,.3g} times the limit of {near[1]}"
