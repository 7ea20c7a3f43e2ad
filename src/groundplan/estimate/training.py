"""The whole answer for one design: step, memory, run, cost, energy, network, storage, with formula trees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from groundplan.design.layout import Recompute
from groundplan.estimate import assumptions as given
from groundplan.estimate.explain import explain_trees
from groundplan.estimate.flops import training_flops_per_token
from groundplan.estimate.intervals import Interval, devices_of, memory_interval, step_interval
from groundplan.estimate.memory import peak_bytes
from groundplan.estimate.needs import RunDemand, data_stall, network_need, run_demand, storage_need
from groundplan.estimate.results import (
    CheckpointPlan,
    DesignResult,
    LayoutChoice,
    MemoryNeed,
)
from groundplan.estimate.run import RunInputs, RunTime, run_time
from groundplan.estimate.sized import Sized
from groundplan.estimate.surroundings import Circumstances, carbon_intensity, cost_terms, power_w, price_used
from groundplan.evidence import Prediction
from groundplan.physics.energy import carbon_kg, energy_j
from groundplan.workload.model import SampleModel


def assess(sized: Sized, around: Circumstances) -> DesignResult:
    """Put the parts of one design together."""
    job, cluster = sized.job, sized.setting.cluster
    step_terms = {name: float(value) for name, value in sized.step.terms.items() if float(value) > 0.0}
    step_s = sum(step_terms.values())
    demand = run_demand(sized, step_s)
    storage, write_rate = storage_need(demand, around, cluster.nodes)
    run = _run(sized, around, step_s, demand, write_rate)
    terms = {name: float(value) for name, value in run.terms.items() if float(value) > 0.0}
    run_s = sum(terms.values())
    interval = regime_interval(sized)
    low, high = interval.low, interval.high
    watts = power_w(sized, around, step_terms)
    joules = float(energy_j(watts, run_s)) if watts is not None else None
    grams = carbon_intensity(around)
    costs = cost_terms(around.price, cluster.nodes, terms, storage.usd_per_month, run_s)
    cost = sum(costs.values()) if costs else None
    flops = training_flops_per_token(job) * job.global_batch * job.sequence
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
        price=price_used(around, cluster.nodes, cluster.host.accelerators),
        layout=layout_choice(sized),
        step_s=Prediction.within(step_s, low, high),
        run_s=Prediction.within(run_s, low, high),
        cost_usd=Prediction.within(cost, low, high) if cost is not None else None,
        energy_j=Prediction.within(joules, 0.9 * low, high) if joules is not None else None,
        carbon_kg=Prediction.within(float(carbon_kg(joules, grams)), 0.9 * low, high) if joules is not None else None,
        mfu=Prediction(mfu, mfu / high, mfu / low),
        goodput=Prediction(goodput, goodput**2, goodput**0.5),
        unit=job.unit,
        tokens=job.tokens,
        tokens_per_s=Prediction(tokens_per_s, tokens_per_s / high, tokens_per_s / low),
        memory=memory_need(sized),
        step_terms=step_terms,
        run_terms=terms,
        cost_terms=costs,
        network=network_need(sized, step_s),
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


def regime_interval(sized: Sized) -> Interval:
    """Return the interval of the design's stack, architecture and kind of model."""
    return step_interval(
        sized.job.model, sized.setting.stack.id, sized.setting.architecture.id, sized.setting.cluster.nodes
    )


def memory_need(sized: Sized) -> MemoryNeed:
    """Return the memory terms as plain numbers with the verdict."""
    plain = {name: float(value) for name, value in sized.memory.items() if float(value) > 0.0}
    total, capacity_bytes = float(peak_bytes(sized.memory)), sized.capacity_bytes
    return MemoryNeed(
        Prediction.within(total, *memory_interval(sized.job.method, sized.setting.stack.id, devices_of(sized.setting))),
        capacity_bytes,
        total <= capacity_bytes,
        plain,
    )


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


def _run(sized: Sized, around: Circumstances, step_s: float, demand: RunDemand, write_rate: float) -> RunTime:
    job, cluster, fixed = sized.job, sized.setting.cluster, around.overrides
    steps = np.ceil(job.tokens / (job.global_batch * job.sequence))
    failures = fixed.failures_per_1000_node_days
    spot = given.number(given.SPOT_INTERRUPTIONS) if around.option == "spot" else 0.0
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
            device_to_host_bytes_per_s=given.number(given.DEVICE_TO_HOST),
            asynchronous=True,
            failures_per_1000_node_days=given.number(given.FAILURES) if failures is None else failures,
            spot_interruptions_per_node_hour=spot,
            restart_s=given.number(given.RESTART) if fixed.restart_s is None else fixed.restart_s,
            startup_s=given.number(given.STARTUP),
            data_stall_s=data_stall(sized, demand, step_s),
        )
    )
