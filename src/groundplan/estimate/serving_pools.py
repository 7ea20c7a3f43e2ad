"""A service of a prefill and a decode pool, put together from the replicas of both and the link between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundplan.design.deployment import Disaggregation
from groundplan.errors import InputError
from groundplan.estimate.disaggregation import Handed, Pools, Workers, handed_at_rate, handed_steady
from groundplan.estimate.rates import network
from groundplan.estimate.service import Load, Steady
from groundplan.estimate.serving import ServingSetting, power_w, sent_token_bytes


@dataclass(frozen=True, slots=True)
class PoolsSetting:
    """Both kinds of replicas, how many of each, and the law of the two pools."""

    prefill: ServingSetting
    decode: ServingSetting
    design: Disaggregation
    pools: Pools


def pools_setting(
    prefill: ServingSetting,
    prefill_replicas: int,
    decode: ServingSetting,
    decode_replicas: int,
    context: float,
    link_bytes_per_s: float | None = None,
) -> PoolsSetting:
    """Return the service of so many replicas of each kind; a link nobody states is the prefill replica's own."""
    design = Disaggregation(prefill.deployment, prefill_replicas, decode.deployment, decode_replicas)
    pools = Pools(
        Workers(prefill.law, prefill.engine, prefill.pool.tokens, prefill_replicas),
        Workers(decode.law, decode.engine, decode.pool.tokens, decode_replicas),
        sent_token_bytes(prefill, context),
        link_bytes_per_s or own_link_bytes_per_s(prefill, design.devices),
    )
    return PoolsSetting(prefill, decode, design, pools)


def own_link_bytes_per_s(prefill: ServingSetting, devices: int) -> float:
    """Return the rate at which a prefill replica sends its caches, all its devices together.

    Over the scale-up links where the `devices` of both pools share one domain, else over its share of the hosts'
    network.
    """
    intra, inter, domain = network(prefill.cluster)
    return (intra if devices <= domain else inter) * prefill.deployment.devices


def decode_steady(handed: Handed) -> Steady:
    """Return the steady state of one decode replica and the requests of both pools, as of a replica that does both."""
    return Steady(
        ttft_s=handed.ttft_s,
        tpot_s=handed.tpot_s,
        decode_s=handed.tpot_s,
        prompt_s=0.0,
        decoding=handed.decoding,
        queued=handed.queued,
        requests_per_s=handed.requests_per_s,
    )


def handed_of(setting: PoolsSetting, load: Load, rate_per_s: float | None = None) -> Handed:
    """Return the steady state under a load; where a rate of requests is given, under that.

    Raises
    ------
    InputError
        Not one request of that length fits into the cache of a replica.
    """
    longest = float(np.max(np.asarray(load.prompt) + load.output))
    needs = (("prefill", setting.prefill, float(np.max(load.prompt))), ("decode", setting.decode, longest))
    for pool, replica, needed in needs:
        if replica.pool.tokens < needed:
            raise InputError(
                f"{replica.model.id} leaves {max(replica.pool.tokens, 0.0):,.0f} tokens of cache on a {pool} replica "
                f"of {replica.deployment.devices} x {replica.accelerator.name}, a request needs {needed:,.0f}",
                f"give {pool} replicas more devices, narrower weights or cache, or send shorter requests",
            )
    if rate_per_s is not None:
        return handed_at_rate(setting.pools, load, rate_per_s)
    return handed_steady(setting.pools, load)


def pools_power_w(setting: PoolsSetting, handed: Handed) -> float | None:
    """Mean power of both pools at the meter; None where the accelerator's is unknown."""
    prompts = power_w(setting.prefill, min(float(handed.prefill_busy), 1.0))
    tokens = power_w(setting.decode, min(float(handed.decoding), 1.0))
    if prompts is None or tokens is None:
        return None
    return prompts * setting.design.prefill_replicas + tokens * setting.design.decode_replicas
