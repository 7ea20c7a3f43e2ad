"""Decoders with LayerNorm: GPT-2, GPT-J, GPT-NeoX, BLOOM, OPT, Falcon, MPT and Phi."""

from __future__ import annotations

from groundplan.workload.huggingface.blocks import grouped_attention
from groundplan.workload.huggingface.config import Config
from groundplan.workload.model import FeedForward, TransformerModel


def _decoder(
    config: Config,
    identity: str,
    name: str,
    *,
    layers: int,
    hidden: int,
    heads: int,
    width: int,
    bias: bool,
    tied: bool,
    sequence: int,
    kv_heads: int | None = None,
    qkv_bias: bool | None = None,
    output_bias: bool | None = None,
    norm_bias: bool = True,
    norms_per_layer: int = 2,
    positions: int = 0,
    parallel: bool = False,
    other: int | None = None,
    embedding_width: int = 0,
) -> TransformerModel:
    """Build a decoder; `bias` holds for every matrix unless said otherwise, `other` is the final norm unless given."""
    norm = 2 * hidden if norm_bias else hidden
    return TransformerModel(
        id=identity,
        name=name,
        family=config.model_type,
        layers=layers,
        hidden=hidden,
        attention=grouped_attention(
            config,
            hidden=hidden,
            heads=heads,
            kv_heads=kv_heads or heads,
            qkv_bias=bias if qkv_bias is None else qkv_bias,
            output_bias=bias if output_bias is None else output_bias,
        ),
        feed_forward=FeedForward(width, gated=False, bias=bias),
        experts=None,
        vocabulary=config.size("vocab_size"),
        tied_embeddings=tied,
        learned_positions=positions,
        norm_parameters=norm,
        norms_per_layer=norms_per_layer,
        parallel_block=parallel,
        max_sequence=sequence,
        parameters=0,
        active_parameters=0,
        embedding_parameters=0,
        source=config.source,
        other_parameters=norm if other is None else other,
        embedding_width=embedding_width,
    )


def read_gpt2(config: Config, identity: str, name: str) -> TransformerModel:
    """GPT-2, and GPT-3 written in its keys."""
    hidden, positions = config.size("n_embd", "hidden_size"), config.size("n_positions", "n_ctx")
    return _decoder(
        config,
        identity,
        name,
        layers=config.size("n_layer", "num_hidden_layers"),
        hidden=hidden,
        heads=config.size("n_head", "num_attention_heads"),
        width=config.size("n_inner", default=4 * hidden),
        bias=True,
        tied=config.flag("tie_word_embeddings", True),
        sequence=positions,
        positions=positions,
    )


def read_gptj(config: Config, identity: str, name: str) -> TransformerModel:
    """GPT-J: rotary, parallel block with one norm, no attention biases, an output head with a bias."""
    hidden = config.size("n_embd", "hidden_size")
    return _decoder(
        config,
        identity,
        name,
        layers=config.size("n_layer", "num_hidden_layers"),
        hidden=hidden,
        heads=config.size("n_head", "num_attention_heads"),
        width=config.size("n_inner", default=4 * hidden),
        bias=True,
        qkv_bias=False,
        output_bias=False,
        tied=config.flag("tie_word_embeddings", False),
        sequence=config.size("n_positions", default=2048),
        norms_per_layer=1,
        parallel=True,
        other=2 * hidden + config.size("vocab_size"),
    )


def read_gpt_neox(config: Config, identity: str, name: str) -> TransformerModel:
    """GPT-NeoX and Pythia: rotary, parallel block with two norms."""
    attention_bias = config.flag("attention_bias", True)
    return _decoder(
        config,
        identity,
        name,
        layers=config.size("num_hidden_layers"),
        hidden=config.size("hidden_size"),
        heads=config.size("num_attention_heads"),
        width=config.size("intermediate_size"),
        bias=True,
        qkv_bias=attention_bias,
        output_bias=attention_bias,
        tied=config.flag("tie_word_embeddings", False),
        sequence=config.size("max_position_embeddings", default=2048),
        parallel=config.flag("use_parallel_residual", True),
    )


