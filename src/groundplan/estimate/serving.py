"""One serving replica, put together: its law, its cache, its steady state, and its power."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Accelerator, Engine
from groundplan.design.cluster import Cluster
from groundplan.design.deployment import Deployment
from groundplan.design.hosting import replica_cluster
from groundplan.errors import InputError
from groundplan.estimate import assumptions as given
from groundplan.estimate.iteration import iteration_law, serving_rates
from groundplan.estimate.replica import IterationLaw, Replica
from groundplan.estimate.service import Load, Pool, Steady, cache_pool, state_at_rate, steady_state
from groundplan.estimate.serving_memory import cache_token_bytes
from groundplan.physics.energy import device_power_w
from groundplan.workload.model import TransformerModel

CONTEXT_BYTES = 0.5e9
"""Driver context and libraries inside the share that an engine takes; class assumed."""
DRIVER_BYTES = 0.5e9
"""Of a device's memory that its driver keeps: a 24,564 MiB card offers 24,081 MiB (vLLM 0.19 on an RTX 4090); class
derived."""
BUSY_SHARE = 0.8
"""Share of the power limit that a device draws while it decodes; class assumed."""
LOADING_BYTES_PER_S = 2.0e9
"""Rate at which weights come from local disks or a fast file system to one host; class assumed."""
STARTING_S = 60.0
"""Start of a process, its context, and the capture of its graphs; class assumed."""


@dataclass(frozen=True, slots=True)
class ServingSetting:
    """One replica with all that its estimate needs."""

    model: TransformerModel
    deployment: Deployment
    engine: Engine
    cluster: Cluster
    law: IterationLaw
    pool: Pool

    @property
    def accelerator(self) -> Accelerator:
        """What it runs on."""
        return self.cluster.accelerator


def serving_setting(
    model: TransformerModel,
    deployment: Deployment,
    engine: Engine,
    accelerator: Accelerator,
    context: float,
    catalog: Catalog,
) -> ServingSetting:
    """Return a replica for sequences of about `context` tokens.

    Raises
    ------
    InputError
        The accelerator's memory or its rates are unknown.
    """
    memory, bandwidth = accelerator.memory_bytes, accelerator.memory_bytes_per_s
    if memory is None or bandwidth is None:
        raise InputError(
            f"the memory of {accelerator.name} is unknown", "add its memory and bandwidth to a catalog row"
        )
    cluster = replica_cluster(accelerator, deployment.devices, catalog)
    rates = serving_rates(cluster, catalog.architecture_of(accelerator), engine, catalog.accelerators.values())
    law = iteration_law(model, deployment, rates, engine, engine.max_batched_tokens, context)
    pool = cache_pool(model, deployment, engine, memory - DRIVER_BYTES, CONTEXT_BYTES, context)
    return ServingSetting(model, deployment, engine, cluster, law, pool)


def steady_of(setting: ServingSetting, load: Load, rate_per_s: float | None = None) -> Steady:
    """Return the steady state under a load; where a rate of requests is given, at the concurrency it brings about."""
    if rate_per_s is not None:
        return state_at_rate(setting.law, setting.engine, setting.pool.tokens, load, rate_per_s)
    return steady_state(setting.law, setting.engine, setting.pool.tokens, load)


def power_w(setting: ServingSetting, busy: float) -> float | None:
    """Mean power of a replica at the meter, its hosts' share included; None where the accelerator's is unknown."""
    accelerator, host = setting.accelerator, setting.cluster.host
    if accelerator.tdp_w is None:
        return None
    idle = accelerator.idle_w if accelerator.idle_w is not None else accelerator.tdp_w * given.number(given.IDLE_SHARE)
    device = device_power_w(idle, accelerator.tdp_w * BUSY_SHARE, busy)
    beside = host.power_w / host.accelerators if host.power_w is not None else given.number(given.HOST_POWER)
    return float(setting.deployment.devices * (device + beside) * given.number(given.PUE))


def sent_token_bytes(setting: ServingSetting, context: float) -> float:
    """Return the bytes of a token's cache on all devices of a replica that hold it."""
    split = setting.deployment
    return cache_token_bytes(setting.model, split, context) * split.stage * split.pp / split.dp


def replica_of(setting: ServingSetting, context: float, usd_per_hour: float | None) -> Replica:
    """Return the replica as a simulation takes it."""
    deployment, engine = setting.deployment, setting.engine
    weights = setting.pool.terms["weights"] * deployment.devices
    return Replica(
        law=setting.law,
        devices=deployment.devices,
        kv_tokens=int(max(setting.pool.tokens, 0.0)),
        block_tokens=engine.block_tokens,
        max_sequences=engine.max_sequences,
        max_batched_tokens=engine.max_batched_tokens,
        chunked_prefill=engine.chunked_prefill,
        prefix_caching=engine.prefix_caching,
        kv_token_bytes=sent_token_bytes(setting, context),
        request_s=engine.request_s,
        start_s=STARTING_S + weights / LOADING_BYTES_PER_S / setting.cluster.nodes,
        watts_busy=_or_nan(power_w(setting, 1.0)),
        watts_idle=_or_nan(power_w(setting, 0.0)),
        usd_per_hour=usd_per_hour,
    )


def _or_nan(watts: float | None) -> float:
    """Return a power, NaN where it is unknown: energy made of it is unknown as well, never 0."""
    return math.nan if watts is None else watts


Terms = Mapping[str, float]


def iteration_terms(setting: ServingSetting, load: Load, steady: Steady) -> Terms:
    """Return what a mean iteration is made of [s]: the time of tokens, of the cache, of the host, of prompts."""
    law, decoding = setting.law, max(float(steady.decoding), 1.0)
    read = decoding * (float(load.prompt) + float(load.output) / 2.0)
    host = setting.engine.iteration_s + setting.engine.sequence_s * decoding
    kept = (law.sequence_s - setting.engine.sequence_s) * decoding  # windows and states, read whatever the context
    drafts = float(law.drafting_s(decoding))
    terms = {
        "layers": float(law.seconds(decoding, 0.0, 0.0, 0.0, decoding)) - host - kept - drafts,
        "drafts": drafts,
        "cache": law.decode_context_s * read + kept,
        "host": host,
    }
    told = {name: seconds / law.yielded for name, seconds in terms.items() if seconds or name != "drafts"}
    return {**told, "prompts": float(steady.tpot_s - steady.decode_s)}
