"""Encoders: BERT over tokens, vision transformers over patches."""

from __future__ import annotations

from groundplan.workload.huggingface.blocks import grouped_attention
from groundplan.workload.huggingface.config import Config
from groundplan.workload.model import FeedForward, TransformerModel

IMAGENET_CLASSES = 1000


def _encoder(
    config: Config, identity: str, name: str, *, sequence: int, other: int, vocabulary: int, patch_inputs: int
) -> TransformerModel:
    """Build an encoder with LayerNorm, biases and learned positions."""
    hidden, heads = config.size("hidden_size"), config.size("num_attention_heads")
    return TransformerModel(
        id=identity,
        name=name,
        family=config.model_type,
        layers=config.size("num_hidden_layers"),
        hidden=hidden,
        attention=grouped_attention(
            config, hidden=hidden, heads=heads, kv_heads=heads, qkv_bias=True, output_bias=True, causal=False
        ),
        feed_forward=FeedForward(config.size("intermediate_size"), gated=False, bias=True),
        experts=None,
        vocabulary=vocabulary,
        tied_embeddings=True,
        learned_positions=sequence,
        norm_parameters=2 * hidden,
        norms_per_layer=2,
        parallel_block=False,
        max_sequence=sequence,
        parameters=0,
        active_parameters=0,
        embedding_parameters=0,
        source=config.source,
        domain="image" if patch_inputs else "text",
        other_parameters=other,
        patch_inputs=patch_inputs,
    )


def read_bert(config: Config, identity: str, name: str) -> TransformerModel:
    """BERT as it is pre-trained: with pooler, masked-token head and next-sentence head."""
    hidden, vocabulary = config.size("hidden_size"), config.size("vocab_size")
    square, norm = hidden * hidden + hidden, 2 * hidden
    token_head = square + norm + vocabulary  # dense, norm, bias of the tied output
    sentence_head = 2 * hidden + 2
    segments = config.size("type_vocab_size", default=2) * hidden
    return _encoder(
        config,
        identity,
        name,
        sequence=config.size("max_position_embeddings"),
        other=segments + norm + square + token_head + sentence_head,
        vocabulary=vocabulary,
        patch_inputs=0,
    )


def read_vit(config: Config, identity: str, name: str) -> TransformerModel:
    """A vision transformer with class token and a linear classifier; its tokens are the patches."""
    hidden, image, patch = config.size("hidden_size"), config.size("image_size"), config.size("patch_size")
    if image % patch:
        raise config.wrong("image_size", f"{image} is not divisible by patches of {patch}", "correct one")
    labels = config.keys.get("id2label")
    classes = config.size("num_labels", default=len(labels) if isinstance(labels, dict) else IMAGENET_CLASSES)
    patch_inputs = config.size("num_channels", default=3) * patch * patch
    embedding = patch_inputs * hidden + hidden + hidden  # projection, its bias, the class token
    classifier = (hidden + 1) * classes
    return _encoder(
        config,
        identity,
        name,
        sequence=(image // patch) ** 2 + 1,
        other=embedding + 2 * hidden + classifier,
        vocabulary=0,
        patch_inputs=patch_inputs,
    )
