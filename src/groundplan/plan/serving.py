"""The search for a service: every accelerator, format and split of the model, and the rate that a replica can take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Accelerator, Engine, Host, Price
from groundplan.errors import InputError
from groundplan.estimate.formats import weight_format
from groundplan.estimate.service import Load, most_decoding, state_at
from groundplan.estimate.serving import ServingSetting, serving_setting
from groundplan.plan.deployments import splits
from groundplan.plan.offers import TRAINING_CLASSES
from groundplan.plan.search import Rejected
from groundplan.workload.service import Limits, ServingBrief

STEPS = np.linspace(0.0, 1.0, 24)
"""Powers of the most sequences that decode at once, at which a deployment is tried: from one to all."""
TAIL_TTFT, TAIL_TPOT = 2.5, 1.4
"""Percentile 95 over the mean that the search reckons with; a simulation settles what it finds; class assumed."""
USABLE = 0.85
"""Share of a replica's full throughput that random arrivals leave usable before queues grow long; class assumed."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What an accelerator costs for an hour, in the host that is cheapest."""

    accelerator: Accelerator
    host: Host | None
    price: Price | None
    usd_per_hour: float


@dataclass(frozen=True, slots=True)
class Deployable:
    """A deployment that keeps the limits, at the most requests a second that it can take."""

    setting: ServingSetting
    offer: Offer
    rate_per_s: float
    in_flight: float
    ttft_s: float  # means
    tpot_s: float

    @property
    def usd_per_hour(self) -> float:
        """Price of a replica."""
        return self.offer.usd_per_hour * self.setting.deployment.devices

    @property
    def usd_per_request(self) -> float:
        """Price of a request at the rate the replica can take."""
        return self.usd_per_hour / 3600.0 / self.rate_per_s

    @property
    def name(self) -> str:
        """How tables call it."""
        split = self.setting.deployment
        parts = "".join(f" {key}{getattr(split, key)}" for key in ("tp", "pp", "dp", "ep") if getattr(split, key) > 1)
        return f"{split.devices} x {self.setting.accelerator.name} {split.weights}{parts} {self.setting.engine.id}"


@dataclass(frozen=True, slots=True)
class FoundServices:
    """What keeps the limits, cheapest request first; what comes nearest to them; what was left out."""

    good: tuple[Deployable, ...]
    near: tuple[tuple[float, str, Deployable], ...]  # how many times too slow, in what, and the deployment
    rejected: tuple[Rejected, ...]
    considered: int


def search_services(brief: ServingBrief, catalog: Catalog) -> FoundServices:
    """Return the deployments of a brief.

    Raises
    ------
    InputError
        No accelerator of the candidates has a price.
    """
    good: list[Deployable] = []
    near: list[tuple[float, str, Deployable]] = []
    rejected: dict[str, Rejected] = {}
    considered = 0
    for offer in _offers(brief, catalog, rejected):
        fitting = 0
        for setting in _settings(brief, offer.accelerator, catalog):
            considered += 1
            found = _loaded(setting, offer, brief)
            if found is None:
                continue
            fitting += 1
            excess, what, deployable = found
            if excess <= 1.0:
                good.append(deployable)
            else:
                near.append((excess, what, deployable))
        if not fitting:
            reason = f"{brief.model.id} does not fit on {brief.most_devices} or fewer in {', '.join(brief.precisions)}"
            rejected[offer.accelerator.id] = Rejected(offer.accelerator.name, reason)
    good.sort(key=lambda one: (one.usd_per_request, one.setting.deployment.devices, one.name))
    near.sort(key=lambda one: (one[0], one[2].usd_per_request))
    return FoundServices(tuple(good), tuple(near), tuple(rejected.values()), considered)


