"""What the laws say of measured serving runs: latency and throughput, for all runs of one deployment at once."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Architecture, Engine
from groundplan.design.deployment import Deployment, Disaggregation
from groundplan.design.hosting import replica_cluster
from groundplan.estimate.disaggregation import handed_steady, most_handed
from groundplan.estimate.iteration import iteration_law, serving_rates
from groundplan.estimate.replica import IterationLaw
from groundplan.estimate.service import Load, cache_pool, state_at_rate, steady_state
from groundplan.estimate.serving import CONTEXT_BYTES, DRIVER_BYTES, ServingSetting
from groundplan.estimate.serving_pools import pools_setting
from groundplan.progress import over
from groundplan.validation.predict import Array
from groundplan.validation.serving_reading import QUANTITIES, ServingCase

Changed = Callable[[Engine, Architecture], tuple[Engine, Architecture]]
"""Replaces fitted constants."""


def predict_serving(cases: Sequence[ServingCase], catalog: Catalog, changed: Changed | None = None) -> Array:
    """Return the predicted quantities of cases [cases, quantities]; NaN where no request fits into the memory."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for place, case in enumerate(cases):
        groups[_group(case)].append(place)
    result = np.full((len(cases), len(QUANTITIES)), np.nan)
    for places in over(tuple(groups.values()), "deployments"):
        result[places] = _predict([cases[place] for place in places], catalog, changed)
    return result


def _group(case: ServingCase) -> Hashable:
    """What the iteration law depends on: windows and states of fixed size also on the length of the sequences."""
    depends = np.any(case.model.attention.window) or case.model.linear is not None
    context = case.load.prompt + case.load.output if depends else 0.0
    cluster = case.cluster.accelerator.id, case.cluster.host.id
    engine = case.engine.id, case.engine.max_batched_tokens, case.engine.memory_utilization
    return id(case.model), case.deployment, case.apart, engine, cluster, context, case.static, case.rate_per_s is None


def _predict(cases: Sequence[ServingCase], catalog: Catalog, changed: Changed | None) -> Array:
    first = cases[0]
    accelerator, model, deployment = first.cluster.accelerator, first.model, first.deployment
    engine, architecture = first.engine, catalog.architecture_of(accelerator)
    if changed:
        engine, architecture = changed(engine, architecture)
    loads = [case.load for case in cases]
    prompt, output, wanted = (
        _column([getattr(load, name) for load in loads]) for name in ("prompt", "output", "concurrency")
    )
    replicas, waves = _column([case.replicas for case in cases]), _column([case.waves for case in cases])
    context = float(np.mean(prompt + output))
    if first.apart is not None:
        return _apart(first, first.apart, catalog, engine, architecture, Load(prompt, output, wanted), waves)
    rates = serving_rates(first.cluster, architecture, engine, catalog.accelerators.values())
    law = iteration_law(model, deployment, rates, engine, engine.max_batched_tokens, context)
    if first.static:
        return _static(law, engine, prompt, output, wanted)
    memory = (accelerator.memory_bytes or math.nan) - DRIVER_BYTES
    pool = cache_pool(model, deployment, engine, memory, CONTEXT_BYTES, context)
    load = Load(prompt, output, wanted)
    if first.rate_per_s is not None:
        offered = _column([case.rate_per_s or 0.0 for case in cases]) / replicas
        steady = state_at_rate(law, engine, pool.tokens, load, offered)
    else:
        steady = steady_state(law, engine, pool.tokens, load)
    fits = pool.tokens >= prompt + output
    closed = np.isfinite(wanted)
    # The first wave of prompts comes all at once: a request waits for half of the others on average.
    burst = np.where(closed, 0.5 * np.where(closed, steady.decoding, 0.0) * steady.prompt_s / waves, 0.0)
    # In a single wave nothing comes in while the batch decodes: what is answered first waits for the prompts left.
    single = (waves <= 1.0) & closed
    alone = steady.decode_s + burst / np.maximum(output - 1.0, 1.0)
    tpot = np.where(single, alone, steady.tpot_s)
    tokens = steady.requests_per_s * replicas * output
    found = np.stack([1e3 * (steady.ttft_s + burst), 1e3 * tpot, tokens], axis=1)
    return np.where(fits[:, None], found, np.nan)


def _apart(
    first: ServingCase,
    design: Disaggregation,
    catalog: Catalog,
    engine: Engine,
    architecture: Architecture,
    load: Load,
    waves: Array,
) -> Array:
    """Prompts computed by one pool, answers by another, in a closed loop; the first wave of prompts comes at once."""
    accelerator, context = first.cluster.accelerator, float(np.mean(np.asarray(load.prompt) + load.output))
    memory = (accelerator.memory_bytes or math.nan) - DRIVER_BYTES

    def replica(deployment: Deployment) -> ServingSetting:
        cluster = replica_cluster(accelerator, deployment.devices, catalog)
        rates = serving_rates(cluster, architecture, engine, catalog.accelerators.values())
        law = iteration_law(first.model, deployment, rates, engine, engine.max_batched_tokens, context)
        pool = cache_pool(first.model, deployment, engine, memory, CONTEXT_BYTES, context)
        return ServingSetting(first.model, deployment, engine, cluster, law, pool)

    prefill, decode = replica(design.prefill), replica(design.decode)
    pools = pools_setting(prefill, design.prefill_replicas, decode, design.decode_replicas, context).pools
    handed = handed_steady(pools, load)
    burst = 0.5 * handed.decoding * design.decode_replicas / most_handed(pools, load) / waves
    tokens = handed.requests_per_s * load.output
    found = np.stack([1e3 * (handed.ttft_s + burst), 1e3 * handed.tpot_s, tokens], axis=1)
    fits = (decode.pool.tokens >= np.asarray(load.prompt) + load.output) & (prefill.pool.tokens >= load.prompt)
    return np.where(fits[:, None], found, np.nan)


def _static(law: IterationLaw, engine: Engine, prompt: Array, output: Array, batch: Array) -> Array:
    """One batch whose prompts run together, and whose answers end together."""
    prefill = law.seconds(0.0, batch * prompt, 0.0, batch * prompt * prompt / 2.0, batch)
    tpot = law.seconds(batch, 0.0, batch * (prompt + output / 2.0), 0.0, batch)
    total = prefill + (output - 1.0) * tpot
    return np.stack([1e3 * prefill, 1e3 * tpot, batch * output / total], axis=1)


def _column(values: Sequence[Any]) -> Any:
    return np.asarray(values, dtype=float)
