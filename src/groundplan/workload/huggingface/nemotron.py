"""Nemotron-H and Nemotron 3: every layer is one block alone, Mamba-2, attention, feed-forward or experts."""

from __future__ import annotations

from groundplan.workload.huggingface.blocks import grouped_attention, routed
from groundplan.workload.huggingface.config import Config
from groundplan.workload.huggingface.linear import FULL, LINEAR, listed_kinds, mamba2
from groundplan.workload.model import Experts, FeedForward, TransformerModel

PATTERN = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}


def read_nemotron_h(config: Config, identity: str, name: str) -> TransformerModel:
    """Read the pattern of blocks and their sizes; the counts are left at 0."""
    if config.keys.get("moe_latent_size") is not None:
        raise config.wrong("moe_latent_size", "is given: experts in a latent space are not modelled", "leave it out")
    kinds = _kinds(config)
    layers, hidden = len(kinds), config.size("hidden_size")
    attention, linear = (sum(kind in names for kind in kinds) for names in (FULL, LINEAR))
    return TransformerModel(
        id=identity,
        name=name,
        family=config.model_type,
        layers=layers,
        hidden=hidden,
        attention=grouped_attention(
            config,
            hidden=hidden,
            heads=config.size("num_attention_heads"),
            kv_heads=config.size("num_key_value_heads"),
            head_dim=config.size("head_dim", "attention_head_dim"),
            qkv_bias=config.flag("attention_bias", False),
            output_bias=config.flag("attention_bias", False),
        ),
        feed_forward=FeedForward(config.size("intermediate_size"), gated=False, bias=config.flag("mlp_bias", False)),
        experts=_experts(config, kinds.count("moe")),
        vocabulary=config.size("vocab_size"),
        tied_embeddings=config.flag("tie_word_embeddings", False),
        learned_positions=0,
        norm_parameters=hidden,
        norms_per_layer=1,
        parallel_block=False,
        max_sequence=config.size("max_position_embeddings"),
        parameters=0,
        active_parameters=0,
        embedding_parameters=0,
        source=config.source,
        other_parameters=hidden,
        linear=mamba2(config, layers, count=linear) if linear else None,
        layers_without_attention=layers - attention,
        layers_without_feed_forward=attention + linear,
    )


def _kinds(config: Config) -> tuple[str, ...]:
    """Return the block of each layer, from the pattern of letters or the list of names."""
    pattern = config.keys.get("hybrid_override_pattern")
    if pattern is None:
        stated = config.members("layers_block_type") or config.members("layer_types") or ()
        kinds = listed_kinds(config, len(stated), LINEAR + FULL + ("mlp", "moe"))
        if kinds is None:
            raise config.wrong("hybrid_override_pattern", "is missing", "add it as the published config.json has it")
        return kinds
    letters = str(pattern)
    for letter in letters:
        if letter not in PATTERN:
            raise config.wrong("hybrid_override_pattern", f"holds {letter!r}", f"known letters: {' '.join(PATTERN)}")
    if len(letters) != config.size("num_hidden_layers", default=len(letters)):
        raise config.wrong("hybrid_override_pattern", f"has {len(letters)} letters", "give one for each hidden layer")
    return tuple(PATTERN[letter] for letter in letters)


def _experts(config: Config, layers: int) -> Experts | None:
    if layers == 0:
        return None
    count, top_k = routed(config, config.size("n_routed_experts"), config.size("num_experts_per_tok"))
    shared = config.size("n_shared_experts", default=1, minimum=0)
    return Experts(
        count,
        top_k,
        config.size("moe_intermediate_size"),
        gated=False,
        layers=layers,
        shared_width=shared * config.size("moe_shared_expert_intermediate_size"),
        router_bias=True,  # steers the routing and is saved with the weights
    )
