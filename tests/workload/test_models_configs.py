"""Reading config.json: what families have in common, and every way a file can be bad."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import groundplan.catalog
from groundplan.errors import InputError, UnknownName
from groundplan.workload.huggingface import FAMILIES, Config, transformer_from_config
from groundplan.workload.model import TransformerModel
from groundplan.workload.models import load_model, model_from_mapping

FOLDER = Path(groundplan.catalog.__file__).parent / "data" / "models"
CONFIGS = [row["config"] for row in map(json.loads, (p.read_text() for p in FOLDER.glob("*.json"))) if "config" in row]
EMPTY: Any = SimpleNamespace(models={})
LLAMA = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
}
MIXTRAL = {**LLAMA, "model_type": "mixtral", "vocab_size": 32000, "num_local_experts": 8, "num_experts_per_tok": 2}
GEMMA3 = {"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34}


def write(folder: Path, config: object, name: str = "config.json") -> Path:
    path = folder / name
    path.write_text(config if isinstance(config, str) else json.dumps(config), encoding="utf-8")
    return path


def read(folder: Path, config: object) -> TransformerModel:
    model = load_model(str(write(folder, config)), EMPTY)
    assert isinstance(model, TransformerModel)
    return model


def refused(folder: Path, config: object) -> InputError:
    with pytest.raises(InputError) as caught:
        read(folder, config)
    assert "\n" not in caught.value.what + caught.value.mend
    assert caught.value.mend
    assert len(caught.value.what) < 300
    return caught.value


def test_a_file_a_folder_and_a_relative_path_are_the_same_model(tmp_path, monkeypatch):
    path = write(tmp_path, LLAMA)
    monkeypatch.chdir(tmp_path)
    counts = {
        load_model(str(path), EMPTY).parameters,
        load_model(str(tmp_path), EMPTY).parameters,
        load_model("./config.json", EMPTY).parameters,
        load_model("config.json", EMPTY).parameters,
        model_from_mapping({"hf_config": "config.json"}, tmp_path, EMPTY).parameters,
    }
    assert counts == {8_030_261_248}


def test_a_model_is_named_after_its_folder(tmp_path):
    folder = tmp_path / "My Llama"
    folder.mkdir()
    assert read(folder, LLAMA).id == "my-llama"


def test_a_catalog_name_wins_over_a_folder_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    catalog: Any = SimpleNamespace(models={"mine": {"id": "mine", "config": LLAMA}})
    assert load_model("mine", catalog).parameters == 8_030_261_248


def test_a_multimodal_config_is_read_for_its_text_model(tmp_path):
    nested = {"model_type": "gemma3", "text_config": GEMMA3, "vision_config": {"hidden_size": 1152}}
    whole, image_encoder, projector = 4_300_079_472, 416_866_032, 1152 * 2560 + 1152
    assert read(tmp_path, nested).parameters == whole - image_encoder - projector


def test_windows_are_counted_by_pattern_and_by_list(tmp_path):
    attention = read(tmp_path, {**GEMMA3, "sliding_window": 1024}).attention
    assert (attention.window, attention.windowed_layers) == (1024, 29)
    kinds = ["sliding_attention"] * 30 + ["full_attention"] * 4
    assert read(tmp_path, {**GEMMA3, "layer_types": kinds}).attention.windowed_layers == 30
    mistral = {**LLAMA, "model_type": "mistral"}
    assert read(tmp_path, {**mistral, "sliding_window": None}).attention.window == 0
    assert read(tmp_path, {**mistral, "sliding_window": 4096}).attention.windowed_layers == 32


def test_dense_layers_come_first_in_deepseek(tmp_path):
    config = {
        **LLAMA,
        "model_type": "deepseek_v2",
        "n_routed_experts": 64,
        "num_experts_per_tok": 6,
        "n_shared_experts": 2,
        "moe_intermediate_size": 1408,
        "first_k_dense_replace": 3,
        "q_lora_rank": None,
        "kv_lora_rank": 512,
        "qk_rope_head_dim": 64,
        "qk_nope_head_dim": 128,
        "v_head_dim": 128,
    }
    model = read(tmp_path, config)
    assert model.dense_layers == 3
    assert model.experts is not None and model.experts.shared_width == 2816


def test_a_config_with_a_byte_order_mark_is_read(tmp_path):
    assert read(tmp_path, "\ufeff" + json.dumps(LLAMA)).layers == 32


@pytest.mark.parametrize("key", ["hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"])
def test_a_missing_key_is_named(tmp_path, key):
    assert key in refused(tmp_path, {k: v for k, v in LLAMA.items() if k != key}).what


@pytest.mark.parametrize("value", [0, -1, 3.5, "4096", True, [], 10**12, 10**400, float("nan"), float("inf")])
def test_an_impossible_size_is_named(tmp_path, value):
    assert "hidden_size" in refused(tmp_path, {**LLAMA, "hidden_size": value}).what


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"num_attention_heads": 33, "num_key_value_heads": 33}, "33"),
        ({"num_key_value_heads": 5}, "key-value"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings"),
        ({"hidden_size": 10**8, "head_dim": 128, "vocab_size": 10**9}, "parameters"),
        ({"model_type": None}, "model_type"),
        ({"model_type": "lama"}, "lama"),
        ({"model_type": {"a": 1}}, "model_type"),
        ({"model_type": "other", "text_config": 3}, "other"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, change, word):
    assert word in refused(tmp_path, {**LLAMA, **change}).what


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CONFIGS), st.data())
def test_a_config_with_anything_in_it_is_read_or_refused_in_one_line(config, data):
    keys = data.draw(st.sampled_from(sorted(config)))
    try:
        model = transformer_from_config(Config({**config, keys: data.draw(ANYTHING)}, "config.json"), "it", "it")
    except InputError as error:
        assert "\n" not in error.what
    else:
        assert 0 < model.active_parameters <= model.parameters


def test_more_experts_per_token_than_experts_is_refused(tmp_path):
    assert "9" in refused(tmp_path, {**MIXTRAL, "num_experts_per_tok": 9}).what


def test_an_unknown_family_lists_the_known_ones(tmp_path):
    mend = refused(tmp_path, {"model_type": "lama"}).mend
    assert all(family in mend for family in FAMILIES)
    assert "nearest: llama" in mend


@pytest.mark.parametrize(
    "text", ["", "{", "[1, 2]", "3", "null", '"llama"', "[" * 100_000, '{"hidden_size": ' + "9" * 5000 + "}"]
)
def test_what_is_no_config_is_refused(tmp_path, text):
    refused(tmp_path, text)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(InputError, match="not a JSON text file"):
        load_model(str(path), EMPTY)


def test_ten_megabytes_of_garbage_are_not_read(tmp_path):
    assert "larger than" in refused(tmp_path, "x" * 10 * 1024**2).what


def test_a_folder_without_a_config_says_so(tmp_path):
    with pytest.raises(InputError, match="folder without a config"):
        load_model(str(tmp_path), EMPTY)


def test_a_device_is_no_config():
    with pytest.raises(InputError, match="no regular file"):
        load_model("/dev/zero", EMPTY)


@pytest.mark.parametrize("path", ["no/such/config.json", "/no/such", "~nobody-here/config.json", "x" * 500 + ".json"])
def test_a_path_that_is_not_there_is_an_input_error(path):
    with pytest.raises(InputError):
        load_model(path, EMPTY)


@pytest.mark.parametrize("name", ["", "  ", "a\0b", "x" * 5000, "x" * 500])
def test_what_is_no_name_is_an_input_error(name):
    with pytest.raises(InputError):
        load_model(name, EMPTY)


@pytest.mark.parametrize(
    "mapping",
    [
        {},
        {"name": 3},
        {"hf_config": 3},
        {"hf_config": ""},
        {"parameters": -1},
        {"parameters": "many"},
        {"parameters": True},
        {"parameters": float("nan")},
        {"parameters": "1e300"},
        {"parameters": None},
        {"layers": 12},
        {"layers": 12, "hidden": 768, "heads": 13, "vocab": 50257},
        {"layers": 12, "hidden": 768, "heads": 12, "vocab": 50257, "experts": 2, "top_k": 3},
        {"layers": 12, "hidden": 768, "heads": 12, "vocab": 50257, "experts": 4, "expert_layers": 13},
        {"layers": 12, "hidden": 768, "heads": 12, "vocab": 0},
    ],
)
def test_a_mapping_that_describes_no_model_is_an_input_error(mapping, tmp_path):
    with pytest.raises(InputError) as caught:
        model_from_mapping(mapping, tmp_path, EMPTY)
    assert "\n" not in str(caught.value)


def test_a_misspelt_key_gets_the_nearest():
    with pytest.raises(UnknownName) as caught:
        model_from_mapping({"layer": 12}, Path(), EMPTY)
    assert "layers" in caught.value.nearest
