"""What surrounds a design: its price, its power at the meter, its electricity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from groundplan.catalog.rows import Accelerator, Grid, Price, StorageProduct
from groundplan.estimate import assumptions as given
from groundplan.estimate.results import PriceUsed
from groundplan.estimate.sized import Sized
from groundplan.physics.energy import device_power_w, facility_power_w
from groundplan.workload.job import Overrides


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What surrounds a design: who sells it at what price, on which grid, with which storage."""

    option: str
    price: Price | None
    price_age_days: int | None
    region: str
    grid: Grid | None
    storage: tuple[StorageProduct, ...]
    overrides: Overrides


def power_w(sized: Sized, around: Circumstances, step_terms: Mapping[str, float]) -> float | None:
    """Mean power at the meter; None where the accelerator's power is unknown."""
    accelerator, cluster = sized.setting.cluster.accelerator, sized.setting.cluster
    if accelerator.tdp_w is None:
        return None
    idle = _idle_w(accelerator)
    device = device_power_w(idle, accelerator.tdp_w * given.number(given.UTILIZATION), _busy_share(step_terms))
    host = cluster.host.power_w
    host_w = host if host is not None else given.number(given.HOST_POWER) * cluster.host.accelerators
    return float(facility_power_w(cluster.accelerators, device, cluster.nodes, host_w, _pue(around)))


def _idle_w(accelerator: Accelerator) -> float:
    if accelerator.idle_w is not None:
        return accelerator.idle_w
    return (accelerator.tdp_w or 0.0) * given.number(given.IDLE_SHARE)


def _busy_share(step_terms: Mapping[str, float]) -> float:
    """Share of the step in which kernels run: collectives too, not the bubble nor waiting for the host."""
    waiting = ("pipeline_bubble", "pipeline_p2p", "launch", "jitter", "offload")
    total = sum(step_terms.values())
    return 1.0 - sum(step_terms.get(name, 0.0) for name in waiting) / total


def _pue(around: Circumstances) -> float:
    if around.overrides.pue is not None:
        return around.overrides.pue
    if around.grid is not None and around.grid.pue is not None:
        return around.grid.pue
    return given.number(given.PUE)


def carbon_intensity(around: Circumstances) -> float:
    """Grams of CO2e per kWh: what the user states, else the region's, else the assumed average."""
    if around.overrides.carbon_g_per_kwh is not None:
        return around.overrides.carbon_g_per_kwh
    if around.grid is not None and around.grid.carbon_g_per_kwh is not None:
        return around.grid.carbon_g_per_kwh
    return given.number(given.CARBON)


def price_used(around: Circumstances, nodes: int, per_host: int) -> PriceUsed | None:
    """Price of all nodes and of one accelerator, with its age and source; None when unknown."""
    price = around.price
    if price is None:
        return None
    return PriceUsed(
        price.usd_per_hour * nodes,
        price.usd_per_hour / per_host,
        price.date,
        around.price_age_days,
        price.evidence,
        price.source,
    )


def cost_terms(
    price: Price | None, nodes: int, terms: Mapping[str, float], usd_per_month: float | None, run_s: float
) -> dict[str, float]:
    """Dollars by what the hosts were doing, and storage; empty without a price."""
    if price is None:
        return {}
    per_s = price.usd_per_hour * nodes / 3600.0
    costs = {name: seconds * per_s for name, seconds in terms.items()}
    if usd_per_month:
        costs["storage"] = usd_per_month * run_s / (30.0 * 86_400.0)
    return costs
