"""Mixtures of experts, family by family: how many, how wide, in which layers, and what is shared."""

from __future__ import annotations

from collections.abc import Callable

from groundplan.workload.huggingface.blocks import routed
from groundplan.workload.huggingface.config import Config
from groundplan.workload.model import Experts


def _mixtral(config: Config, layers: int) -> Experts:
    count, top_k = routed(config, config.size("num_local_experts"), config.size("num_experts_per_tok"))
    return Experts(count, top_k, config.size("intermediate_size"), gated=True, layers=layers)


def _qwen(config: Config, layers: int) -> Experts:
    count, top_k = routed(config, config.size("num_experts"), config.size("num_experts_per_tok"))
    shared = config.size("shared_expert_intermediate_size", default=0, minimum=0)
    step = config.size("decoder_sparse_step", default=1)
    dense = {layer for layer in config.members("mlp_only_layers") or () if isinstance(layer, int)}
    sparse = sum((layer + 1) % step == 0 and layer not in dense for layer in range(layers))
    has_shared = config.model_type != "qwen3_moe" and shared > 0
    return Experts(
        count,
        top_k,
        config.size("moe_intermediate_size"),
        gated=True,
        layers=sparse,
        shared_width=shared if has_shared else 0,
        shared_gate=has_shared,
    )


def _deepseek(config: Config, layers: int) -> Experts | None:
    if config.size("n_routed_experts", "num_experts", default=0, minimum=0) == 0:
        return None
    top_k = config.size("num_experts_per_tok", "num_experts_per_token")
    count, top_k = routed(config, config.size("n_routed_experts", "num_experts"), top_k)
    width = config.size("moe_intermediate_size")
    first = config.size("first_k_dense_replace", default=0, minimum=0)
    every = config.size("moe_layer_freq", default=1)
    return Experts(
        count,
        top_k,
        width,
        gated=True,
        layers=sum(layer >= first and layer % every == 0 for layer in range(layers)),
        shared_width=width * config.size("n_shared_experts", "num_shared_experts", default=0, minimum=0),
        # V3's correction bias steers the routing and is saved with the weights.
        router_bias=config.model_type != "deepseek_v2",
    )


def _gpt_oss(config: Config, layers: int) -> Experts:
    top_k = config.size("num_experts_per_tok", "experts_per_token")
    count, top_k = routed(config, config.size("num_local_experts"), top_k)
    return Experts(
        count, top_k, config.size("intermediate_size"), gated=True, layers=layers, bias=True, router_bias=True
    )


def _llama4(config: Config, layers: int) -> Experts:
    count, top_k = routed(config, config.size("num_local_experts"), config.size("num_experts_per_tok"))
    width = config.size("intermediate_size")
    step = config.size("interleave_moe_layer_step", default=1)
    listed = config.members("moe_layers")
    sparse = min(len(listed), layers) if listed is not None else layers // step
    return Experts(count, top_k, width, gated=True, layers=sparse, shared_width=width)


def _granite(config: Config, layers: int) -> Experts | None:
    if config.size("num_local_experts", default=0, minimum=0) == 0:
        return None
    count, top_k = routed(config, config.size("num_local_experts"), config.size("num_experts_per_tok"))
    width, shared = config.size("intermediate_size"), config.size("shared_intermediate_size")
    return Experts(count, top_k, width, gated=True, layers=layers, shared_width=shared)


def _jamba(config: Config, layers: int) -> Experts | None:
    count, top_k = routed(config, config.size("num_experts"), config.size("num_experts_per_tok"))
    period, offset = config.size("expert_layer_period"), config.size("expert_layer_offset", minimum=0)
    if count == 1:
        return None
    if offset >= period:
        raise config.wrong("expert_layer_offset", f"{offset} is not below the period {period}", "correct one")
    sparse = len(range(offset, layers, period))
    return Experts(count, top_k, config.size("intermediate_size"), gated=True, layers=sparse)


EXPERT_READERS: dict[str, Callable[[Config, int], Experts | None]] = {
    "mixtral": _mixtral,
    "minimax_m2": _mixtral,
    "glm_moe_dsa": _deepseek,
    "qwen2_moe": _qwen,
    "qwen3_moe": _qwen,
    "deepseek_v2": _deepseek,
    "deepseek_v3": _deepseek,
    "kimi_k2": _deepseek,
    "gpt_oss": _gpt_oss,
    "llama4_text": _llama4,
    "qwen3_next": _qwen,
    "qwen3_5_moe_text": _qwen,
    "kimi_linear": _deepseek,
    "minimax": _mixtral,
    "minimax_text_01": _mixtral,
    "minimax_m1": _mixtral,
    "granitemoehybrid": _granite,
    "jamba": _jamba,
}
