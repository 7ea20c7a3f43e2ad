"""Decoders with RMS norms, rotary positions and gated feed-forward blocks: Llama and its descendants.

One row of `STYLES` per family says where it departs from Llama; mixtures of experts are read by `experts.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from groundplan.workload.huggingface.blocks import grouped_attention, listed_windows
from groundplan.workload.huggingface.config import Config
from groundplan.workload.huggingface.experts import EXPERT_READERS
from groundplan.workload.huggingface.latent import latent_attention
from groundplan.workload.huggingface.linear import (
    LinearReader,
    gated_delta,
    kimi_delta,
    lightning,
    mamba,
    mamba2,
    mamba2_beside,
)
from groundplan.workload.model import Attention, FeedForward, TransformerModel


@dataclass(frozen=True, slots=True)
class Style:
    """Where a family departs from Llama. `window_every`: one layer in so many has full attention."""

    qkv_bias: bool = False  # default of the key attention_bias for queries, keys and values
    output_bias: bool = False  # and for the output projection
    fixed_bias: bool = False  # the family ignores attention_bias
    mlp_bias: bool = False
    qk_norm: bool = False
    sinks: bool = False
    norms_per_layer: int = 2
    tied: bool = False  # default of tie_word_embeddings
    latent: bool = False
    max_sequence: int = 2048  # default of max_position_embeddings
    head_dim: int | None = None  # default of head_dim; None = hidden / heads
    output_gate: bool = False
    linear: LinearReader | None = None
    beside: bool = False  # the linear block stands beside attention, not in its place
    window: str = "none"  # all: every layer | switch: use_sliding_window | pattern: all but one in `window_every`
    window_every: int = 1
    window_default: int = 0  # of sliding_window, where the family has one


STYLES: dict[str, Style] = {
    "llama": Style(),
    "mistral": Style(fixed_bias=True, window="all"),
    "mixtral": Style(fixed_bias=True, window="all"),
    "minimax_m2": Style(qk_norm=True, head_dim=128),
    "qwen2": Style(qkv_bias=True, fixed_bias=True, window="switch"),
    "qwen2_moe": Style(qkv_bias=True, fixed_bias=True, window="switch"),
    "qwen3": Style(qk_norm=True, window="switch", head_dim=128),
    "qwen3_moe": Style(qk_norm=True, window="switch"),
    "deepseek_v2": Style(latent=True),
    "deepseek_v3": Style(latent=True),
    "glm_moe_dsa": Style(latent=True),  # the same latent attention; sparse attention reads less of the cache
    "kimi_k2": Style(latent=True),  # DeepSeek-V3's architecture under a name of its own
    "gemma": Style(tied=True, max_sequence=8192, head_dim=256),
    "gemma2": Style(
        tied=True,
        norms_per_layer=4,
        max_sequence=8192,
        head_dim=256,
        window="pattern",
        window_every=2,
        window_default=4096,
    ),
    "gemma3_text": Style(
        tied=True,
        norms_per_layer=4,
        qk_norm=True,
        max_sequence=131072,
        head_dim=256,
        window="pattern",
        window_every=6,
        window_default=4096,
    ),
    "phi3": Style(fixed_bias=True, window="all"),
    "gpt_oss": Style(
        qkv_bias=True,
        output_bias=True,
        sinks=True,
        max_sequence=131072,
        head_dim=64,
        window="pattern",
        window_every=2,
        window_default=128,
    ),
    "llama4_text": Style(max_sequence=131072, head_dim=128, window="pattern", window_every=4, window_default=8192),
    **dict.fromkeys(
        ("qwen3_next", "qwen3_5_text", "qwen3_5_moe_text"),
        Style(qk_norm=True, output_gate=True, head_dim=256, max_sequence=32768, linear=gated_delta),
    ),
    "kimi_linear": Style(latent=True, linear=kimi_delta),
    **dict.fromkeys(("minimax", "minimax_text_01", "minimax_m1"), Style(fixed_bias=True, linear=lightning)),
    "jamba": Style(fixed_bias=True, max_sequence=262144, linear=mamba),
    "granitemoehybrid": Style(tied=True, linear=mamba2),
    "bamba": Style(max_sequence=262144, linear=mamba2),
    "falcon_h1": Style(max_sequence=8192, linear=mamba2_beside, beside=True),
}

# Where the dense feed-forward block's width is not under intermediate_size, which is that of the experts there.
WIDTH_KEYS = {"llama4_text": ("intermediate_size_mlp",), "granitemoehybrid": ("shared_intermediate_size",)}

# Gemma 3's published multimodal configs leave out what equals the library's defaults (transformers Gemma3TextConfig).
GEMMA3_DEFAULTS = {"num_attention_heads": 8, "num_key_value_heads": 4, "vocab_size": 262208}


def read_modern(config: Config, identity: str, name: str) -> TransformerModel:
    """Read a decoder of the families in `STYLES`; the counts are left at 0."""
    style = STYLES[config.model_type]
    defaults = GEMMA3_DEFAULTS if config.model_type == "gemma3_text" else {}
    layers, hidden = config.size("num_hidden_layers"), config.size("hidden_size")
    heads = config.size("num_attention_heads", default=defaults.get("num_attention_heads"))
    read_experts = EXPERT_READERS.get(config.model_type)
    experts = read_experts(config, layers) if read_experts else None
    if experts is not None and experts.layers == 0:
        experts = None
    width_keys = WIDTH_KEYS.get(config.model_type, ("intermediate_size",))
    all_experts = experts is not None and experts.layers == layers
    width = config.size(*width_keys, default=experts.width if experts and all_experts else None)
    linear = style.linear(config, layers) if style.linear else None
    if linear is not None and linear.layers == 0:
        linear = None
    return TransformerModel(
        id=identity,
        name=name,
        family=config.model_type,
        layers=layers,
        hidden=hidden,
        attention=(
            latent_attention(config, heads)
            if style.latent
            else _attention(config, style, layers, hidden, heads, defaults.get("num_key_value_heads", heads))
        ),
        feed_forward=FeedForward(width, gated=True, bias=config.flag("mlp_bias", style.mlp_bias)),
        experts=experts,
        vocabulary=config.size("vocab_size", default=defaults.get("vocab_size")),
        tied_embeddings=config.flag("tie_word_embeddings", style.tied),
        learned_positions=0,
        norm_parameters=hidden,
        norms_per_layer=style.norms_per_layer,
        parallel_block=False,
        max_sequence=config.size("max_position_embeddings", "model_max_length", default=style.max_sequence),
        parameters=0,
        active_parameters=0,
        embedding_parameters=0,
        source=config.source,
        other_parameters=hidden,  # the final norm
        linear=linear,
        layers_without_attention=linear.layers if linear and not style.beside else 0,
    )


def _attention(config: Config, style: Style, layers: int, hidden: int, heads: int, kv_heads: int) -> Attention:
    fallback = style.head_dim
    window, windowed = _window(config, style, layers)
    head_dim = config.size("head_dim", default=fallback or -1)
    return grouped_attention(
        config,
        hidden=hidden,
        heads=heads,
        kv_heads=config.size("num_key_value_heads", default=kv_heads),
        head_dim=None if head_dim < 0 else head_dim,
        qkv_bias=style.qkv_bias if style.fixed_bias else config.flag("attention_bias", style.qkv_bias),
        output_bias=style.output_bias if style.fixed_bias else config.flag("attention_bias", style.output_bias),
        qk_norm=style.qk_norm,
        sinks=style.sinks,
        output_gate=style.output_gate,
        window=window,
        windowed_layers=windowed,
    )


def _window(config: Config, style: Style, layers: int) -> tuple[int, int]:
    """Return the window [tokens] and the number of layers that have it."""
    listed = None if style.linear else listed_windows(config, layers)
    if style.window == "none" or (style.window == "switch" and not config.flag("use_sliding_window", False)):
        return 0, 0
    names = ("attention_chunk_size",) if config.model_type == "llama4_text" else ("sliding_window",)
    window = config.size(*names, default=style.window_default, minimum=0)
    if listed is not None:
        return window, listed
    if style.window == "switch":
        full = config.size("max_window_layers", default=0, minimum=0)
        return window, max(0, layers - full)
    if style.window == "all":
        return window, layers
    every = config.size("sliding_window_pattern", "_sliding_window_pattern", default=style.window_every)
    return window, layers - layers // every
