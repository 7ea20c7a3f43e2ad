"""What software a measured run ran: stack, kernels, precision, optimizer and method, as its words say."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Accelerator, Precision, Stack
from groundplan.errors import InputError
from groundplan.validation.measured import MeasuredRun, shown
from groundplan.workload.job import Lora, Method

OLD_MEGATRON = 2022
"""Last year in which Megatron-LM meant code without flash attention and overlapped gradients."""
NVIDIA_RECIPES = re.compile(r"\bnemo\b|\bmegatron-bridge\b", re.IGNORECASE)
"""Frameworks whose published runs are NVIDIA's performance recipes: gradients in 16 bits, interleaved stages."""
EARLY_NEMO = 2024
"""Last year of those recipes with attention kernels of well below FlashAttention-3's speed."""
GRAPHS_SINCE = 26.06
"""Release of NVIDIA's container from which Megatron Bridge captures its layers as graphs and fuses permutation."""
RELEASE = re.compile(r"\b(2\d\.\d\d)(?:\.\d\d)? NeMo")
MEGATRON = ("megatron-core", "nemo", "nemo-2024", "megatron-bridge", "megatron-lm")
"""Stacks whose sequence parallelism is on and whose optimizer is distributed unless a source says otherwise."""
PADDED = (*MEGATRON, "megatron-2021", "dualpipe")
"""Stacks that pad the vocabulary to what tensor-parallel ranks divide."""
PLAIN = ("pytorch-eager", "pytorch-compiled", "huggingface", "fsdp")
"""Stacks in which autocast really casts: compilers of whole programs fold it away."""
KERNELS = re.compile(r"(?:FA|FlashAttention-?)([2-4])\b", re.IGNORECASE)
LITGPT_LORA = Lora(32, "attention")
"""Adapters of LitGPT's published recipes: queries and values, rank 32 (github.com/Lightning-AI/litgpt, config_hub)."""


def run_software(
    run: MeasuredRun, accelerator: Accelerator, catalog: Catalog, assumed: list[str]
) -> tuple[Stack, Precision]:
    """Return the stack with the kernels a source names, and the precision; an unknown stack is added to `assumed`."""
    framework, notes = run.text("framework"), run.text("notes").lower()
    stack = run_stack(framework, run.number("year"), accelerator, catalog)
    if _spoken_stack(framework.lower(), catalog) is None:
        named = f"framework {shown(framework)} is not known: " if framework else ""
        assumed.append(f"{named}stack {stack.id}")
    if stack.id == "deepspeed" and "liger" in notes:
        stack = catalog.stacks["deepspeed-liger"]
    kernels = KERNELS.search(framework)
    if kernels:
        stack = replace(stack, flash_generation=float(kernels[1]))
    precision = _precision(run.text("precision"), catalog)
    casts = stack.id in PLAIN and "autocast" in f"{notes} {run.text('precision').lower()}"
    if precision.id == "bf16" and casts:
        precision = catalog.precisions["bf16-autocast"]
    if precision.id == "bf16" and "litgpt" in framework.lower():
        precision = catalog.precisions["bf16-true"]  # its recipes keep no master copy
    return stack, precision


def run_stack(framework: str, year: float | None, accelerator: Accelerator, catalog: Catalog) -> Stack:
    """Return the stack whose name or alias is the longest word of `framework`; the accelerator's default without one.

    Megatron-LM of the years up to `OLD_MEGATRON` is a stack of its own.
    """
    name = _spoken_stack(framework.lower(), catalog)
    if name is None:
        return catalog.default_stack(accelerator)
    release = RELEASE.search(framework)
    if NVIDIA_RECIPES.search(framework):
        fused = release is not None and float(release[1]) >= GRAPHS_SINCE
        early = year is not None and year <= EARLY_NEMO
        name = "megatron-bridge" if fused else "nemo-2024" if early else "nemo"
    if name == "megatron-lm" and year is not None and year <= OLD_MEGATRON:
        name = "megatron-2021"
    return catalog.stacks[name]


@lru_cache(maxsize=4096)
def _spoken_stack(framework: str, catalog: Catalog) -> str | None:
    found = [
        (len(spoken), stack.id)
        for stack in catalog.stacks.values()
        for spoken in (stack.id, *stack.aliases)
        if re.search(rf"(?<![a-z0-9]){re.escape(spoken)}(?![a-z])", framework)
    ]
    return max(found)[1] if found else None


@lru_cache(maxsize=4096)
def run_accelerator(name: str, catalog: Catalog) -> Accelerator:
    """Return the accelerator of any of its names."""
    return catalog.accelerator(name)


@lru_cache(maxsize=4096)
def _precision(text: str, catalog: Catalog) -> Precision:
    word = re.split(r"[\s/(,;]+", text.strip().lower())[0]
    return catalog.precision(word or "bf16")


def run_method(run: MeasuredRun) -> tuple[Method, Lora | None]:
    """Return what was trained, and the adapters.

    Raises
    ------
    InputError
        The run was no training that the laws know: inference, other adapters, or out of memory.
    """
    said = f"{run.text('model')} {run.text('precision')} {run.text('notes')}".lower()
    model = run.text("model").lower()
    if "inference" in model:
        raise InputError("it is inference, no training", "leave it out")
    if re.search(r"\badapter\b", model):
        raise InputError("its adapters are none the laws know", "LoRA and QLoRA can be predicted")
    if re.search(r"\boom\b", said):
        raise InputError("it ran out of memory: nothing was measured", "leave it out")
    lora = LITGPT_LORA if "litgpt" in run.text("framework").lower() else Lora()
    adapted = re.search(r"\bq?lora\b", model) is not None
    if adapted and ("qlora" in model or "nf4" in said):
        return Method.QLORA, lora
    if adapted:
        return Method.LORA, lora
    tuned = re.search(r"\b(sft|full|fine-?tun\w*)\b", model)
    return (Method.FULL if tuned else Method.PRETRAIN), None


def run_optimizer(run: MeasuredRun) -> str:
    """Return the catalog's optimizer: AdamW, with 8-bit states where a source says so."""
    return "adamw-8bit" if re.search(r"\b(8-?bit adam|bnb)\b", run.text("notes").lower()) else "adamw"
