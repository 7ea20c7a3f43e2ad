"""Task: what one device must hold to train or serve a model, and the smallest changes that make it fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Accelerator
from groundplan.errors import InputError, UnknownName
from groundplan.estimate.intervals import SERVING_MEMORY, memory_interval
from groundplan.evidence import Assumption, Prediction, Result, Term, total_of
from groundplan.tasks.memory_fixes import Fix, smallest_fixes
from groundplan.tasks.memory_request import MODES, MemoryRequest, Question, checked, device_terms, host_memory
from groundplan.workload.job import Method
from groundplan.workload.models import load_model, model_from_mapping

__all__ = ["MODES", "Fix", "MemoryRequest", "MemoryResult", "memory"]

FORMULAS = {
    "weights": "parameters / (tp x pp) x bytes per weight, over the shard group under ZeRO-3",
    "adapters": "rank x (inputs + outputs) of each adapted matrix x bytes per weight",
    "gradients": "trained parameters x bytes per gradient, over the shard group from ZeRO-2",
    "optimizer_states": "trained parameters x (fp32 master copy + optimizer state), over the shard group from ZeRO-1",
    "gather_buffers": "weights made whole for compute: two layers and the tables under ZeRO-3, one matrix under QLoRA",
    "communication_buffers": "fresh gradients of one layer and the output matrix, and the engine's buckets",
    "activations": "tokens x layers of the stage x micro-batches in flight x bytes kept per token",
    "working_set": "tokens x (recomputed activations of one layer + gradients alive in its backward pass)",
    "logits": "tokens x vocabulary / tp x bytes per logit",
    "update_buffers": "fp32 copies of 16-bit gradients while the optimizer steps",
    "kv_cache": "batch x tokens x layers x (keys + values) x bytes; MLA: its latent; sliding attention: its window",
    "states": "batch x linear layers x (heads x key width x value width x bytes + last inputs of the convolution)",
    "workspace": "activations of the widest layer for the tokens of one scheduler step",
    "framework": "driver context, communication library and workspaces outside the allocator",
    "fragmentation": "allocated bytes x (reserved / allocated - 1)",
}
SOURCES = {
    "activations": "Korthikanti et al. 2022, arXiv:2205.05198",
    "working_set": "Korthikanti et al. 2022, arXiv:2205.05198",
    "optimizer_states": "Rajbhandari et al. 2020, arXiv:1910.02054",
    "gradients": "Rajbhandari et al. 2020, arXiv:1910.02054",
    "adapters": "Hu et al. 2021, arXiv:2106.09685",
    "kv_cache": "Ainslie et al. 2023, arXiv:2305.13245",
}


@dataclass(frozen=True, slots=True)
class MemoryResult(Result):
    """What one device holds at its peak; `terms` sum to `total_bytes.value`."""

    schema: str
    model: str
    parameters: int
    mode: str
    accelerator: str
    devices: int
    total_bytes: Prediction
    capacity_bytes: float
    fits: bool
    terms: Mapping[str, float]
    host_bytes: float  # per device, where states are offloaded
    fixes: tuple[Fix, ...]
    notes: tuple[str, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    explain: Mapping[str, Term] = field(default_factory=dict)


def memory(request: MemoryRequest, catalog: Catalog) -> MemoryResult:
    """Return the memory of one device at its peak moment, and what to change where it does not fit.

    Raises
    ------
    InputError, UnknownName
        When a name is unknown, a value impossible, or the model's activations or the device's memory are unknown.
    """
    if request.mode not in MODES:
        raise UnknownName("mode", request.mode, MODES)
    if isinstance(request.model, str):
        model = load_model(request.model, catalog)
    else:
        model = model_from_mapping(request.model, Path.cwd(), catalog)
    accelerator = catalog.accelerator(request.accelerator)
    capacity = memory_of(accelerator)
    question = checked(request, Question(model, accelerator, catalog))
    terms = device_terms(request, question)
    tree = _explained(terms, request)
    total = tree.value
    fits = total <= capacity
    return MemoryResult(
        schema="groundplan/memory/1",
        model=model.id,
        parameters=model.parameters,
        mode=request.mode,
        accelerator=accelerator.id,
        devices=request.devices,
        total_bytes=Prediction.within(total, *_spread(request, question)),
        capacity_bytes=capacity,
        fits=fits,
        terms=terms,
        host_bytes=host_memory(request, question),
        fixes=() if fits else smallest_fixes(request, question),
        notes=_notes(request, question, terms),
        assumptions=_assumptions(request, question),
        explain={"total_bytes": tree},
    )


def memory_of(accelerator: Accelerator) -> float:
    """Return the memory of an accelerator, or say that no source states it. [bytes]"""
    if accelerator.memory_bytes is None:
        raise InputError(f"the memory of {accelerator.id} is unknown", "add memory_bytes to its catalog row")
    return accelerator.memory_bytes


def _spread(request: MemoryRequest, question: Question) -> tuple[float, float]:
    if request.mode == "serve":
        return SERVING_MEMORY
    return memory_interval(
        Method(request.method), question.stack(request).id, "one" if request.devices == 1 else "many"
    )


def _explained(terms: Mapping[str, float], request: MemoryRequest) -> Term:
    inputs: dict[str, float | str | None] = {
        "micro_batch": request.micro_batch,
        "tp": request.tp,
        "pp": request.pp,
        "zero": request.zero,
    }
    if request.mode == "serve":
        inputs = {"batch": request.batch, "tp": request.tp, "pp": request.pp}
    children = tuple(
        Term(name, value, "bytes", FORMULAS.get(name, ""), inputs, SOURCES.get(name, ""))
        for name, value in terms.items()
    )
    return total_of("total_bytes", "bytes", children, "the device of the fullest stage at its peak moment")


def _notes(request: MemoryRequest, question: Question, terms: Mapping[str, float]) -> tuple[str, ...]:
    if request.mode == "serve":
        return ("Serving engines reserve most free memory for the KV cache in advance; this is what the batch needs.",)
    notes = []
    if request.method in (Method.PRETRAIN, Method.FULL) and not request.offload:
        plain = request.unsharded()
        states = device_terms(plain, question)
        kept = sum(states[name] for name in ("weights", "gradients", "optimizer_states"))
        per_parameter = kept / question.model.parameters
        weights = states["weights"] / question.model.parameters
        notes.append(
            f"Training keeps {per_parameter:.3g} bytes per parameter ({per_parameter / weights:.2g}x its "
            f"{weights:.3g}-byte weights) before activations: the rule of thumb '2-3x the model size' is wrong."
        )
    if terms.get("update_buffers", 0.0) > 0.0:
        notes.append("The peak is the optimizer step, not the backward pass.")
    return tuple(notes)


def _assumptions(request: MemoryRequest, question: Question) -> tuple[Assumption, ...]:
    low, high = _spread(request, question)
    evidence = "assumed" if request.mode == "serve" else "derived"
    stack = question.stack(request)
    return (
        Assumption(
            "stack", stack.id, "", "assumed", "default of the accelerator" if request.stack is None else "request"
        ),
        Assumption("framework_bytes", stack.context_bytes, "bytes", "assumed", f"catalog stack {stack.id}"),
        Assumption("fragmentation", stack.fragmentation, "1", "assumed", f"catalog stack {stack.id}"),
        Assumption("interval", f"{low} to {high} of the value", "1", evidence, "residuals against published peaks"),
    )
