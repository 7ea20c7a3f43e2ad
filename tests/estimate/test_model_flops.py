"""The work of whole models against published figures and the 6 N rule."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import groundplan.catalog
from groundplan.estimate.flops import forward_flops_per_token, model_flops_per_token
from groundplan.workload.model import TransformerModel
from groundplan.workload.models import load_model

FOLDER = Path(groundplan.catalog.__file__).parent / "data" / "models"
CATALOG: Any = SimpleNamespace(models={path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")})


def transformer(name: str) -> TransformerModel:
    model = load_model(name, CATALOG)
    assert isinstance(model, TransformerModel)
    return model


@pytest.mark.parametrize(
    ("name", "tokens", "giga_multiply_adds"),
    [("vit-b-16", 197, 17.56), ("vit-l-16", 197, 61.55), ("vit-h-14", 257, 167.29)],
)
def test_an_image_costs_a_vision_transformer_what_torchvision_states(name, tokens, giga_multiply_adds):
    forward = float(forward_flops_per_token(transformer(name), float(tokens)).total) * tokens
    assert forward == pytest.approx(2e9 * giga_multiply_adds, rel=0.002)


def test_gpt3_is_narayanans_formula():
    """96 B s l h^2 (1 + s / 6h + V / 16 l h) recomputing; here 3/4 of its layers, less the masked pairs."""
    layers, hidden, sequence, vocabulary = 96, 12288, 2048, 51200
    published = 72 * layers * hidden**2 * (1 + sequence / (6 * hidden) + vocabulary / (12 * layers * hidden))
    masked = 6 * layers * hidden * (sequence - 1)
    assert model_flops_per_token(transformer("gpt3-175b"), sequence) == pytest.approx(published - masked, rel=1e-9)


@pytest.mark.parametrize("name", ["gpt3-175b", "llama-3.1-405b", "mixtral-8x7b", "gpt-neox-20b"])
def test_large_models_at_2048_tokens_are_near_six_times_their_active_parameters(name):
    model = transformer(name)
    assert model_flops_per_token(model, 2048) == pytest.approx(6 * model.active_parameters, rel=0.03)


def test_a_mixture_works_as_hard_as_its_active_parameters_say():
    mixture, dense = transformer("mixtral-8x7b"), transformer("mistral-7b")
    forward = forward_flops_per_token(mixture, 4096.0)
    router = 2 * mixture.layers * mixture.hidden * 8
    dense_work = forward_flops_per_token(dense, 4096.0)
    assert forward.experts == 2 * dense_work.feed_forward + router
    assert forward.feed_forward == 0.0


def test_lookups_cost_nothing_and_the_tied_head_costs_its_matrix():
    model = transformer("gpt2")
    assert forward_flops_per_token(model, 1024.0).logits == 2 * 50257 * 768


def test_windows_bound_the_work_of_long_sequences():
    gemma, sequence = transformer("gemma-3-1b"), np.array([512.0, 4096.0, 32768.0])
    attention = forward_flops_per_token(gemma, sequence).attention
    full_share = (gemma.layers - gemma.attention.windowed_layers) / gemma.layers
    assert attention[2] / attention[1] < 8
    assert attention[2] / attention[0] == pytest.approx(64 * full_share, rel=0.25)


def test_arrays_give_what_their_elements_give():
    model, sequences = transformer("deepseek-v3"), np.array([1024.0, 4096.0])
    many = forward_flops_per_token(model, sequences).total
    assert list(many) == [float(forward_flops_per_token(model, float(s)).total) for s in sequences]


def test_a_sample_of_unknown_work_is_unknown():
    assert math.isnan(model_flops_per_token(load_model("sdxl", CATALOG), 1))
    assert model_flops_per_token(load_model("resnet-50", CATALOG), 1) == pytest.approx(3 * 8.18e9)
