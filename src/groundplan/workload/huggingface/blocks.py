"""Parts of a model that several families read in the same way."""

from __future__ import annotations

from groundplan.workload.huggingface.config import Config
from groundplan.workload.huggingface.linear import FULL, listed_kinds
from groundplan.workload.model import Attention, AttentionKind

WINDOWED = ("sliding_attention", "chunked_attention")


def grouped_attention(
    config: Config,
    *,
    hidden: int,
    heads: int,
    kv_heads: int,
    head_dim: int | None = None,
    qkv_bias: bool = False,
    output_bias: bool = False,
    qk_norm: bool = False,
    sinks: bool = False,
    output_gate: bool = False,
    causal: bool = True,
    window: int = 0,
    windowed_layers: int = 0,
) -> Attention:
    """Return a multi-head or grouped-query block; heads must divide what they split."""
    if head_dim is None:
        if hidden % heads:
            raise config.wrong("hidden size", f"{hidden} is not divisible by {heads} attention heads", "correct one")
        head_dim = hidden // heads
    if heads % kv_heads:
        raise config.wrong("attention heads", f"{heads} are not divisible by {kv_heads} key-value heads", "correct one")
    return Attention(
        AttentionKind.GQA,
        heads,
        kv_heads,
        head_dim,
        head_dim,
        qkv_bias=qkv_bias,
        output_bias=output_bias,
        qk_norm=qk_norm,
        sinks=sinks,
        output_gate=output_gate,
        causal=causal,
        window=window if windowed_layers else 0,
        windowed_layers=windowed_layers if window else 0,
    )


def listed_windows(config: Config, layers: int) -> int | None:
    """Return how many layers `layer_types` gives a window, or None where the config has no such list."""
    kinds = listed_kinds(config, layers, WINDOWED + FULL)
    return None if kinds is None else sum(kind in WINDOWED for kind in kinds)


def routed(config: Config, count: int, top_k: int) -> tuple[int, int]:
    """Return experts and how many of them a token visits, after checking one against the other."""
    if top_k > count:
        raise config.wrong("experts", f"per token are {top_k}, more than the {count} there are", "correct one")
    return count, top_k
