"""The whole answer for one design: step, memory, run, cost, energy, network, storage, with formula trees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from groundplan.catalog.rows import Accelerator, Grid, Optimizer, Price, StorageProduct
from groundplan.design.cluster import Setting
from groundplan.design.layout import Layout, Recompute
from groundplan.estimate import assumptions as given
from groundplan.estimate.data import CHECKPOINTS_KEPT, StorageDemand, products_for
from groundplan.estimate.explain import explain_trees
from groundplan.estimate.flops import model_flops_per_token
from groundplan.estimate.memory import peak_bytes
from groundplan.estimate.rates import Rates
from groundplan.estimate.results import (
    CheckpointPlan,
    CollectiveNeed,
    DesignResult,
    LayoutChoice,
    MemoryNeed,
    NetworkNeed,
    PriceUsed,
    StorageNeed,
)
from groundplan.estimate.run import RunInputs, RunTime, run_time
from groundplan.estimate.shares import trained_parameters
from groundplan.estimate.step import StepTime
from groundplan.evidence import Prediction
from groundplan.physics.arrays import Floats
from groundplan.physics.checkpoint import checkpoint_bytes
from groundplan.physics.energy import carbon_kg, device_power_w, energy_j, facility_power_w
from groundplan.workload.job import Method, Overrides, TrainingJob
from groundplan.workload.model import SampleModel


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


@dataclass(frozen=True, slots=True)
class Sized:
    """One design as the laws see it: everything but its surroundings."""

    job: TrainingJob
    setting: Setting
    rates: Rates
    optimizer: Optimizer
    layout: Layout
    step: StepTime
    memory: Mapping[str, Floats]
    capacity_bytes: float


def assess(sized: Sized, around: Circumstances) -> DesignResult:
    """Put the parts of one design together."""
    job, cluster = sized.job, sized.setting.cluster
    step_terms = {name: float(value) for name, value in sized.step.terms.items() if float(value) > 0.0}
    step_s = sum(step_terms.values())
    demand = _demand(sized, step_s)
    storage, write_rate = _storage(demand, around, cluster.nodes)
    run = _run(sized, around, step_s, demand, write_rate)
    terms = {name: float(value) for name, value in run.terms.items() if float(value) > 0.0}
    run_s = sum(terms.values())
    low, high = given.STEP_INTERVAL
    power_w = _power_w(sized, around, step_terms)
    joules = float(energy_j(power_w, run_s)) if power_w is not None else None
    grams = _carbon_intensity(around)
    cost_terms = _cost_terms(around.price, cluster.nodes, terms, storage.usd_per_month, run_s)
    cost = sum(cost_terms.values()) if cost_terms else None
    flops = step_flops(job)
    mfu = flops / (step_s * cluster.accelerators * sized.rates.peak_flops_per_s)
    tokens_per_s = job.global_batch * job.sequence / step_s
    goodput = float(run.goodput)
    result = DesignResult(
        provider=cluster.host.provider,
        instance=cluster.host.id,
        region=around.region,
        accelerator=cluster.accelerator.id,
        accelerators=cluster.accelerators,
        nodes=cluster.nodes,
        purchase=around.option,
        price=_price_used(around, cluster.nodes, cluster.host.accelerators),
        layout=layout_choice(sized),
        step_s=Prediction.within(step_s, low, high),
        run_s=Prediction.within(run_s, low, high),
        cost_usd=Prediction.within(cost, low, high) if cost is not None else None,
        energy_j=Prediction.within(joules, 0.9 * low, high) if joules is not None else None,
        carbon_kg=Prediction.within(float(carbon_kg(joules, grams)), 0.9 * low, high) if joules is not None else None,
        mfu=Prediction(mfu, mfu / high, mfu / low),
        goodput=Prediction(goodput, 1.0 - 2.0 * (1.0 - goodput), 1.0 - 0.5 * (1.0 - goodput)),
        tokens=job.tokens,
        tokens_per_s=Prediction(tokens_per_s, tokens_per_s / high, tokens_per_s / low),
        memory=memory_need(sized.memory, sized.capacity_bytes),
        step_terms=step_terms,
        run_terms=terms,
        cost_terms=cost_terms,
        network=_network(sized, step_s),
        storage=storage,
        checkpoint=CheckpointPlan(
            demand.checkpoint_bytes,
            float(run.write_s),
            float(run.stall_s),
            float(run.mtbf_s),
            float(run.interval_s),
            goodput,
        ),
        relaxed=None,
        reason="",
        explain={},
    )
    return replace(result, explain=explain_trees(result, sized, flops))


def step_flops(job: TrainingJob) -> float:
    """Model FLOPs of one step: forward, input and weight gradients; adapters leave out the frozen weights' gradients."""
    whole = model_flops_per_token(job.model, job.sequence) * job.global_batch * job.sequence
    return whole * 2.0 / 3.0 if job.method in (Method.LORA, Method.QLORA) else whole


