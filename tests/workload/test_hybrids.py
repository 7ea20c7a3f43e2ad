"""Hybrids of attention and linear layers: which layers have what, as each family says it, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import groundplan.catalog
from groundplan.design.deployment import draft_head
from groundplan.errors import InputError
from groundplan.workload.huggingface import Config, transformer_from_config
from groundplan.workload.model import TransformerModel
from groundplan.workload.models import load_model

FOLDER = Path(groundplan.catalog.__file__).parent / "data" / "models"
ROWS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
CATALOG = SimpleNamespace(models=ROWS)

LAYERS = {  # layers, with attention, with a linear block, with a dense feed-forward block, with experts
    "qwen3-next-80b-a3b": (48, 12, 36, 0, 48),
    "qwen3.5-397b-a17b": (60, 15, 45, 0, 60),
    "kimi-linear-48b-a3b": (27, 7, 20, 1, 26),
    "nemotron-h-8b": (52, 4, 24, 24, 0),
    "nemotron-3-nano-30b-a3b": (52, 6, 23, 0, 23),
    "jamba-v0.1": (32, 4, 28, 16, 16),
    "granite-4.0-h-small": (40, 4, 36, 0, 40),
    "granite-4.0-h-micro": (40, 4, 36, 40, 0),
    "falcon-h1-0.5b": (36, 36, 36, 36, 0),
    "minimax-text-01": (80, 10, 70, 0, 80),
}


def transformer(name: str) -> TransformerModel:
    model = load_model(name, CATALOG)
    assert isinstance(model, TransformerModel)
    return model


def changed(name: str, **keys: object) -> TransformerModel:
    config = {key: value for key, value in {**ROWS[name]["config"], **keys}.items() if value is not None}
    return transformer_from_config(Config(config, "config"), name, name)


def refused(name: str, **keys: object) -> str:
    with pytest.raises(InputError) as caught:
        changed(name, **keys)
    assert caught.value.mend
    return caught.value.what


@pytest.mark.parametrize(("name", "layers"), LAYERS.items())
def test_layers_have_the_blocks_their_reports_state(name, layers):
    model = transformer(name)
    experts = model.experts.layers if model.experts else 0
    found = (model.layers, model.attention_layers, model.linear_layers, model.feed_forward_layers, experts)
    assert found == layers


def test_blocks_over_two_are_the_layers_of_a_transformer():
    assert transformer("llama-3.1-8b").block_pairs == 32
    assert transformer("qwen3-next-80b-a3b").block_pairs == 48
    assert transformer("nemotron-h-8b").block_pairs == 26
    assert transformer("falcon-h1-0.5b").block_pairs == 54


def test_a_list_of_kinds_says_what_an_interval_says():
    kinds = ["full_attention" if layer % 4 == 3 else "linear_attention" for layer in range(48)]
    listed = changed("qwen3-next-80b-a3b", layer_types=kinds, full_attention_interval=None)
    assert listed == transformer_from_config(
        Config(ROWS["qwen3-next-80b-a3b"]["config"], "config"), listed.id, listed.name
    )
    lightning = ["linear_attention" if kind == 0 else "full_attention" for kind in [0] * 7 + [1]] * 10
    assert changed("minimax-text-01", attn_type_list=None, layer_types=lightning).linear_layers == 70
    names = {"M": "mamba", "*": "attention", "E": "moe"}
    blocks = [names[letter] for letter in ROWS["nemotron-3-nano-30b-a3b"]["config"]["hybrid_override_pattern"]]
    nano = changed("nemotron-3-nano-30b-a3b", hybrid_override_pattern=None, layers_block_type=blocks)
    assert nano.parameters == transformer("nemotron-3-nano-30b-a3b").parameters


def test_the_text_part_of_a_multimodal_config_is_read():
    text = ROWS["qwen3.5-397b-a17b"]["config"]
    outer = {"model_type": "qwen3_5_moe", "text_config": text, "vision_config": {}}
    model = transformer_from_config(Config(outer, "config"), "q", "q")
    assert model.parameters == transformer("qwen3.5-397b-a17b").parameters
    assert 390e9 < model.parameters < 400e9


def test_a_stack_of_attention_alone_has_no_linear_block():
    assert changed("qwen3-next-80b-a3b", full_attention_interval=1).linear is None


def test_a_state_may_be_narrower():
    wide, narrow = changed("nemotron-h-8b"), changed("nemotron-h-8b", mamba_ssm_cache_dtype="bfloat16")
    assert wide.linear is not None and narrow.linear is not None
    assert (wide.linear.state_bytes, narrow.linear.state_bytes) == (4, 2)


def test_a_head_that_drafts_is_one_layer_of_attention():
    # Qwen3-Next's own module has two norms and a projection of twice the width beside such a layer, and no tables.
    model = transformer("qwen3-next-80b-a3b")
    head = draft_head(model)
    module = head.parameters - head.embedding_parameters + 2 * model.hidden + 2 * model.hidden**2
    assert model.parameters + module == 81_324_862_720


@pytest.mark.parametrize(
    ("name", "keys", "word"),
    [
        ("qwen3-next-80b-a3b", {"layer_types": ["retention"] * 48}, "retention"),
        ("qwen3-next-80b-a3b", {"layer_types": ["linear_attention"] * 3}, "3 layers of 48"),
        ("qwen3-next-80b-a3b", {"full_attention_interval": None}, "full_attention_interval"),
        ("qwen3-next-80b-a3b", {"linear_num_key_heads": 5}, "5 key heads"),
        ("qwen3-8b", {"layer_types": ["linear_attention"] * 36}, "linear_attention"),
        ("nemotron-h-8b", {"hybrid_override_pattern": "MX*-"}, "'X'"),
        ("nemotron-h-8b", {"hybrid_override_pattern": "M*-"}, "3 letters"),
        ("nemotron-h-8b", {"hybrid_override_pattern": None}, "hybrid_override_pattern"),
        ("nemotron-h-8b", {"mamba_ssm_cache_dtype": "int3"}, "int3"),
        ("nemotron-3-nano-30b-a3b", {"moe_latent_size": 1024}, "moe_latent_size"),
        ("minimax-text-01", {"attn_type_list": [2] * 80}, "attn_type_list"),
        ("minimax-text-01", {"attn_type_list": [[]] * 80}, "attn_type_list"),
        ("jamba-v0.1", {"attn_layer_offset": 8}, "period 8"),
        ("jamba-v0.1", {"expert_layer_offset": 2}, "period 2"),
        ("kimi-linear-48b-a3b", {"num_hidden_layers": 28}, "27 of 28"),
    ],
)
def test_what_is_not_known_is_named(name, keys, word):
    assert word in refused(name, **keys)
