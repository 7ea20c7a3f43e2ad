"""The search for a service: every accelerator, format and split of the model, and the rate that a replica can take."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Accelerator, Engine
from groundplan.design.deployment import Deployment
from groundplan.errors import InputError
from groundplan.estimate.engines import runs_on
from groundplan.estimate.formats import FOUR_BIT_FLOATS, weight_format
from groundplan.estimate.service import Load, most_decoding, state_at
from groundplan.estimate.serving import ServingSetting, serving_setting
from groundplan.estimate.serving_pools import PoolsSetting
from groundplan.estimate.serving_room import lack_of
from groundplan.plan.deployments import splits
from groundplan.plan.excess import excess_of, operating_place
from groundplan.plan.hosting import Bill, HostPrice, cheapest, host_prices, replicas_of
from groundplan.plan.offers import TRAINING_CLASSES
from groundplan.plan.search import Rejected
from groundplan.plan.serving_pools import at_most, paired
from groundplan.quantities import format_bytes
from groundplan.workload.service import ServingBrief

STEPS = np.linspace(0.0, 1.0, 24)
"""Powers of the most sequences that decode at once, at which a deployment is tried: from one to all."""
TAIL_TPOT = 1.4
"""Percentile 95 over the mean of a token's time beside prompts; a simulation settles what the search finds; class
assumed."""
USABLE = 0.85
"""Share of a replica's full throughput that random arrivals leave usable before queues grow long; class assumed."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An accelerator, and every way to rent it."""

    accelerator: Accelerator
    prices: tuple[HostPrice, ...]


@dataclass(frozen=True, slots=True)
class Deployable:
    """A deployment that keeps the limits, at the most requests a second that it can take."""

    setting: ServingSetting  # of a replica that decodes, where prompts are computed apart
    offer: Offer
    rate_per_s: float
    in_flight: float
    ttft_s: float  # means
    tpot_s: float
    apart: PoolsSetting | None = None

    @property
    def devices(self) -> int:
        """Accelerators of a replica, or of a prefill and a decode pool."""
        return self.apart.design.devices if self.apart else self.setting.deployment.devices

    def replicas_at(self, rate_per_s: float) -> int:
        """Return how many replicas, or pairs of pools, take a rate of requests."""
        return max(1, math.ceil(rate_per_s / self.rate_per_s))

    def bill(self, replicas: int) -> Bill:
        """Return the hosts that so many replicas fill, and what they cost."""
        design = self.apart.design if self.apart else None
        found = cheapest(self.offer.prices, replicas_of(self.setting.deployment, design, replicas))
        assert found is not None  # the search leaves out splits that no host holds
        return found

    @property
    def usd_per_request(self) -> float:
        """Price of a request at the rate the replica can take, were its accelerators rented one by one."""
        unit = min(one.usd_per_hour / one.accelerators for one in self.offer.prices)
        return unit * self.devices / 3600.0 / self.rate_per_s

    @property
    def name(self) -> str:
        """How tables call it."""
        split, engine = self.setting.deployment, self.setting.engine.id
        if self.apart is None:
            return f"{split.devices} x {self.setting.accelerator.name} {split.weights}{_sizes(split)} {engine}"
        design = self.apart.design
        return (
            f"{self.devices} x {self.setting.accelerator.name} {split.weights}: "
            f"{design.prefill_replicas} prefill{_sizes(design.prefill)}, "
            f"{design.decode_replicas} decode{_sizes(design.decode)} {engine}"
        )


def _sizes(split: Deployment) -> str:
    return "".join(f" {key}{getattr(split, key)}" for key in ("tp", "pp", "dp", "ep") if getattr(split, key) > 1)


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
        widest = max(one.accelerators if one.host else brief.most_devices for one in offer.prices)
        holding = list(_settings(brief, offer.accelerator, catalog))
        settings = [one for one in holding if one.deployment.tp <= widest]
        together = [_loaded(setting, offer, brief) for setting in settings]
        apart = list(_apart(settings, offer, brief))
        considered += len(together) + len(apart)
        for excess, what, deployable in (*together, *apart):
            if excess <= 1.0:
                good.append(deployable)
            else:
                near.append((excess, what, deployable))
        if not settings:
            reason = _why_none(brief, offer.accelerator, catalog, holding, widest)
            rejected[offer.accelerator.id] = Rejected(offer.accelerator.name, reason)
    rate = brief.traffic.rate_per_s
    good.sort(key=lambda one: (one.bill(one.replicas_at(rate)).usd_per_hour, one.usd_per_request, one.name))
    near.sort(key=lambda one: (one[0], one[2].usd_per_request))
    return FoundServices(tuple(good), tuple(near), tuple(rejected.values()), considered)


