"""Models of the catalog: parameter counts as published, and the names people type."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import groundplan.catalog
from groundplan.catalog.catalog import load_catalog
from groundplan.errors import CatalogError, InputError, UnknownName
from groundplan.evidence import Evidence
from groundplan.workload.model import AttentionKind, SampleModel, TransformerModel
from groundplan.workload.models import load_model, model_from_mapping, model_from_row, model_key

FOLDER = Path(groundplan.catalog.__file__).parent / "data" / "models"
ROWS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
CATALOG = SimpleNamespace(models=ROWS)

PUBLISHED = {  # as the makers' reports or the metadata of their weight files state them
    "llama-2-7b": 6_738_415_616,
    "llama-2-70b": 68_976_648_192,
    "llama-3.1-8b": 8_030_261_248,
    "llama-3.1-70b": 70_553_706_496,
    "llama-3.1-405b": 405_853_388_800,
    "llama-3.2-1b": 1_235_814_400,
    "mistral-7b": 7_241_732_096,
    "mixtral-8x7b": 46_702_792_704,
    "mixtral-8x22b": 140_630_071_296,
    "gpt2": 124_439_808,
    "gpt2-xl": 1_557_611_200,
    "gpt-neox-20b": 20_554_567_680,
    "gpt-j-6b": 6_050_882_784,
    "bloom-176b": 176_247_271_424,
    "opt-125m": 125_239_296,
    "opt-350m": 331_196_416,
    "mpt-7b": 6_649_286_656,
    "falcon-7b": 6_921_720_704,
    "falcon-40b": 41_303_293_952,
    "gemma-2b": 2_506_172_416,
    "gemma-7b": 8_537_680_896,
    "gemma-2-9b": 9_241_705_984,
    "gemma-2-27b": 27_227_128_320,
    "gemma-3-1b": 999_885_952,
    "phi-2": 2_779_683_840,
    "phi-3-mini": 3_821_079_552,
    "phi-4": 14_659_507_200,
    "qwen2.5-7b": 7_615_616_512,
    "qwen2.5-72b": 72_706_203_648,
    "qwen3-8b": 8_190_735_360,
    "qwen3-30b-a3b": 30_532_122_624,
    "qwen3-235b-a22b": 235_093_634_560,
    "qwen1.5-moe-a2.7b": 14_315_784_192,
    "deepseek-v2": 235_741_434_880,
    "deepseek-v2-lite": 15_706_484_224,
    "deepseek-v3": 671_026_419_200,
    "gpt-oss-20b": 20_914_757_184,
    "gpt-oss-120b": 116_829_156_672,
    "qwen3-next-80b-a3b": 79_674_391_296,  # its files less those of the multi-token-prediction module
    "kimi-linear-48b-a3b": 49_122_681_728,
    "jamba-v0.1": 51_570_323_328,
    "nemotron-nano-9b-v2": 8_888_227_328,
    "granite-4.0-h-tiny": 6_939_037_248,
    "granite-4.0-h-small": 32_207_337_984,
    "falcon-h1-0.5b": 521_411_104,
    "minimax-text-01": 456_089_655_296,
    "bert-large": 336_226_108,
    "vit-b-16": 86_567_656,
    "vit-l-16": 304_326_632,
}

ACTIVE = {  # billions, as the makers round them
    "mixtral-8x7b": 12.9,
    "mixtral-8x22b": 39.0,
    "deepseek-v3": 37.0,
    "deepseek-v2": 21.0,
    "qwen3-30b-a3b": 3.3,
    "qwen3-235b-a22b": 22.0,
    "qwen1.5-moe-a2.7b": 2.7,
    "llama-4-maverick": 17.0,
    "qwen3.5-397b-a17b": 17.0,
    "qwen3.5-122b-a10b": 10.0,
    "jamba-1.5-large": 94.0,
    "nemotron-h-8b": 8.1,
    "nemotron-3-nano-30b-a3b": 3.6,
    "jamba-v0.1": 12.0,
}

SPOKEN = {
    "meta-llama/Llama-3.1-8B": "llama-3.1-8b",
    "Llama-3.1-8B-Instruct": "llama-3.1-8b",
    "meta-llama/Meta-Llama-3.1-70B-Instruct": "llama-3.1-70b",
    "llama 3 70b": "llama-3-70b",
    "Llama_3_1_405B": "llama-3.1-405b",
    "gpt3-175b": "gpt3-175b",
    "GPT-3 175B": "gpt3-175b",
    "gpt3 13b": "gpt3-13b",
    "opt_1_3b": "opt-1.3b",
    "opt-13b": "opt-13b",
    "mistralai/Mistral-7B-Instruct-v0.3": "mistral-7b",
    "deepseek-ai/DeepSeek-R1": "deepseek-v3",
    "google/gemma-3-27b-it": "gemma-3-27b",
    "ResNet50": "resnet-50",
    "ViT-B/16": "vit-b-16",
}


def transformer(name: str) -> TransformerModel:
    model = load_model(name, CATALOG)
    assert isinstance(model, TransformerModel)
    return model


@pytest.mark.parametrize(("name", "parameters"), PUBLISHED.items())
def test_parameters_are_the_published_ones_exactly(name, parameters):
    assert transformer(name).parameters == parameters


@pytest.mark.parametrize(("name", "billions"), ACTIVE.items())
def test_active_parameters_are_the_published_ones_as_rounded(name, billions):
    assert transformer(name).active_parameters == pytest.approx(billions * 1e9, rel=0.025)


def test_gpt_oss_reports_active_parameters_without_its_token_table():
    model = transformer("gpt-oss-120b")
    assert model.active_parameters - model.vocabulary * model.hidden == pytest.approx(5.13e9, rel=0.002)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_every_row_is_a_model_with_a_source(name):
    row, model = ROWS[name], load_model(name, CATALOG)
    assert row["id"] == name == model.id
    assert row["source"].strip()
    assert row["evidence"] in {item.value for item in Evidence}
    assert model.parameters > 0
    if isinstance(model, TransformerModel):
        assert 0 < model.active_parameters <= model.parameters
        assert model.embedding_parameters < model.parameters
        assert model.attention.windowed_layers <= model.layers


def test_the_catalog_has_the_breadth_the_planner_needs():
    models = [load_model(name, CATALOG) for name in ROWS]
    transformers = [model for model in models if isinstance(model, TransformerModel)]
    assert len(transformers) >= 45
    assert len(models) - len(transformers) >= 15
    assert any(model.attention.kind is AttentionKind.MLA for model in transformers)
    assert any(model.domain == "image" for model in transformers)


def test_no_spoken_name_means_two_models():
    meant: dict[str, set[str]] = {}
    for row in ROWS.values():
        for name in (row["id"], row["name"], *row["aliases"]):
            meant.setdefault(model_key(name), set()).add(row["id"])
    assert {name: ids for name, ids in meant.items() if len(ids) > 1} == {}


@pytest.mark.parametrize(("spoken", "identity"), SPOKEN.items())
def test_names_people_type_are_found(spoken, identity):
    assert load_model(spoken, CATALOG).id == identity


def test_an_unknown_name_comes_with_the_nearest():
    with pytest.raises(UnknownName) as caught:
        load_model("llama-3.1-9b", CATALOG)
    assert "llama-3.1-8b" in caught.value.nearest


def test_resnet_50_counts_a_multiply_add_as_two():
    model = load_model("resnet-50", CATALOG)
    assert isinstance(model, SampleModel)
    assert model.parameters == 25_557_032
    assert model.forward_flops_per_sample == pytest.approx(8.18e9)


def test_what_no_source_states_is_unknown():
    model = load_model("sdxl", CATALOG)
    assert isinstance(model, SampleModel)
    assert model.forward_flops_per_sample is None


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [("125M", 125e6), ("1.3B", 1.3e9), (7e9, 7e9), ("20e9", 20e9), ("70B", 70e9), (175 * 10**9, 175e9), ("1T", 1e12)],
)
def test_a_number_of_parameters_becomes_a_gpt_like_shape_of_exactly_that_size(asked, wanted):
    model = model_from_mapping({"parameters": asked}, Path(), CATALOG)
    assert isinstance(model, TransformerModel)
    assert model.parameters == wanted
    assert 40 <= model.hidden / model.layers <= 150
    assert 3.0 <= model.feed_forward.width / model.hidden <= 5.0
    assert model.other_parameters < 0.005 * wanted
    assert "assumed" in model.source


def test_the_assumed_20b_is_gpt_neoxs_shape():
    model = model_from_mapping({"parameters": 20e9}, Path(), CATALOG)
    neox = transformer("gpt-neox-20b")
    assert isinstance(model, TransformerModel)
    assert (model.layers, model.hidden) == (neox.layers, neox.hidden)


def test_an_architecture_by_hand_counts_like_the_same_config():
    sizes = {"layers": 32, "hidden": 4096, "heads": 32, "kv_heads": 8, "ffn": 14336, "vocab": 32000}
    dense = model_from_mapping(sizes, Path(), CATALOG)
    assert dense.parameters == PUBLISHED["mistral-7b"]
    mixture = model_from_mapping({**sizes, "experts": 8, "top_k": 2}, Path(), CATALOG)
    assert mixture.parameters == PUBLISHED["mixtral-8x7b"]


def test_a_mapping_may_name_a_catalog_model():
    assert model_from_mapping({"name": "GPT-2"}, Path(), CATALOG).id == "gpt2"


def test_a_row_that_contradicts_its_published_count_is_refused():
    row = {**ROWS["gpt2"], "published": {"parameters": 124_000_000}}
    with pytest.raises(CatalogError, match="124439808"):
        model_from_row(row)


@pytest.mark.parametrize("body", [{}, {"config": 3}, {"sample": []}, {"config": {"model_type": "llama"}}])
def test_a_row_that_is_no_model_is_refused_in_one_line(body):
    with pytest.raises((CatalogError, InputError)) as caught:
        model_from_row({"id": "mine", **body})
    assert "mine" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bare_size_is_a_dense_model_of_that_size():
    model = load_model("7B", load_catalog([]))
    assert model.parameters == 7_000_000_000
    assert model.source.startswith("assumed")
