"""Published runs as the laws see them: what the cells say, what a rule fills in, what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.design.layout import Recompute
from groundplan.errors import InputError
from groundplan.tasks.validate import PUBLISHED, read_cases
from groundplan.validation.measured import COLUMNS, MeasuredRun, read_measured
from groundplan.validation.reading import measured_step_s, read_case

CATALOG = load_catalog([])
LLAMA = {
    "model": "Llama-3.1-8B",
    "params_b": "8.03",
    "layers": "32",
    "hidden": "4096",
    "ffn": "14336",
    "heads": "32",
    "kv_heads": "8",
    "vocab": "128256",
    "seq_len": "8192",
    "gpu": "H100-80GB-SXM",
    "gpus_per_node": "8",
    "n_gpus": "16",
    "framework": "NeMo 24.07 (Megatron-Core)",
    "micro_batch": "1",
    "global_batch_seqs": "64",
    "precision": "bf16",
    "step_time_s": "10",
}


def case(**cells: str):
    return read_case(MeasuredRun("r", LLAMA | cells), CATALOG, measured_step_s)


def test_every_published_run_can_be_predicted():
    cases, unpredictable = read_cases(read_measured(PUBLISHED / "training.csv"), CATALOG)
    assert unpredictable == []
    assert len(cases) > 700
    assert len({one.setting.cluster.accelerator.id for one in cases}) >= 9


@pytest.mark.parametrize(
    ("framework", "year", "stack"),
    [
        ("llm-foundry/Composer (PyTorch FSDP, MPT, FlashAttention)", "2024", "fsdp"),
        ("Megatron-DeepSpeed", "2022", "megatron-2021"),
        ("Megatron-LM", "2022", "megatron-2021"),
        ("Megatron-LM @23e00ed0 (real run), TE 2.11, torch 2.10", "2026", "megatron-lm"),
        ("NeMo 24.07 (Megatron-Core)", "2024", "nemo-2024"),
        ("NeMo 25.02 (Megatron-Core)", "2025", "nemo"),
        ("Megatron-Bridge (Megatron-Core) 25.11 NeMo Container", "2025", "nemo"),
        ("Megatron-Bridge (Megatron-Core) 26.08 NeMo Container", "2026", "megatron-bridge"),
        ("MaxText (JAX)", "2024", "xla"),
        ("PaxML (JAX) + TransformerEngine", "2025", "xla"),
        ("HF + DeepSpeed 0.19.2, torch 2.13", "2026", "deepspeed"),
        ("something new", "2026", "megatron-core"),
    ],
)
def test_the_stack_is_the_one_the_framework_names(framework, year, stack):
    assert case(framework=framework, year=year).setting.stack.id == stack


def test_the_attention_kernels_a_source_names_are_used():
    assert case(framework="HF + DeepSpeed, FA3(H200)").setting.stack.flash_generation == 3
    assert case(notes="run without flash attention").setting.flash_attention is False


@pytest.mark.parametrize(
    ("link", "bits_per_s"),
    [
        ("RoCE 1600 Gbps/node", 1.6e12),
        ("unstated (8x200 Gb/s HDR InfiniBand class)", 1.6e12),
        ("DGX-H100 (400Gb/s IB per GPU typical; not stated)", 3.2e12),
        ("Omni-Path (4 links/node, Jean Zay)", 4e11),
        ("EFA 800/1600 Gbps (trn1/trn1n)", 8e11),
        ("GCP A3 (4x200Gb/s GPUDirect-TCPX; bandwidth not in README)", 8e11),
        ("", 3.2e12),
    ],
)
def test_the_network_is_read_from_its_description(link, bits_per_s):
    assert case(inter_node_link=link).setting.cluster.host.nic_bits_per_s == bits_per_s


@pytest.mark.parametrize(
    ("said", "zero", "shard"),
    [
        ("FSDP FULL_SHARD (ZeRO-3)", 3, 16),
        ("FSDP SHARD_GRAD_OP (ZeRO-2)", 2, 16),
        ("DDP + distributed optimizer (FSDP=0)", 1, 16),
        ("FSDP 8 intra-node, DP 2 inter-node", 3, 8),
        ("DDP", 0, 1),
        ("none", 0, 1),
        ("", 1, 16),
    ],
)
def test_sharding_is_read_from_its_description(said, zero, shard):
    layout = case(zero_or_fsdp=said).layout
    assert (layout.zero, layout.shard) == (zero, shard)


def test_a_known_model_brings_what_no_column_holds():
    """DeepSeek-V3 cut to four layers keeps its latent attention; one layer of it is dense."""
    sizes = {"hidden": "7168", "ffn": "18432", "heads": "128", "kv_heads": "128", "vocab": "129280"}
    experts = {"n_experts": "256", "top_k": "8", "moe_ffn": "2048"}
    model = case(
        model="deepseekv3 cut to 4 layers", layers="4", params_b="", notes="MLA, dense_layers=1", **sizes, **experts
    ).job.model
    assert model.attention.kind == "mla"
    assert (model.layers, model.experts.layers, model.experts.shared_width) == (4, 3, 2048)


def test_an_unknown_model_is_built_to_its_parameter_count():
    model = case(model="house model", params_b="8.03").job.model
    assert model.parameters == pytest.approx(8.03e9, rel=0.005)
    assert model.feed_forward.gated and not model.tied_embeddings
    plain = case(model="MPT-like", params_b="6.65", ffn="16384", kv_heads="32", vocab="50368").job.model
    assert plain.parameters == pytest.approx(6.65e9, rel=0.01)
    assert not plain.feed_forward.gated and plain.tied_embeddings


@pytest.mark.parametrize(
    ("cells", "vpp"),
    [
        ({"pp": "4"}, 8),  # 32 layers on 4 stages, one layer each
        ({"pp": "4", "vpp": "2"}, 2),
        ({"pp": "4", "layers": "30"}, 1),  # does not divide
        ({"pp": "4", "global_batch_seqs": "24"}, 1),  # 6 micro-batches do not fill 4 stages evenly
        ({"pp": "4", "framework": "MaxText (JAX)"}, 1),  # does not interleave
        ({"pp": "1"}, 1),
    ],
)
def test_open_virtual_stages_are_one_layer_each_where_recipes_interleave(cells, vpp):
    read = case(**cells)
    assert read.layout.vpp == vpp
    assert (f"vpp {vpp}" in read.assumed) == (vpp > 1 and "vpp" not in cells)


def test_supervised_fine_tuning_packs_short_documents():
    assert case().job.document_length == 8192
    assert case(model="Llama-3-8B SFT").job.document_length < 1000
    assert case(framework="llm-foundry/Composer (PyTorch FSDP)", model="Llama SFT").job.document_length == 8192


def test_open_recomputation_is_the_lightest_that_fits():
    from groundplan.validation.predict import batches

    light = case(recompute="unknown", zero_or_fsdp="FSDP")
    heavy = case(recompute="", zero_or_fsdp="FSDP", micro_batch="8", global_batch_seqs="128")
    chosen = {id(one): int(batches([one], CATALOG)[0].layout.recompute[0]) for one in (light, heavy)}
    assert chosen[id(light)] == Recompute.NONE
    assert chosen[id(heavy)] > Recompute.NONE
    assert int(batches([case(recompute="full")], CATALOG)[0].layout.recompute[0]) == Recompute.FULL


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"gpu": "H100-quantum"}, "unknown accelerator"),
        ({"layers": ""}, "layers is not stated"),
        ({"layers": "many"}, "layers is 'many'"),
        ({"tp": "3"}, "does not divide 16 devices"),
        ({"step_time_s": ""}, "nothing was measured"),
        ({"micro_batch": "", "global_batch_seqs": ""}, "neither micro_batch nor global_batch_seqs"),
        ({"precision": "int2"}, "unknown precision"),
        ({"seq_len": "0"}, "seq_len is '0'"),
        ({"gpu": "TPU-v5e", "precision": "fp4"}, "has no known fp4 rate"),
    ],
)
def test_what_cannot_be_predicted_says_why(cells, said):
    _, (unpredictable,) = read_cases([MeasuredRun("r", LLAMA | cells)], CATALOG)
    assert said in unpredictable.reason


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "has no column layers"),
        (",".join(COLUMNS) + "\n", "has no rows"),
    ],
)
def test_a_file_that_is_no_table_of_runs_is_refused(tmp_path: Path, text, said):
    path = tmp_path / "runs.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_measured(path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(InputError, match="no such file"):
        read_measured(tmp_path / "nothing.csv")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"model": "Llama 2 7B inference"}, "it is inference"),
        ({"model": "Llama 2 7B - Finetuning with Adapter"}, "adapters are none"),
        ({"notes": "OOM"}, "ran out of memory"),
    ],
)
def test_what_is_no_training_run_is_named(cells, said):
    _, (unpredictable,) = read_cases([MeasuredRun("r", LLAMA | cells)], CATALOG)
    assert said in unpredictable.reason


def test_megatron_pads_the_vocabulary():
    tp8 = {"framework": "Megatron-LM", "year": "2026", "tp": "8"}
    assert case(model="house", vocab="50257", params_b="", **tp8).job.model.vocabulary == 51200
    assert case(model="house", vocab="50257", params_b="", framework="FSDP").job.model.vocabulary == 50257


def test_a_sequence_told_by_the_longest_sample_is_read():
    notes = "samples of default length (longest: phi1.5 1044, StableLM 1034, Llama2 1304, Falcon 1079 tokens)"
    assert case(model="Llama 2 7B - Finetuning with LoRA", seq_len="", notes=notes).job.sequence == 1304


@pytest.mark.parametrize(
    ("model", "precision", "method"),
    [
        ("Llama 2 7B - Finetuning with LoRA on 1 GPU", "bf16", "lora"),
        ("Llama 2 7B - Finetuning with LoRA on 1 GPU bnb.nf4", "bf16 bnb.nf4", "qlora"),
        ("falcon-7b qlora (falcon-7b/qlora.yaml)", "bf16 + nf4 weights", "qlora"),
        ("LLAMA3_70B SFT", "fp8", "full"),
        ("Llama-3.1-8B", "bf16", "pretrain"),
    ],
)
def test_the_method_is_read_from_the_model_and_precision(model, precision, method):
    assert case(model=model, precision=precision).job.method == method