def read_bloom(config: Config, identity: str, name: str) -> TransformerModel:
    """BLOOM: ALiBi, and a norm after the token table."""
    hidden = config.size("hidden_size", "n_embed")
    return _decoder(
        config,
        identity,
        name,
        layers=config.size("n_layer", "num_hidden_layers"),
        hidden=hidden,
        heads=config.size("n_head", "num_attention_heads"),
        width=4 * hidden,
        bias=True,
        tied=config.flag("tie_word_embeddings", True),
        sequence=config.size("seq_length", default=2048),
        other=2 * 2 * hidden,
    )


def read_opt(config: Config, identity: str, name: str) -> TransformerModel:
    """OPT: learned positions with two spare rows; opt-350m has a narrow token table and no final norm."""
    hidden, positions = config.size("hidden_size"), config.size("max_position_embeddings")
    table = config.size("word_embed_proj_dim", default=hidden)
    bias = config.flag("enable_bias", True)
    affine = config.flag("layer_norm_elementwise_affine", True)
    final = config.flag("do_layer_norm_before", True) and not config.flag("_remove_final_layer_norm", False)
    projections = 2 * table * hidden if table != hidden else 0
    model = _decoder(
        config,
        identity,
        name,
        layers=config.size("num_hidden_layers"),
        hidden=hidden,
        heads=config.size("num_attention_heads"),
        width=config.size("ffn_dim"),
        bias=bias,
        tied=config.flag("tie_word_embeddings", True),
        sequence=positions,
        positions=positions + 2,
        norms_per_layer=2 if affine else 0,
        other=(2 * hidden if final and affine else 0) + projections,
        embedding_width=table if table != hidden else 0,
    )
    return model


def read_falcon(config: Config, identity: str, name: str) -> TransformerModel:
    """Falcon: multi-query (7B) or grouped (40B, 180B: `new_decoder_architecture`, two norms side by side)."""
    hidden = config.size("hidden_size")
    heads = config.size("num_attention_heads", "n_head")
    grouped = config.flag("new_decoder_architecture", False)
    parallel = grouped or config.flag("parallel_attn", True)
    if grouped:
        kv_heads = config.size("num_kv_heads", "n_head_kv", default=heads)
        norms = config.size("num_ln_in_parallel_attn", default=2)
    else:
        kv_heads = 1 if config.flag("multi_query", True) else heads
        norms = 1 if parallel else 2
    return _decoder(
        config,
        identity,
        name,
        layers=config.size("num_hidden_layers", "n_layer"),
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        width=config.size("ffn_hidden_size", default=4 * hidden),
        bias=config.flag("bias", False),
        tied=config.flag("tie_word_embeddings", True),
        sequence=config.size("max_position_embeddings", default=2048),
        norms_per_layer=norms,
        parallel=parallel,
    )


def read_mpt(config: Config, identity: str, name: str) -> TransformerModel:
    """MPT: no biases, even in the norms; ALiBi, or learned positions where the config switches ALiBi off."""
    hidden, heads = config.size("d_model"), config.size("n_heads")
    sequence = config.size("max_seq_len", default=2048)
    attention = config.section("attn_config") if config.keys.get("attn_config") is not None else config
    alibi = attention.flag("alibi", True)
    learned = config.flag("learned_pos_emb", True) and not alibi
    bias = not config.flag("no_bias", True)
    return _decoder(
        config,
        identity,
        name,
        layers=config.size("n_layers"),
        hidden=hidden,
        heads=heads,
        kv_heads=attention.size("kv_n_heads", default=heads),
        width=config.size("expansion_ratio", default=4) * hidden,
        bias=bias,
        norm_bias=bias,
        tied=config.flag("tie_word_embeddings", True),
        sequence=sequence,
        positions=sequence if learned else 0,
    )


def read_phi(config: Config, identity: str, name: str) -> TransformerModel:
    """Phi-1 to Phi-2: rotary, parallel block with one norm, an output head with a bias."""
    hidden, heads = config.size("hidden_size"), config.size("num_attention_heads")
    return _decoder(
        config,
        identity,
        name,
        layers=config.size("num_hidden_layers"),
        hidden=hidden,
        heads=heads,
        kv_heads=config.size("num_key_value_heads", default=heads),
        width=config.size("intermediate_size"),
        bias=True,
        tied=config.flag("tie_word_embeddings", False),
        sequence=config.size("max_position_embeddings", default=2048),
        norms_per_layer=1,
        parallel=True,
        other=2 * hidden + config.size("vocab_size"),
    )
