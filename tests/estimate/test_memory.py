"""Memory of one device: states, activations, sharding, and measured peaks."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundplan.catalog.catalog import load_catalog
from groundplan.catalog.rows import Optimizer, Precision, Stack
from groundplan.design.deployment import Deployment
from groundplan.design.layout import Layout, Recompute
from groundplan.errors import InputError
from groundplan.estimate.memory import allocated_bytes, host_bytes, memory_terms, peak_bytes
from groundplan.estimate.serving_memory import kv_bytes, serving_memory_terms
from groundplan.workload.job import Lora, Method, TrainingJob
from groundplan.workload.model import (
    Attention,
    AttentionKind,
    Experts,
    FeedForward,
    SampleModel,
    TransformerModel,
)

GB = 1e9


def llama(
    layers=32, hidden=4096, width=11008, heads=32, kv_heads=32, vocabulary=32000, gated=True, tied=False, norms=2
):
    head_dim = hidden // heads
    attention = hidden * (2 * heads + 2 * kv_heads) * head_dim
    layer = attention + (3 if gated else 2) * hidden * width + norms * hidden
    tables = vocabulary * hidden * (1 if tied else 2)
    return TransformerModel(
        id="test", name="test", family="llama", layers=layers, hidden=hidden,
        attention=Attention(AttentionKind.GQA, heads, kv_heads, head_dim, head_dim),
        feed_forward=FeedForward(width, gated), experts=None, vocabulary=vocabulary, tied_embeddings=tied,
        learned_positions=0, norm_parameters=hidden, norms_per_layer=norms, parallel_block=norms == 1,
        max_sequence=4096, parameters=layers * layer + tables + hidden,
        active_parameters=layers * layer + tables + hidden, embedding_parameters=tables, source="test",
    )  # fmt: skip


def deepseek(layers):
    hidden, width = 7168, 2048
    attention = hidden * 1536 + 1536 * 128 * 192 + hidden * 576 + 512 * 128 * 256 + 128 * 128 * hidden
    expert = 3 * hidden * width
    total = layers * (attention + 2 * hidden) + 3 * hidden * 18432 + (layers - 1) * (257 * expert + hidden * 256)
    tables = 2 * 129280 * hidden
    return TransformerModel(
        id="deepseek", name="deepseek", family="deepseek_v3", layers=layers, hidden=hidden,
        attention=Attention(
            AttentionKind.MLA, 128, 128, 192, 128, q_lora_rank=1536, kv_lora_rank=512, rope_head_dim=64
        ),
        feed_forward=FeedForward(18432, True), experts=Experts(256, 8, width, True, layers - 1, shared_width=width),
        vocabulary=129280, tied_embeddings=False, learned_positions=0, norm_parameters=hidden, norms_per_layer=2,
        parallel_block=False, max_sequence=4096, parameters=total + tables, active_parameters=total,
        embedding_parameters=tables, source="test",
    )  # fmt: skip


BF16 = Precision("bf16", "bf16", (), {}, "bf16", 2, 2, 4, 2, 2, "bf16", 0, False)
BF16_TRUE = dataclasses.replace(BF16, id="bf16-true", master_bytes=0)
FP16 = dataclasses.replace(BF16, id="fp16", loss_scaling=True)
ADAMW = Optimizer("adamw", "AdamW", (), {}, 8, False, 10, False)
ADAMW_8BIT = dataclasses.replace(ADAMW, id="adamw-8bit", state_bytes=2)
MUON = dataclasses.replace(ADAMW, id="muon", state_bytes=4, matrix_flops=True)
ADAFACTOR = dataclasses.replace(ADAMW, id="adafactor", state_bytes=4, factored=True)
PLAIN = Stack("plain", "plain", (), {}, 10, 1e-6, 1, 0, 0, None, None, True, True, 10, 0, 1)
MEGATRON = dataclasses.replace(PLAIN, id="megatron-core", gradient_bytes=4, context_bytes=2.5e9, fragmentation=1.05)
DEEPSPEED = dataclasses.replace(
    PLAIN, id="deepspeed", context_bytes=2.5e9, fragmentation=1.05, flash_attention=False, fused_cross_entropy=False,
    bucket_bytes=4.5e9, fp32_update=True,
)  # fmt: skip
STACKS = load_catalog([]).stacks
MEGATRON_2021, EAGER, LIGER = (STACKS[name] for name in ("megatron-2021", "huggingface", "deepspeed-liger"))


def layout(**fields):
    one = dict.fromkeys(("tp", "pp", "vpp", "cp", "ep", "dp", "shard", "micro_batch"), 1)
    return Layout(**(one | {"zero": 0, "recompute": 0, "sequence_parallel": False} | fields))


def job(model, method=Method.PRETRAIN, lora=None, sequence=2048, global_batch=1024):
    return TrainingJob(model, method, lora, None, 1e9, sequence, sequence, global_batch, "adamw", (), None, None)


def terms(model, where, precision=BF16, optimizer=ADAMW, stack=PLAIN, flash=True, **what):
    return memory_terms(model, job(model, **what), where, precision, optimizer, stack, flash)


def states(held):
    return sum(float(held[name]) for name in ("weights", "adapters", "gradients", "optimizer_states"))


def test_mixed_precision_adamw_is_16_bytes_per_parameter():
    model = llama()
    assert states(terms(model, layout())) == pytest.approx(16 * model.parameters)


def test_fp32_gradients_make_it_18_bytes_per_parameter():
    model = llama()
    assert states(terms(model, layout(), stack=MEGATRON)) == pytest.approx(18 * model.parameters)


@pytest.mark.parametrize(("zero", "bytes_per_parameter"), [(0, 16.0), (1, 4 + 12 / 64), (2, 2 + 14 / 64), (3, 16 / 64)])
def test_zero_shards_the_states_as_rajbhandari_2020_figure_1(zero, bytes_per_parameter):
    model = llama()
    held = terms(model, layout(dp=64, zero=zero, shard=64))
    assert states(held) / model.parameters == pytest.approx(bytes_per_parameter)


def test_llama_2_7b_has_its_published_parameter_count():
    assert llama().parameters == 6_738_415_616


def test_tensor_parallelism_splits_everything_but_the_norms():
    model = llama()
    whole, split = terms(model, layout())["weights"], terms(model, layout(tp=8))["weights"]
    norms = 2 * (2 * model.layers + 1) * model.hidden
    assert split == pytest.approx((whole - norms) / 8 + norms)


def test_activations_per_layer_equal_korthikanti_2022_without_dropout():
    # 34 s b h + 5 a s^2 b with the 2 s b h of the two dropout masks taken away.
    model = llama(gated=False, width=4 * 4096)
    held = terms(model, layout(), flash=False)
    tokens, hidden = 2048, 4096
    assert held["activations"] == pytest.approx(32 * (32 * tokens * hidden + 5 * 32 * tokens**2))


def test_sequence_parallelism_divides_all_activations():
    model = llama()
    whole, split, sequence_split = (
        terms(model, where, stack=MEGATRON)["activations"]
        for where in (layout(), layout(tp=8), layout(tp=8, sequence_parallel=True))
    )
    assert sequence_split == pytest.approx(whole / 8)
    assert sequence_split < split


def test_full_recompute_keeps_one_hidden_vector_per_layer_and_token():
    model = llama()
    held = terms(model, layout(recompute=Recompute.FULL), stack=MEGATRON)
    assert held["activations"] == pytest.approx(32 * 2048 * 4096 * 2)


def test_deepspeed_copies_16_bit_gradients_to_fp32_at_the_update():
    # DeepSpeed's own estimate for one device is 2 + 18 bytes per parameter.
    model = llama()
    held = terms(model, layout(recompute=Recompute.FULL), stack=DEEPSPEED)
    assert allocated_bytes(held) == pytest.approx(20 * model.parameters)


def test_bf16_gradients_of_megatron_deepspeed_are_accumulated_in_fp32_beside_the_16_bit_ones():
    # BigScience, chronicles of the 176B model: 4 bytes a parameter more than with fp16, not sharded.
    model = llama()
    where = layout(recompute=Recompute.FULL, dp=64, shard=64, zero=1)
    kept = {p.id: terms(model, where, p, stack=MEGATRON_2021) for p in (FP16, BF16)}
    fp16, bf16 = (states(kept[p]) + float(kept[p]["communication_buffers"]) for p in ("fp16", "bf16"))
    assert bf16 - fp16 == pytest.approx(4 * model.parameters)


def test_pure_bf16_adamw_is_8_bytes_per_parameter():
    # torch.optim.AdamW makes its moments like the parameters.
    model = llama()
    assert states(terms(model, layout(), BF16_TRUE, method=Method.FULL)) == pytest.approx(8 * model.parameters)


def test_outputs_and_embedding_activations_stay_for_every_micro_batch_in_flight():
    model, where = llama(), layout(pp=8, tp=2, recompute=Recompute.FULL)
    vector = 2048 * 4096 * 2  # bytes of one hidden state of a micro-batch
    plain, outputs, embedding = (
        float(terms(model, where, stack=dataclasses.replace(PLAIN, **extra))["activations"])
        for extra in ({}, {"boundary_copies": 1.0}, {"embedding_activations": 1.5})
    )
    assert plain == pytest.approx(8 * 4 * vector)  # eight in flight, four layers a stage
    assert outputs - plain == pytest.approx(8 * vector / 2)
    assert embedding - plain == pytest.approx(8 * 1.5 * vector)


def test_ends_have_a_layer_less_where_layers_do_not_divide():
    # 30 layers and two tables on 8 stages: 3 and a table, 4, ..., 4, 3 and a table.
    even, uneven = llama(layers=32, vocabulary=250_880), llama(layers=30, vocabulary=250_880)
    layer = 2 * (4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096)
    held = [float(terms(model, layout(pp=8))["weights"]) for model in (even, uneven)]
    assert held[0] - held[1] == pytest.approx(layer, rel=1e-4)
    narrow = llama(layers=30, vocabulary=100)  # without large tables an inner stage is the fullest
    assert float(terms(narrow, layout(pp=8))["weights"]) == pytest.approx(4 * layer)


def test_adapters_keep_a_masked_copy_of_their_matrices_inputs():
    model = llama()
    full, lora = (
        float(terms(model, layout(), BF16_TRUE, method=method, lora=Lora(8))["activations"])
        for method in (Method.FULL, Method.LORA)
    )
    inputs = 2048 * 32 * (4096 + 4096 + 4096 + 11008)
    assert lora - full == pytest.approx(3 * inputs)


def test_4_bit_matrices_hold_their_inputs_a_second_time():
    model = llama()
    lora, qlora = (
        float(terms(model, layout(), BF16_TRUE, method=method, lora=Lora(8))["activations"])
        for method in (Method.LORA, Method.QLORA)
    )
    assert qlora - lora == pytest.approx(2 * 2048 * 32 * (4096 + 4096 + 4096 + 11008))


def test_gradients_in_place_save_one_width_of_the_feed_forward_block():
    model, where = llama(width=16384), layout(recompute=Recompute.FULL)
    apart, in_place = (
        float(terms(model, where, stack=dataclasses.replace(PLAIN, in_place_gradients=flag))["working_set"])
        for flag in (False, True)
    )
    assert apart - in_place == pytest.approx(2 * 2048 * 16384)


def test_recomputation_saves_memory():
    model = llama()
    none, _, block, full = (float(peak_bytes(terms(model, layout(recompute=mode)))) for mode in Recompute)
    assert none > block > full
    plain, selective = (
        float(peak_bytes(terms(model, layout(recompute=mode), flash=False)))
        for mode in (Recompute.NONE, Recompute.SELECTIVE)
    )
    assert plain > selective > none


def test_experts_are_split_over_expert_parallel_ranks():
    model = deepseek(4)
    one, eight = (terms(model, layout(dp=8, shard=8, ep=ep)) for ep in (1, 8))
    routed = 3 * 256 * 3 * 7168 * 2048
    assert one["weights"] - eight["weights"] == pytest.approx(2 * routed * 7 / 8)


@pytest.mark.parametrize("method", [Method.PRETRAIN, Method.LORA, Method.QLORA])
def test_zero_3_shards_an_expert_over_the_ranks_that_hold_it_whatever_is_trained(method):
    """Eight ranks hold an eighth of all weights each, whether experts are split by expert parallelism or by ZeRO."""
    model = deepseek(4)
    lora = None if method is Method.PRETRAIN else Lora(16)
    held = {
        ep: terms(model, layout(dp=8, shard=8, zero=3, ep=ep), method=method, lora=lora)["weights"] for ep in (1, 2, 8)
    }
    assert held[2] == pytest.approx(held[1]) and held[8] == pytest.approx(held[1])


def test_qlora_keeps_the_base_in_four_bits_and_lora_in_sixteen():
    model = llama()
    lora = terms(model, layout(), method=Method.LORA, lora=Lora(16))
    qlora = terms(model, layout(), method=Method.QLORA, lora=Lora(16))
    tables = model.embedding_parameters
    assert lora["weights"] == pytest.approx(2 * model.parameters)
    assert qlora["weights"] == pytest.approx(0.5625 * (model.parameters - tables) + 2 * tables, rel=1e-3)
    assert lora["adapters"] < 0.01 * lora["weights"]


def test_lora_rank_8_on_query_key_value_and_output_has_the_count_of_its_definition():
    model = llama()
    held = terms(model, layout(), method=Method.LORA, lora=Lora(8, "attention"))
    assert held["adapters"] / 2 == 8_388_608  # 32 x 4 x 8 x (4096 + 4096): PEFT adapts each of the four on its own


def test_optimizers_keep_less_than_adamw():
    model = llama()
    kept = {
        o.id: float(terms(model, layout(), optimizer=o)["optimizer_states"])
        for o in (ADAMW, ADAMW_8BIT, MUON, ADAFACTOR)
    }
    assert kept["adamw-8bit"] == pytest.approx(kept["adamw"] / 2)
    assert kept["adafactor"] == pytest.approx(4 * model.parameters, rel=0.01)
    assert kept["adamw"] > kept["muon"] > kept["adafactor"]


def test_offload_moves_states_to_the_host_and_loses_none():
    model = llama()
    here, there = layout(zero=2), layout(zero=2, offload=True)
    moved = states(terms(model, here)) - states(terms(model, there))
    assert host_bytes(model, job(model), there, BF16, ADAMW, PLAIN) == pytest.approx(moved)
    assert host_bytes(model, job(model), here, BF16, ADAMW, PLAIN) == 0


def test_a_sample_model_with_unknown_activations_says_so():
    model = SampleModel("resnet", "ResNet", "cnn", 25_557_032, 8.2e9, None, "test")
    with pytest.raises(InputError, match="no source states the activations of resnet"):
        terms(model, layout())
    known = dataclasses.replace(model, activation_elements_per_sample=2e7)
    assert terms(known, layout(micro_batch=8))["activations"] == 8 * 2e7 * 2


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_an_array_of_layouts_gives_what_each_layout_gives_alone(data):
    model = data.draw(st.sampled_from([llama(), deepseek(8)]))
    powers = st.sampled_from([1, 2, 4, 8])
    draw = {name: [data.draw(powers) for _ in range(4)] for name in ("tp", "pp", "dp", "micro_batch")}
    draw |= {name: [data.draw(st.integers(0, 3)) for _ in range(4)] for name in ("zero", "recompute")}
    columns = {name: np.array(values) for name, values in draw.items()}
    stack = data.draw(st.sampled_from([PLAIN, MEGATRON, DEEPSPEED, MEGATRON_2021, LIGER]))
    many = terms(model, layout(shard=columns["dp"], **columns), stack=stack)
    for row in range(4):
        one = terms(model, layout(shard=draw["dp"][row], **{name: draw[name][row] for name in draw}), stack=stack)
        for name, value in many.items():
            assert np.broadcast_to(value, (4,))[row] == pytest.approx(float(one[name]))
        assert peak_bytes(one) == pytest.approx(sum(one.values()))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 16), st.integers(128, 8192), st.sampled_from([1, 2, 4, 8]))
def test_memory_grows_with_the_batch_and_the_sequence_and_shrinks_with_sharding(micro_batch, sequence, ranks):
    model = llama()

    def peak(size, tokens, shards):
        where = layout(dp=shards, shard=shards, zero=3, micro_batch=size)
        return float(peak_bytes(terms(model, where, stack=MEGATRON, sequence=tokens)))

    assert peak(micro_batch + 1, sequence, ranks) > peak(micro_batch, sequence, ranks)
    assert peak(micro_batch, sequence + 1, ranks) > peak(micro_batch, sequence, ranks)
    assert peak(micro_batch, sequence, 2 * ranks) < peak(micro_batch, sequence, ranks)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (llama(), 2 * 32 * 32 * 128 * 2),  # 512 KiB per token, Llama-2-7B
        (
            llama(layers=80, hidden=8192, width=28672, heads=64, kv_heads=8),
            2 * 80 * 8 * 128 * 2,
        ),  # 320 KiB, Llama-3-70B
        (deepseek(61), 61 * 576 * 2),  # DeepSeek-V3: 70,272 bytes
    ],
)
def test_kv_cache_per_token(model, expected):
    assert kv_bytes(model, 1, "bf16") == expected


def test_a_sliding_window_bounds_the_cache():
    model = llama()
    sliding = dataclasses.replace(
        model, attention=dataclasses.replace(model.attention, window=4096, windowed_layers=model.layers)
    )
    assert kv_bytes(sliding, 32768, "bf16") == kv_bytes(model, 4096, "bf16")


def test_key_value_heads_are_replicated_beyond_their_number():
    model = llama(layers=80, hidden=8192, width=28672, heads=64, kv_heads=8)
    assert kv_bytes(model, 100, "bf16", 16) == kv_bytes(model, 100, "bf16", 8)


def test_70b_weights_at_16_bits_are_131_gib_as_measured():
    # llm-d-benchmark pull request 381 reports 131.4 GiB for 70.55e9 parameters.
    model = llama(layers=80, hidden=8192, width=28672, heads=64, kv_heads=8, vocabulary=128256)
    held = serving_memory_terms(model, Deployment(1, 1, 1, 1, "bf16", "bf16"), 2048, 1)
    assert held["weights"] / 2**30 == pytest.approx(131.4, rel=2e-3)


# --- measured peaks -------------------------------------------------------------------------------------------------


def measured(shared: Path):
    path = shared / "truth" / "memory_open.csv"
    if not path.is_file():
        pytest.skip("needs the makers' table of measured peaks")
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if "OOM" not in row["notes"]]


def number(row, name, default=0):
    return int(float(row[name])) if row[name] else default


def model_of(row):
    if "deepseek" in row["model"]:
        return deepseek(number(row, "layers"))
    name, heads = row["model"].lower(), number(row, "heads")
    plain = "gpt" in name or "falcon" in name
    vocabulary = number(row, "vocab", 250_880 if "A100" in row["gpu"] else 50_304)
    return llama(
        number(row, "layers"),
        number(row, "hidden"),
        number(row, "ffn"),
        heads,
        number(row, "kv_heads", heads),
        vocabulary,
        gated=not plain,
        tied=plain,
        norms=1 if "falcon" in name else 2,
    )


def layout_of(row, zero):
    size = {name: number(row, name, 1) for name in ("tp", "pp", "cp", "ep", "dp", "micro_batch")}
    mode = Recompute.FULL if row["recompute"] == "full" else Recompute.NONE
    return layout(
        **size,
        zero=zero,
        shard=size["dp"] * size["cp"],
        recompute=mode,
        sequence_parallel=row["seq_parallel"] == "yes",
        offload="offload" in row["zero_or_fsdp"],
    )


def errors(rows, predict):
    return np.array([abs(float(predict(row)) / (float(row["peak_mem_gb"]) * GB) - 1) for row in rows])


def test_megatron_allocator_peaks_on_b200(shared):
    rows = [row for row in measured(shared) if "SimuMax" in row["source"]]

    def predict(row):
        model = model_of(row)
        batch = number(row, "global_batch_seqs")
        where = layout_of(row, zero=1)
        return allocated_bytes(terms(model, where, stack=MEGATRON, sequence=number(row, "seq_len"), global_batch=batch))

    error = errors(rows, predict)
    assert len(rows) >= 30 and np.median(error) < 0.02 and error.max() < 0.05


def test_megatron_deepspeed_device_peaks_on_a100(shared):
    rows = [row for row in measured(shared) if "bigscience" in row["source"] and "A100" in row["gpu"]]

    def predict(row):
        precision, model = BF16 if row["precision"] == "bf16" else FP16, model_of(row)
        where = layout_of(row, zero=1)
        return peak_bytes(terms(model, where, precision, stack=MEGATRON_2021, flash=False, global_batch=2048))

    error = errors(rows, predict)
    assert len(rows) >= 20 and np.median(error) < 0.04 and np.quantile(error, 0.9) < 0.10


def test_zero_offload_and_liger_reserved_peaks(shared):
    rows = [row for row in measured(shared) if "stas00" in row["source"]]

    def predict(row):
        zero = 3 if "3" in row["zero_or_fsdp"] else 2
        model = model_of(row)
        held = terms(model, layout_of(row, zero), stack=LIGER, sequence=number(row, "seq_len"))
        return allocated_bytes(held) + held["fragmentation"]

    error = errors(rows, predict)
    assert np.median(error) < 0.06 and np.quantile(error, 0.9) < 0.15


@pytest.mark.parametrize(("quantised", "bound"), [(False, 0.06), (True, 0.15)])
def test_lora_and_qlora_allocator_peaks(shared, quantised, bound):
    def asked(row):
        name = (row["model"] + row["precision"]).lower()
        one = row["n_gpus"] == "1" or row["seq_len"]
        return (
            "Lightning" in row["source"]
            and "lora" in name
            and "adapter" not in name
            and one
            and ("nf4" in name) == quantised
        )

    rows = [row for row in measured(shared) if asked(row)]

    def predict(row):
        sequence = number(row, "seq_len", 1304)  # the source's longest sample
        lora = Lora(32 if row["seq_len"] else 8, "attention")
        model = model_of(row)
        where = layout(micro_batch=number(row, "micro_batch", 1))
        method = Method.QLORA if quantised else Method.LORA
        held = terms(model, where, BF16_TRUE, stack=EAGER, method=method, lora=lora, sequence=sequence)
        return allocated_bytes(held)

    assert len(rows) >= 7 and np.quantile(errors(rows, predict), 0.9) < bound