def memory_need(terms: Mapping[str, Floats], capacity_bytes: float) -> MemoryNeed:
    """Return the memory terms as plain numbers with the verdict."""
    plain = {name: float(value) for name, value in terms.items() if float(value) > 0.0}
    total = float(peak_bytes(terms))
    return MemoryNeed(Prediction.within(total, *given.MEMORY_INTERVAL), capacity_bytes, total <= capacity_bytes, plain)


def layout_choice(sized: Sized) -> LayoutChoice:
    """Name one layout's sizes and modes."""
    layout, model = sized.layout, sized.job.model
    stage_layers = 0 if isinstance(model, SampleModel) else -(-model.layers // int(layout.pp))
    if layout.pp == 1:
        schedule = "none"
    elif layout.zero_bubble:
        schedule = "zero-bubble"
    else:
        schedule = "interleaved" if layout.vpp > 1 else "1f1b"
    return LayoutChoice(
        int(layout.tp),
        int(layout.pp),
        int(layout.vpp),
        int(layout.cp),
        int(layout.ep),
        int(layout.dp),
        int(layout.zero),
        int(layout.shard),
        int(layout.micro_batch),
        round(float(sized.step.micro_batches)),
        Recompute(int(layout.recompute)).name.lower(),
        round(float(layout.recomputed) * stage_layers),
        sized.setting.precision.id,
        bool(layout.sequence_parallel),
        bool(layout.offload),
        schedule,
        sized.setting.stack.id,
    )


@dataclass(frozen=True, slots=True)
class _Demand(StorageDemand):
    checkpoint_bytes: float


def _demand(sized: Sized, step_s: float) -> _Demand:
    """What the run stores, reads, and writes within the time a checkpoint may take."""
    job = sized.job
    precision = sized.setting.precision
    kept = precision.weight_bytes + precision.master_bytes + sized.optimizer.state_bytes
    saved = float(checkpoint_bytes(trained_parameters(job), kept))
    stored = job.dataset.bytes if job.dataset and job.dataset.bytes else 0.0
    per_sequence = (
        job.dataset.sample_bytes * (job.sequence if job.dataset.kind in ("text", "tokens") else 1.0)
        if job.dataset
        else 0.0
    )
    read = job.global_batch * per_sequence / step_s
    return _Demand(stored + CHECKPOINTS_KEPT * saved, read, saved / CHECKPOINT_WRITE_S, saved)


CHECKPOINT_WRITE_S = 300.0
"""A checkpoint should be on storage within five minutes, so that hourly ones are safe: the write rate asked for.
BLOOM wrote 2.3 TB in 40 s, Meta's 405B runs in about a minute (arXiv 2407.20143); class assumed."""


def _storage(demand: _Demand, around: Circumstances, nodes: int) -> tuple[StorageNeed, float]:
    """Choose the cheapest product that does; return it with the write rate checkpoints will see."""
    answers = products_for(around.storage, demand)
    chosen = next((a for a in answers if a.ok), None)
    write = chosen.write_bytes_per_s if chosen else None
    fallback = nodes * float(given.STORAGE_WRITE.value or 0.0)
    need = StorageNeed(
        chosen.id if chosen else None,
        demand.read_bytes_per_s,
        demand.checkpoint_bytes,
        demand.write_bytes_per_s,
        demand.capacity_bytes,
        chosen.provisioned_bytes if chosen else None,
        chosen is not None,
        chosen.usd_per_month if chosen else None,
    )
    return need, write or fallback


def _run(sized: Sized, around: Circumstances, step_s: float, demand: _Demand, write_rate: float) -> RunTime:
    job, cluster, fixed = sized.job, sized.setting.cluster, around.overrides
    steps = np.ceil(job.tokens / (job.global_batch * job.sequence))
    failures = fixed.failures_per_1000_node_days
    spot = float(given.SPOT_INTERRUPTIONS.value or 0.0) if around.option == "spot" else 0.0
    nic = cluster.host.nic_bits_per_s
    return run_time(
        RunInputs(
            step_s=step_s,
            steps=float(steps),
            nodes=cluster.nodes,
            accelerators=cluster.accelerators,
            checkpoint_bytes=demand.checkpoint_bytes,
            storage_write_bytes_per_s=write_rate,
            client_bytes_per_s=nic / 8.0 if nic else 1.25e9,
            device_to_host_bytes_per_s=float(given.DEVICE_TO_HOST.value or 0.0),
            asynchronous=True,
            failures_per_1000_node_days=float(given.FAILURES.value or 0.0) if failures is None else failures,
            spot_interruptions_per_node_hour=spot,
            restart_s=float(given.RESTART.value or 0.0) if fixed.restart_s is None else fixed.restart_s,
            startup_s=float(given.STARTUP.value or 0.0),
            data_stall_s=0.0,
        )
    )


def _power_w(sized: Sized, around: Circumstances, step_terms: Mapping[str, float]) -> float | None:
    """Mean power at the meter; None where the accelerator's power is unknown."""
    accelerator, cluster = sized.setting.cluster.accelerator, sized.setting.cluster
    if accelerator.tdp_w is None:
        return None
    idle = _idle_w(accelerator)
    device = device_power_w(idle, accelerator.tdp_w * float(given.UTILIZATION.value or 0.0), _busy_share(step_terms))
    host = cluster.host.power_w
    host_w = host if host is not None else float(given.HOST_POWER.value or 0.0) * cluster.host.accelerators
    return float(facility_power_w(cluster.accelerators, device, cluster.nodes, host_w, _pue(around)))


def _idle_w(accelerator: Accelerator) -> float:
    if accelerator.idle_w is not None:
        return accelerator.idle_w
    return (accelerator.tdp_w or 0.0) * float(given.IDLE_SHARE.value or 0.0)


def _busy_share(step_terms: Mapping[str, float]) -> float:
    """Share of the step in which kernels run: not the bubble, nor waiting for the network or the host."""
    waiting = ("pipeline_bubble", "pipeline_p2p", "launch", "jitter", "offload")
    total = sum(step_terms.values())
    return 1.0 - sum(step_terms.get(name, 0.0) for name in waiting) / total


def _pue(around: Circumstances) -> float:
    if around.overrides.pue is not None:
        return around.overrides.pue
    if around.grid is not None and around.grid.pue is not None:
        return around.grid.pue
    return float(given.PUE.value or 1.0)


def _carbon_intensity(around: Circumstances) -> float:
    if around.overrides.carbon_g_per_kwh is not None:
        return around.overrides.carbon_g_per_kwh
    if around.grid is not None and around.grid.carbon_g_per_kwh is not None:
        return around.grid.carbon_g_per_kwh
    return float(given.CARBON.value or 0.0)


def _price_used(around: Circumstances, nodes: int, per_host: int) -> PriceUsed | None:
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


def _cost_terms(
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


def _network(sized: Sized, step_s: float) -> NetworkNeed:
    """List the traffic and compare what crosses domains with what the fabric carries."""
    needs, across = [], 0.0
    for traffic, exposed in sized.step.traffic:
        sent = float(np.asarray(traffic.bytes_per_step))
        if sent <= 0.0:
            continue
        ranks, inside = int(np.asarray(traffic.ranks)), int(np.asarray(traffic.inside))
        crosses = ranks > inside
        if crosses:
            # The rails share the load: what is reduced inside first crosses once per group of inner ranks.
            across += sent / (inside if traffic.group in ("tp", "dp", "cp") else 1)
        needs.append(
            CollectiveNeed(
                traffic.name,
                traffic.group,
                ranks,
                sent,
                "across domains" if crosses else "inside a domain",
                float(np.asarray(traffic.time_s)),
                float(np.asarray(exposed)),
            )
        )
    rates = sized.rates
    shown = sum(need.exposed_s for need in needs if need.scope == "across domains")
    needed = 8.0 * across / step_s
    # The fabric does when what it fails to hide is less than a tenth of the step.
    return NetworkNeed(
        sized.setting.cluster.fabric.id, tuple(needs), needed, 8.0 * rates.inter_bytes_per_s, shown <= 0.1 * step_s
    )