def _offers(brief: ServingBrief, catalog: Catalog, rejected: dict[str, Rejected]) -> list[Offer]:
    """Return each accelerator with its cheapest price; those without one are rejected."""
    wanted = brief.candidates
    found: list[Offer] = []
    for accelerator in catalog.accelerators.values():
        named = accelerator.id in wanted.accelerators
        if wanted.accelerators and not named:
            continue
        if not named and accelerator.device_class not in TRAINING_CLASSES:
            continue
        if accelerator.memory_bytes is None or accelerator.memory_bytes_per_s is None or not accelerator.flops:
            continue
        if brief.price_usd_per_accelerator_hour is not None:
            found.append(Offer(accelerator, None, None, brief.price_usd_per_accelerator_hour))
            continue
        priced = [
            (price.usd_per_hour / host.accelerators, price.host, price, host)
            for host in catalog.hosts.values()
            if host.accelerator == accelerator.id
            and (not wanted.providers or host.provider in wanted.providers)
            and (not wanted.instances or host.id in wanted.instances)
            for price in catalog.prices_of(host.id)
            if price.option in wanted.purchase and (not wanted.regions or price.region in wanted.regions)
        ]
        if not priced:
            if named:
                rejected[accelerator.id] = Rejected(accelerator.name, "no price of the kind asked for is known")
            continue
        unit, _, price, host = min(priced, key=lambda one: one[:2])
        found.append(Offer(accelerator, host, price, unit))
    if not found:
        raise InputError(
            "no accelerator of the candidates has a known price",
            "loosen providers, regions or purchase, or give overrides.price in dollars per accelerator-hour",
        )
    return found


def _settings(brief: ServingBrief, accelerator: Accelerator, catalog: Catalog) -> Iterator[ServingSetting]:
    """Yield the replicas of an accelerator whose weights fit."""
    context = float(brief.traffic.prompt + brief.traffic.output)
    for engine in (catalog.engines[name] for name in brief.engines):
        for precision in brief.precisions:
            weights = weight_format(precision)
            if weights.weight_bytes < 1.0 <= weights.operand_bytes * 2 and weights.operands not in accelerator.flops:
                continue
            for split in splits(brief.model, weights.id, brief.kv_precision, brief.most_devices):
                setting = _setting(brief, split, engine, accelerator, context, catalog)
                if setting is not None:
                    yield setting


def _setting(
    brief: ServingBrief, split: object, engine: Engine, accelerator: Accelerator, context: float, catalog: Catalog
) -> ServingSetting | None:
    setting = serving_setting(brief.model, split, engine, accelerator, context, catalog)  # type: ignore[arg-type]
    return setting if setting.pool.tokens >= context else None


def _loaded(setting: ServingSetting, offer: Offer, brief: ServingBrief) -> tuple[float, str, Deployable] | None:
    """Return how far a replica is from the limits at its best, in what, and the replica at the most it can take."""
    traffic = brief.traffic
    load = Load(float(traffic.prompt), float(traffic.output), np.inf, traffic.cached_fraction)
    most = float(most_decoding(setting.law, setting.engine, setting.pool.tokens, load))
    grid = most**STEPS if most > 1.0 else np.full_like(STEPS, most)
    steady = state_at(setting.law, setting.engine, load, grid)
    ttft, tpot, rate = (np.asarray(column) for column in (steady.ttft_s, steady.tpot_s, steady.requests_per_s))
    excess, what = _excess(ttft, tpot, float(traffic.output), brief.limits)
    kept = np.flatnonzero(excess <= 1.0)
    place = int(kept[-1]) if kept.size else int(np.argmin(excess))
    deployable = Deployable(
        setting,
        offer,
        USABLE * float(rate[place]),
        float(grid[place]),
        float(ttft[place]),
        float(tpot[place]),
    )
    return float(excess[place]), what[place], deployable


def _excess(ttft: np.ndarray, tpot: np.ndarray, output: float, limits: Limits) -> tuple[np.ndarray, list[str]]:
    """Tails over the limits at each concurrency, the worst of them, and which it is."""
    tails = {
        "ttft_p95": (TAIL_TTFT * ttft, limits.ttft_p95_s),
        "tpot_p95": (TAIL_TPOT * tpot, limits.tpot_p95_s),
        "e2e_p95": (TAIL_TTFT * ttft + TAIL_TPOT * tpot * (output - 1.0), limits.e2e_p95_s),
    }
    stated = {name: tail / limit for name, (tail, limit) in tails.items() if limit is not None}
    if not stated:
        return np.zeros_like(ttft), [""] * len(ttft)
    names, columns = list(stated), np.stack(list(stated.values()))
    return columns.max(axis=0), [names[place] for place in columns.argmax(axis=0)]


def at_rate(deployable: Deployable, rate_per_s: float) -> Deployable:
    """Return the deployment at another rate."""
    return replace(deployable, rate_per_s=rate_per_s)
