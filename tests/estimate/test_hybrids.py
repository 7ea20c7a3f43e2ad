"""Hybrids in the estimates: parts that sum, caches of the attention layers alone, states that do not grow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.design.deployment import Deployment, check_deployment
from groundplan.errors import InputError
from groundplan.estimate.flops import forward_flops_per_token
from groundplan.estimate.layer_memory import model_parameters
from groundplan.estimate.serving_memory import cache_token_bytes, kv_bytes, state_bytes
from groundplan.tasks.memory import memory
from groundplan.tasks.memory_request import MemoryRequest
from groundplan.tasks.serve import serve
from groundplan.tasks.serve_request import ServeRequest
from groundplan.tasks.train import TrainRequest, train
from groundplan.workload.model import TransformerModel
from groundplan.workload.models import load_model

CATALOG = load_catalog([])
HYBRIDS = [
    "qwen3-next-80b-a3b",
    "kimi-linear-48b-a3b",
    "nemotron-h-8b",
    "nemotron-3-nano-30b-a3b",
    "jamba-v0.1",
    "granite-4.0-h-small",
    "falcon-h1-0.5b",
    "minimax-text-01",
]
ONE = Deployment(1, 1, 1, 1, "bf16", "bf16")


def transformer(name: str) -> TransformerModel:
    model = load_model(name, CATALOG)
    assert isinstance(model, TransformerModel)
    return model


@pytest.mark.parametrize("name", HYBRIDS)
def test_parameters_of_the_layers_sum_to_those_of_the_model(name):
    model = transformer(name)
    placed = model_parameters(model)
    sparse = model.experts.layers if model.experts else 0
    layers = model.dense_layers * placed.dense_layer.total + sparse * placed.expert_layer.total
    assert layers + placed.embedding + placed.head == pytest.approx(model.parameters, rel=1e-12)


@pytest.mark.parametrize("name", HYBRIDS)
def test_a_token_costs_two_flops_for_each_matrix_element_it_visits(name):
    model = transformer(name)
    visited = model.active_parameters - (0 if model.tied_embeddings else model.vocabulary * model.hidden)
    work = forward_flops_per_token(model, 1.0)
    assert work.total - work.attention == pytest.approx(2.0 * visited, rel=0.01)


@pytest.mark.parametrize("name", HYBRIDS)
def test_only_the_attention_layers_grow_with_the_sequence(name):
    model = transformer(name)
    lengths = np.array([4096.0, 8192.0, 16384.0])
    attention = forward_flops_per_token(model, lengths).attention
    per_token = (attention[2] - attention[1]) / 8192.0
    block = model.attention
    width = block.heads * (block.head_dim + block.value_head_dim)
    assert per_token == pytest.approx(model.attention_layers * width, rel=1e-9)  # causal: half of two FLOPs


def test_the_cache_is_that_of_the_attention_layers():
    model = transformer("qwen3-next-80b-a3b")
    assert kv_bytes(model, 1000, "bf16") == 1000 * 12 * 2 * 2 * 256 * 2
    assert state_bytes(model, 1) == 36 * (32 * 128 * 128 * 4 + 3 * (2 * 2048 + 4096) * 2)
    assert state_bytes(model, 4) == state_bytes(model, 1) / 4
    assert state_bytes(transformer("llama-3.1-8b"), 1) == 0.0
    for context in (1000.0, 100_000.0):
        both = float(kv_bytes(model, int(context), "bf16")) + state_bytes(model, 1)
        assert cache_token_bytes(model, ONE, context) * context == pytest.approx(both)


def test_the_state_is_a_term_of_memory_and_does_not_grow():
    asked = MemoryRequest("nemotron-h-8b", "serve", batch=16, sequence=2048)
    short, long = memory(asked, CATALOG).terms, memory(replace(asked, sequence=16384), CATALOG).terms
    assert short["states"] == long["states"] > 0
    assert long["kv_cache"] == pytest.approx(8 * short["kv_cache"])
    assert "states" not in memory(replace(asked, model="llama-3.1-8b"), CATALOG).terms


def test_a_hybrid_serves_long_sequences_faster_than_a_transformer_of_its_size():
    def token_s(name: str, prompt: int) -> float:
        request = ServeRequest(name, "h200", tp=1, concurrency=16, prompt=prompt, output=256, price=1.0)
        return serve(request, CATALOG).tpot_s.value

    grown = {name: token_s(name, 32768) / token_s(name, 1024) for name in ("nemotron-nano-9b-v2", "llama-3.1-8b")}
    assert grown["nemotron-nano-9b-v2"] < grown["llama-3.1-8b"]


def test_states_are_read_and_written_by_every_decoding_sequence():
    request = ServeRequest("qwen3-next-80b-a3b", "h200", tp=2, concurrency=64, prompt=64, output=64, price=1.0)
    answer = serve(request, CATALOG)
    states = 2.0 * 64 * state_bytes(transformer("qwen3-next-80b-a3b"), 2) / 4.8e12
    parts = {part.name: part.value for part in answer.explain["tpot_s"].children}
    assert states < parts["cache"] < 2.0 * states


@pytest.mark.parametrize("name", HYBRIDS)
def test_a_training_step_takes_no_less_than_its_flops_at_the_peak(name):
    model = transformer(name)
    request = TrainRequest(
        name, "h200", 64, tokens=1e9, global_batch=256, sequence=4096, tp=8, dp=8, zero=1, recompute="full"
    )
    answer = train(request, CATALOG)
    flops = 6.0 * (model.active_parameters - model.embedding_parameters) * 256 * 4096
    assert answer.design.step_s.value > flops / (64 * 989e12)


def test_devices_must_divide_the_states_too():
    model = transformer("falcon-h1-0.5b")
    with pytest.raises(InputError, match="states of the linear layers"):
        check_deployment(replace(model, linear=replace(model.linear, heads=12)), replace(ONE, tp=8))