def _why_none(
    brief: ServingBrief, accelerator: Accelerator, catalog: Catalog, holding: list[ServingSetting], widest: int
) -> str:
    """Say why no replica of an accelerator can be: no engine, too little memory, or no host that holds a group."""
    engines = [catalog.engines[name] for name in brief.engines if runs_on(catalog.engines[name], accelerator)]
    if not engines:
        return f"{', '.join(brief.engines)} has no kernels for it"
    if holding:
        least = min(one.deployment.tp for one in holding)
        return f"{brief.model.id} needs tp {least} or more, and no host on offer has more than {widest} of them"
    narrowest = min(brief.precisions, key=lambda name: weight_format(name).weight_bytes)
    context = float(brief.traffic.prompt + brief.traffic.output)
    laid_out = list(splits(brief.model, weight_format(narrowest).id, brief.kv_precision, brief.most_devices))
    if not laid_out:
        return f"{brief.model.id} cannot be split over {brief.most_devices} or fewer"
    lacks = [
        lack_of(serving_setting(brief.model, split, engines[0], accelerator, context, catalog), context)
        for split in laid_out
        if split.devices == laid_out[-1].devices
    ]
    needed, there = min(lacks)
    return (
        f"{brief.model.id} in {narrowest} on {laid_out[-1].devices} needs {format_bytes(needed)} of each, "
        f"{format_bytes(there)} are there"
    )


def _offers(brief: ServingBrief, catalog: Catalog, rejected: dict[str, Rejected]) -> list[Offer]:
    """Return each accelerator with its prices; those without one are rejected."""
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
            found.append(Offer(accelerator, (HostPrice(None, None, 1, brief.price_usd_per_accelerator_hour),)))
            continue
        prices = host_prices(
            catalog, accelerator.id, wanted.purchase, wanted.providers, wanted.instances, wanted.regions
        )
        if prices:
            found.append(Offer(accelerator, prices))
        elif named:
            rejected[accelerator.id] = Rejected(accelerator.name, "no price of the kind asked for is known")
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
        if not runs_on(engine, accelerator):
            continue
        for precision in brief.precisions:
            weights = weight_format(precision)
            native = weights.id not in FOUR_BIT_FLOATS or weights.operands in accelerator.flops
            if not native and weights.id != brief.model.released_in:
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


def _loaded(setting: ServingSetting, offer: Offer, brief: ServingBrief) -> tuple[float, str, Deployable]:
    """Return how far a replica is from the limits at its best, in what, and the replica at the most it can take."""
    traffic = brief.traffic
    load = Load(float(traffic.prompt), float(traffic.output), np.inf, traffic.cached_fraction)
    most = float(most_decoding(setting.law, setting.engine, setting.pool.tokens, load))
    grid = most**STEPS if most > 1.0 else np.full_like(STEPS, most)
    steady = state_at(setting.law, setting.engine, load, grid)
    ttft, tpot, rate = (np.asarray(column) for column in (steady.ttft_s, steady.tpot_s, steady.requests_per_s))
    excess, what = excess_of(ttft, tpot, float(traffic.output), brief.limits, TAIL_TPOT)
    place = operating_place(excess)
    deployable = Deployable(
        setting,
        offer,
        USABLE * float(rate[place]),
        float(grid[place]),
        float(ttft[place]),
        float(tpot[place]),
    )
    return float(excess[place]), what[place], deployable


def _apart(
    settings: list[ServingSetting], offer: Offer, brief: ServingBrief
) -> Iterator[tuple[float, str, Deployable]]:
    """Yield what the replicas of each format and engine make up in two pools, as `_loaded` tells of one replica."""
    kinds: dict[tuple[str, str], list[ServingSetting]] = {}
    for setting in settings:
        kinds.setdefault((setting.deployment.weights, setting.engine.id), []).append(setting)
    for kind in kinds.values():
        for pools in paired(kind, brief):
            excess, what, taken = at_most(pools, brief)
            if taken[0] > 0.0:
                yield excess, what, Deployable(pools.decode, offer, *taken, apart=pools)


def at_rate(deployable: Deployable, rate_per_s: float) -> Deployable:
    """Return the deployment at another rate."""
    return replace(deployable, rate_per_s=rate_per_s)
