"""The request of the memory task: what may be asked, what is checked, and the terms that answer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Accelerator, Stack
from groundplan.design.deployment import Deployment
from groundplan.design.layout import Layout, Recompute
from groundplan.errors import InputError, UnknownName
from groundplan.estimate.memory import host_bytes, memory_terms, peak_bytes
from groundplan.estimate.serving_memory import kv_bytes, serving_memory_terms, state_bytes
from groundplan.estimate.stage_memory import Terms
from groundplan.workload.job import Lora, Method, TrainingJob
from groundplan.workload.model import Model, TransformerModel

MODES = ("train", "serve")
LORA_TARGETS = ("all-linear", "attention")
SEQUENCE = 2048  # where the request does not say
ITERATION_TOKENS = 8192  # of one scheduler step: the default of vLLM's server on large accelerators
MICRO_BATCHES_PER_STAGE = 4  # enough to fill the pipeline: memory no longer depends on their number
SPLITS = ("tp", "pp", "vpp", "cp", "ep", "dp", "zero", "micro_batch")
LAYOUT = (*SPLITS, "recompute", "sequence_parallel", "offload")  # what requests asked as columns may differ in


@dataclass(frozen=True, slots=True)
class MemoryRequest:
    """What is asked. Lengths in tokens, batches in sequences; None = the default of the model or the accelerator.

    `precision` names a training precision of the catalog, or the width of the weights when serving.
    """

    model: str | Mapping[str, Any]
    mode: str = "train"
    accelerator: str = "h100-sxm"
    optimizer: str = "adamw"
    precision: str = "bf16"
    method: str = "pretrain"
    lora_rank: int = 16
    lora_targets: str = "all-linear"
    micro_batch: int = 1
    sequence: int | None = None
    tp: int = 1
    pp: int = 1
    vpp: int = 1
    cp: int = 1
    ep: int = 1
    dp: int = 1
    zero: int = 0
    recompute: str = "none"
    sequence_parallel: bool | None = None  # None: on with tensor parallelism
    offload: bool = False
    stack: str | None = None
    flash_attention: bool | None = None
    batch: int = 1  # serving
    kv_precision: str = "bf16"

    @property
    def devices(self) -> int:
        """Accelerators the layout occupies."""
        return self.tp * self.pp if self.mode == "serve" else self.tp * self.pp * self.cp * self.dp

    def unsharded(self) -> MemoryRequest:
        """Return the same training on one device."""
        return replace(self, tp=1, pp=1, vpp=1, cp=1, ep=1, dp=1, zero=0, offload=False)


_beside_layout = attrgetter(*(one.name for one in fields(MemoryRequest) if one.name not in LAYOUT))


@dataclass(frozen=True, slots=True)
class Question:
    """The rows a request names."""

    model: Model
    accelerator: Accelerator
    catalog: Catalog

    def stack(self, request: MemoryRequest) -> Stack:
        """Return the software stack asked for, or the default of the accelerator.

        On one device nothing is reduced: unless a stack is asked for, gradients stay in the width of the precision.
        """
        if request.stack:
            return self.catalog.stack(request.stack)
        default = self.catalog.default_stack(self.accelerator)
        return replace(default, gradient_bytes=None) if request.devices == 1 else default


def checked(request: MemoryRequest, question: Question) -> Question:
    """Raise InputError where the request is impossible; else return the question."""
    for name in ("micro_batch", "tp", "pp", "vpp", "cp", "ep", "dp", "batch", "lora_rank", "sequence"):
        value = getattr(request, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise InputError(f"{name} must be a whole number of at least 1, not {value!r}", f"set {name} to 1 or more")
    if request.zero not in (0, 1, 2, 3):
        raise InputError(f"zero must be 0, 1, 2 or 3, not {request.zero!r}", "0 replicates all states, 3 shards all")
    if request.method not in tuple(Method):
        raise UnknownName("method", request.method, [method.value for method in Method])
    if request.recompute.upper() not in Recompute.__members__:
        raise UnknownName("recompute mode", request.recompute, [name.lower() for name in Recompute.__members__])
    if request.lora_targets not in LORA_TARGETS:
        raise UnknownName("LoRA target", request.lora_targets, LORA_TARGETS)
    if isinstance(question.model, TransformerModel):
        _check_splits(request, question.model)
    elif request.mode == "serve" or request.tp * request.pp * request.cp * request.ep > 1 or _adapts(request):
        raise InputError(
            f"{question.model.id} is known by totals per sample only",
            "use pretrain or full with dp and zero, without tp, pp, cp, ep",
        )
    return question


def _adapts(request: MemoryRequest) -> bool:
    return request.method in (Method.LORA, Method.QLORA)


def _check_splits(request: MemoryRequest, model: TransformerModel) -> None:
    if model.attention.heads % request.tp:
        raise InputError(
            f"tp {request.tp} does not divide the {model.attention.heads} heads", "use a divisor of the heads"
        )
    if request.pp * request.vpp > model.layers:
        raise InputError(
            f"pp x vpp is {request.pp * request.vpp}, more than the {model.layers} layers", "use fewer pipeline stages"
        )
    if request.vpp > 1 and request.pp == 1:
        raise InputError("vpp needs a pipeline", "set pp above 1 or vpp to 1")
    if request.ep > 1 and model.experts is None:
        raise InputError(f"{model.id} has no experts to split over ep {request.ep}", "set ep to 1")
    if request.ep > 1 and model.experts is not None and model.experts.count % request.ep:
        raise InputError(f"ep {request.ep} does not divide the {model.experts.count} experts", "use a divisor of them")
    if request.mode == "train" and (request.dp * request.cp) % request.ep:
        raise InputError(f"ep {request.ep} does not divide dp x cp = {request.dp * request.cp}", "raise dp or lower ep")
    if request.sequence is not None and request.sequence < request.cp:
        raise InputError(f"cp {request.cp} is more than the {request.sequence} tokens", "lower cp")


def device_terms(request: MemoryRequest, question: Question) -> dict[str, float]:
    """Return the bytes of one device by term, without the terms that are zero."""
    model, stack = question.model, question.stack(request)
    if request.mode == "serve":
        if not isinstance(model, TransformerModel):
            raise InputError(f"{model.id} is known by totals per sample only", "serve a transformer")
        return _serving_terms(request, model, stack)
    terms = _training_terms([request], question, stack)
    return {name: float(np.ravel(value)[0]) for name, value in terms.items() if np.any(value)}


def device_totals(asked: Sequence[tuple[MemoryRequest, Stack]], question: Question) -> NDArray[np.float64]:
    """Return the bytes of one device for many requests, each on its stack; those alike but for layout as columns."""
    totals = np.empty(len(asked))
    alike: list[tuple[tuple[Any, Stack], list[int]]] = []
    for index, (request, stack) in enumerate(asked):
        key = (request if request.mode == "serve" else _beside_layout(request), stack)
        members = next((members for other, members in alike if other == key), None)
        if members is None:
            alike.append((key, members := []))
        members.append(index)
    for (_, stack), members in alike:
        requests = [asked[index][0] for index in members]
        if requests[0].mode == "serve":
            totals[members] = sum(device_terms(requests[0], question).values())
        else:
            totals[members] = peak_bytes(_training_terms(requests, question, stack))
    return totals


def _training_terms(requests: Sequence[MemoryRequest], question: Question, stack: Stack) -> Terms:
    """Bytes of a device by term, a column each, for requests that differ in their layout only."""
    first, catalog = requests[0], question.catalog
    return memory_terms(
        question.model,
        _job(requests, question.model),
        _layout(requests),
        catalog.precision(first.precision),
        catalog.optimizer(first.optimizer),
        stack,
        stack.flash_attention if first.flash_attention is None else first.flash_attention,
    )


def _serving_terms(request: MemoryRequest, model: TransformerModel, stack: Stack) -> dict[str, float]:
    """Bytes of a device that holds `batch` sequences of full length at once."""
    deployment = Deployment(request.tp, request.pp, 1, 1, request.precision, request.kv_precision)
    sequence = sequence_of(request, model)
    stage_share = -(-model.layers // request.pp) / model.layers
    cache = request.batch * float(kv_bytes(model, sequence, request.kv_precision, request.tp)) * stage_share
    held = serving_memory_terms(model, deployment, min(request.batch * sequence, ITERATION_TOKENS), request.batch)
    states = request.batch * state_bytes(model, request.tp) * stage_share
    kept = {"kv_cache": cache, **({"states": states} if states else {})}
    return {**held, **kept, "framework": stack.context_bytes}


def host_memory(request: MemoryRequest, question: Question) -> float:
    """Return the host memory per device that offload takes. [bytes]"""
    if request.mode == "serve":
        return 0.0
    catalog = question.catalog
    held = np.ravel(
        host_bytes(
            question.model,
            _job([request], question.model),
            _layout([request]),
            catalog.precision(request.precision),
            catalog.optimizer(request.optimizer),
            question.stack(request),
        )
    )
    return float(held[0])


def sequence_of(request: MemoryRequest, model: Model) -> int:
    """Return the tokens per sequence: as asked, or the model's own length where that is shorter than the default."""
    if request.sequence is not None:
        return request.sequence
    return min(SEQUENCE, model.max_sequence) if isinstance(model, TransformerModel) and model.max_sequence else 1


def _job(requests: Sequence[MemoryRequest], model: Model) -> TrainingJob:
    first = requests[0]
    return TrainingJob(
        model=model,
        method=Method(first.method),
        lora=Lora(first.lora_rank, first.lora_targets) if _adapts(first) else None,
        dataset=None,
        tokens=0.0,
        sequence=sequence_of(first, model),
        document_length=sequence_of(first, model),
        global_batch=max(one.micro_batch * one.dp * one.pp for one in requests) * MICRO_BATCHES_PER_STAGE,
        optimizer=first.optimizer,
        precisions=(first.precision,),
        stack=first.stack,
        flash_attention=first.flash_attention,
    )


def _layout(requests: Sequence[MemoryRequest]) -> Layout:
    columns = {name: np.array([getattr(one, name) for one in requests]) for name in SPLITS}
    sequence_parallel = [one.tp > 1 if one.sequence_parallel is None else one.sequence_parallel for one in requests]
    return Layout(
        **columns,
        shard=columns["dp"] * columns["cp"],
        recompute=np.array([Recompute[one.recompute.upper()] for one in requests]),
        sequence_parallel=np.array(sequence_parallel),
        offload=np.array([one.offload for one in requests]),
    )
