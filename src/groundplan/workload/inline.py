"""Architectures that are written by hand in a brief, or assumed from a number of parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from groundplan.errors import InputError
from groundplan.workload.counts import counted
from groundplan.workload.huggingface import Config, transformer_from_config
from groundplan.workload.huggingface.blocks import grouped_attention, routed
from groundplan.workload.model import Experts, FeedForward, TransformerModel

INLINE_KEYS = (
    "layers",
    "hidden",
    "heads",
    "kv_heads",
    "head_dim",
    "ffn",
    "gated",
    "vocab",
    "tied",
    "sequence",
    "experts",
    "top_k",
    "expert_ffn",
    "shared_ffn",
    "expert_layers",
    "norms_per_layer",
    "window",
    "windowed_layers",
)

DEFAULT_SEQUENCE = 2048  # GPT-3's; Brown et al. 2020, arXiv:2005.14165
DEFAULT_VOCABULARY = 51200  # GPT-2's 50,257 tokens padded to a multiple of 1,024, as Megatron-LM trains GPT-3
HEAD_DIM = 128  # of every GPT-3 from 6.7B up, table 2.1 there
SMALL_HEAD_DIM = 64  # of its smaller ones
ASPECTS = ((1e9, 64.0), (5e9, 85.0), (math.inf, 128.0))  # parameters up to which hidden / layers is about so, ibid.
PARAMETER_RANGE = (1e7, 1e14)
SUFFIXES = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


def architecture_from_mapping(
    mapping: Mapping[str, Any], *, name: str | None = None, source: str = "brief"
) -> TransformerModel:
    """Return a decoder with RMS norms, rotary positions and no biases, of the sizes in `mapping`.

    `layers`, `hidden`, `heads` and `vocab` are required. `kv_heads` is `heads`, `head_dim` hidden / heads and `ffn`
    4 hidden unless given. `gated` is true unless said otherwise where `ffn` is given and is not 4 hidden. `experts`
    with `top_k` (2) makes a mixture, of width `expert_ffn` (`ffn`) in the last `expert_layers` (all) layers.

    Raises
    ------
    InputError
        A missing key, a size that cannot be, heads that do not divide.
    """
    config = Config(mapping, source if source != "brief" else "model")
    layers, hidden, heads = config.size("layers"), config.size("hidden"), config.size("heads")
    ffn = config.size("ffn", default=4 * hidden)
    gated = config.flag("gated", ffn != 4 * hidden)
    label = str(mapping.get("name") or "model of the brief")
    head_dim = config.size("head_dim", default=0, minimum=0)
    windowed = config.size("windowed_layers", default=layers)
    if windowed > layers:
        raise config.wrong("windowed_layers", f"is {windowed}, more than the {layers} layers", "correct it")
    model = TransformerModel(
        id=label,
        name=name or label,
        family="decoder",
        layers=layers,
        hidden=hidden,
        attention=grouped_attention(
            config,
            hidden=hidden,
            heads=heads,
            kv_heads=config.size("kv_heads", default=heads),
            head_dim=head_dim or None,
            window=config.size("window", default=0, minimum=0),
            windowed_layers=windowed,
        ),
        feed_forward=FeedForward(ffn, gated),
        experts=_experts(config, layers, ffn, gated),
        vocabulary=config.size("vocab"),
        tied_embeddings=config.flag("tied", False),
        learned_positions=0,
        norm_parameters=hidden,
        norms_per_layer=config.size("norms_per_layer", default=2),
        parallel_block=False,
        max_sequence=config.size("sequence", default=DEFAULT_SEQUENCE),
        parameters=0,
        active_parameters=0,
        embedding_parameters=0,
        source=source,
        other_parameters=hidden,
    )
    return counted(model)


def _experts(config: Config, layers: int, ffn: int, gated: bool) -> Experts | None:
    if config.keys.get("experts") is None:
        return None
    count, top_k = routed(config, config.size("experts"), config.size("top_k", default=2))
    sparse = config.size("expert_layers", default=layers)
    if sparse > layers:
        raise config.wrong("expert_layers", f"is {sparse}, more than the {layers} layers", "correct it")
    shared = config.size("shared_ffn", default=0, minimum=0)
    return Experts(count, top_k, config.size("expert_ffn", default=ffn), gated, sparse, shared_width=shared)


def dense_shape(parameters: object, mapping: Mapping[str, Any]) -> TransformerModel:
    """Return a dense GPT-like decoder of exactly `parameters` parameters: an assumption, and named so.

    Hidden / layers follows GPT-3's table (64 below a billion, 85 below five, 128 above); hidden is a multiple of
    1,024 where it can be, layers of four, so that parallel layouts divide; the width of the feed-forward block,
    about 4 hidden, takes up the rest, and what is left below its step is counted with the norms.

    Raises
    ------
    InputError
        No number, or one outside ten million to a hundred trillion.
    """
    wanted = _count(parameters)
    config = Config(mapping, "model")
    vocabulary = config.size("vocab", default=DEFAULT_VOCABULARY)
    sequence = config.size("sequence", default=DEFAULT_SEQUENCE)
    hidden, layers = _hidden_and_layers(wanted, vocabulary + sequence)
    head_dim = HEAD_DIM if hidden >= 2048 else SMALL_HEAD_DIM
    keys = {
        "model_type": "gpt2",
        "n_embd": hidden,
        "n_layer": layers,
        "n_head": hidden // head_dim,
        "n_positions": sequence,
        "vocab_size": vocabulary,
    }
    source = f"assumed: a GPT-like shape of {wanted:.3g} parameters, hidden / layers as in GPT-3"
    label = str(mapping.get("name") or f"dense-{wanted / 1e9:.3g}b")
    plain = transformer_from_config(Config({**keys, "n_inner": 64}, source), label, label)
    step = 128 if hidden >= 2048 else 64
    per_width = layers * (2 * hidden + 1)  # two matrices and one bias
    width = 64 + max(0, (wanted - plain.parameters) // per_width) // step * step
    model = transformer_from_config(Config({**keys, "n_inner": width}, source), label, label)
    rest = max(0, wanted - model.parameters)
    return counted(replace(model, other_parameters=model.other_parameters + rest))


def _hidden_and_layers(parameters: int, rows: int) -> tuple[int, int]:
    """Return the width and depth nearest to GPT-3's aspect; `rows` are those of the tables."""
    aspect = next(ratio for limit, ratio in ASPECTS if parameters <= limit)
    best, distance = (SMALL_HEAD_DIM, 1), math.inf
    for step, widths in ((64, range(1, 16)), (256, range(4, 16)), (1024, range(4, 129))):
        for hidden in (step * width for width in widths):
            depth = (parameters - rows * hidden) / (12 * hidden**2)
            layers = round(depth / 4) * 4 if depth >= 12 else round(depth)
            if layers < 1:
                continue
            off = abs(math.log(hidden / layers / aspect)) + abs(math.log(layers / depth))
            if off < distance:
                best, distance = (hidden, layers), off
    return best


def _count(value: object) -> int:
    """Read a number of parameters: 20e9, "20e9" or "20B"."""
    text = str(value).strip().replace(",", "").replace("_", "").upper()
    scale = SUFFIXES.get(text[-1:], 1.0)
    try:
        number = float(text[:-1] if text[-1:] in SUFFIXES else text) * scale
    except ValueError:
        number = math.nan
    low, high = PARAMETER_RANGE
    if isinstance(value, bool) or not low <= number <= high:
        shown = repr(value)[:40]
        raise InputError(f"model parameters is {shown}; expected a number from {low:.0e} to {high:.0e}", "e.g. 20e9")
    return round(number)
