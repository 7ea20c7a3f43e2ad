"""How a model is laid out over the devices of one serving replica."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from groundplan.errors import InputError
from groundplan.workload.counts import counted
from groundplan.workload.model import TransformerModel


@dataclass(frozen=True, slots=True)
class Speculation:
    """Speculative decoding: `drafted` tokens are proposed and checked at once, in one iteration of the model."""

    drafted: int
    acceptance: float  # probability that a drafted token is accepted when those before it were
    draft: TransformerModel | None  # what proposes them; None = a look-up in the text (n-grams)
    own_tables: bool  # whether the draft holds its own embedding and head, as a head beside the model does not


@dataclass(frozen=True, slots=True)
class Adapters:
    """LoRA adapters held beside the weights; requests spread evenly over them."""

    count: int
    rank: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """One replica: parallel sizes, number formats, and what is served beside the model itself.

    `tp` devices split every matrix; `dp` such groups hold the attention weights again and share out the sequences
    (attention data parallelism), while the experts are spread over all of a stage; `pp` stages follow one another.
    """

    tp: int
    pp: int
    dp: int  # attention data parallelism
    ep: int  # devices over which whole experts are spread; the rest of a stage splits each expert's matrices
    weights: str  # format of the weights: bf16, fp8, int4, nvfp4, ...
    kv: str  # format of the cache
    speculation: Speculation | None = None
    adapters: Adapters | None = None

    @property
    def devices(self) -> int:
        """Accelerators of a replica."""
        return self.tp * self.dp * self.pp

    @property
    def stage(self) -> int:
        """Accelerators of one pipeline stage."""
        return self.tp * self.dp


@dataclass(frozen=True, slots=True)
class Disaggregation:
    """Prefill and decode apart: replicas that compute prompts, and others that take over the cache and decode."""

    prefill: Deployment
    prefill_replicas: int
    decode: Deployment
    decode_replicas: int

    @property
    def devices(self) -> int:
        """Accelerators of both pools."""
        return self.prefill.devices * self.prefill_replicas + self.decode.devices * self.decode_replicas


def check_deployment(model: TransformerModel, deployment: Deployment) -> None:
    """Raise where a model cannot be split so.

    Raises
    ------
    InputError
        What does not divide, and what does.
    """
    heads, experts = model.attention.heads, model.experts
    if heads % deployment.tp:
        raise InputError(
            f"tp {deployment.tp} does not divide the {heads} attention heads of {model.id}",
            f"use {', '.join(str(one) for one in _divisors(heads, 64))}",
        )
    kv_heads = model.attention.kv_heads
    if kv_heads % deployment.tp and deployment.tp % kv_heads:
        raise InputError(
            f"tp {deployment.tp} neither divides nor is a multiple of the {kv_heads} key-value heads of {model.id}",
            f"use {', '.join(str(one) for one in _divisors(kv_heads, 64))} or a multiple of {kv_heads}",
        )
    if model.linear is not None and model.linear.heads % deployment.tp:
        raise InputError(
            f"tp {deployment.tp} does not divide the {model.linear.heads} states of the linear layers of {model.id}",
            f"use {', '.join(str(one) for one in _divisors(math.gcd(heads, model.linear.heads), 64))}",
        )
    if deployment.pp > model.layers:
        raise InputError(f"pp {deployment.pp} is more than the {model.layers} layers of {model.id}", "use fewer stages")
    if deployment.ep == 1:
        return
    if experts is None:
        raise InputError(f"{model.id} has no experts to spread over ep {deployment.ep}", "leave ep out")
    if deployment.stage % deployment.ep or experts.count % deployment.ep:
        raise InputError(
            f"ep {deployment.ep} divides neither or only one of tp x dp = {deployment.stage} and "
            f"{experts.count} experts",
            f"use {', '.join(str(one) for one in _divisors(deployment.stage, 512) if experts.count % one == 0)}",
        )


def draft_head(model: TransformerModel) -> TransformerModel:
    """Return one layer of a model, as the heads that draft for it have (EAGLE, multi-token prediction)."""
    experts = replace(model.experts, layers=1) if model.experts else None
    windowed = min(model.attention.windowed_layers, 1) if model.attention.windowed_layers == model.layers else 0
    attention = replace(model.attention, windowed_layers=windowed)
    one = replace(model, layers=1, experts=experts, attention=attention, linear=None)
    return counted(replace(one, layers_without_attention=0, layers_without_feed_forward=0))


def _divisors(number: int, most: int) -> list[int]:
    return [one for one in range(1, min(number, most) + 1) if number % one == 0]
