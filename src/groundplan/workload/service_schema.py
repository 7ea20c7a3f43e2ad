"""The shape of a serving brief: its sections and keys, held strictly."""

from __future__ import annotations

import datetime
from typing import Any

from groundplan.workload.schema import Names, OffersSection, Quantity, Section


class TrafficSection(Section):
    """What comes in."""

    rate: Quantity | None = None
    peak: Quantity | None = None
    prompt: Quantity | None = None
    output: Quantity | None = None
    cached: Quantity | None = None
    requests: str | None = None


class LimitsSection(Section):
    """What 95 % of the requests must keep."""

    ttft_p95: Quantity | None = None
    tpot_p95: Quantity | None = None
    e2e_p95: Quantity | None = None


class ServeSection(Section):
    """One service."""

    model: str | dict[str, Any]
    traffic: TrafficSection
    limits: LimitsSection = LimitsSection()
    engine: Names | None = None
    precision: Names | None = None
    kv_precision: str | None = None
    max_devices: Quantity | None = None


class ServingGoalSection(Section):
    """Limits of the whole."""

    budget_per_month: Quantity | None = None


class ServingOverridesSection(Section):
    """Numbers the user knows better than the catalog."""

    price: Quantity | None = None


class ServingSections(Section):
    """The whole brief."""

    serve: ServeSection
    goal: ServingGoalSection = ServingGoalSection()
    candidates: OffersSection = OffersSection()
    overrides: ServingOverridesSection = ServingOverridesSection()
    as_of: datetime.date | str | None = None
