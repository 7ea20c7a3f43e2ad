"""The smallest changes that make a request fit, each computed by the law that found it too large."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from groundplan.design.layout import Recompute
from groundplan.estimate.formats import weight_format
from groundplan.evidence import Result
from groundplan.tasks.memory_request import MemoryRequest, Question, device_totals
from groundplan.workload.job import Method
from groundplan.workload.model import TransformerModel

MAX_SHARDS = 1024
TENSOR_RANKS = (2, 4, 8)
SMALL_OPTIMIZER = "adamw-8bit"
GB = 1e9


@dataclass(frozen=True, slots=True)
class Fix(Result):
    """One change that makes the request fit."""

    change: str
    total_bytes: float
    fits: bool
    text: str
    devices: int
    accelerator: str


@dataclass(frozen=True, slots=True)
class _Change:
    """A named edit of the request; `accelerator` where another device is tried."""

    name: str
    request: MemoryRequest
    question: Question

    @property
    def capacity(self) -> float:
        """Memory of the device tried. [bytes]"""
        return self.question.accelerator.memory_bytes or 0.0


def smallest_fixes(request: MemoryRequest, question: Question) -> tuple[Fix, ...]:
    """Return changes that make `request` fit, those that change least first.

    Every kind of change is tried alone, then those that were not enough together with full recomputation and a
    micro-batch of one; of each kind the smallest that fits is returned. Where that is not enough, two kinds are
    combined. Each round is one evaluation of columns.
    """
    if request.mode == "serve":
        return tuple(_first_fits(_serving_changes(request, question), question))
    fixes = _first_fits(_training_changes(request, question), question)
    suffix = _lean_words(request)
    lean = replace(request, recompute="full", micro_batch=1)
    if suffix and not any(fix.change.startswith(("recompute", "micro_batch")) for fix in fixes):
        alone = _first_fits([[_Change(suffix.removeprefix(" with "), lean, question)]], question)
        if alone:
            return (*alone, *fixes)
        done = {fix.change.split(" ")[0] for fix in fixes}
        rounds = (
            [_Change(change.name + suffix, change.request, change.question) for change in changes]
            for changes in map(list, _training_changes(lean, question))
            if changes and changes[0].name.split(" ")[0] not in done
        )
        fixes += _first_fits(rounds, question)
    return tuple(fixes or _first_fits(_combined(lean, question, suffix), question))


def _lean_words(request: MemoryRequest) -> str:
    words = []
    if request.recompute != Recompute.FULL.name.lower():
        words.append("full recomputation")
    if request.micro_batch > 1:
        words.append("a micro-batch of 1")
    return " with " + " and ".join(words) if words else ""


def _training_changes(request: MemoryRequest, question: Question) -> Iterator[Iterator[_Change]]:
    """Yield kinds of change, mildest first: same result on the same device, then more devices, then other training."""
    yield _each("recompute", request, question, ({"recompute": mode} for mode in _heavier(request.recompute)))
    yield _each("micro_batch", request, question, ({"micro_batch": size} for size in _halves(request.micro_batch)))
    if request.optimizer != SMALL_OPTIMIZER and SMALL_OPTIMIZER in question.catalog.optimizers:
        yield _each("optimizer", request, question, iter([{"optimizer": SMALL_OPTIMIZER}]))
    if not request.offload:
        yield _each("offload", request, question, iter([{"offload": True, "zero": max(request.zero, 2)}]))
    yield _each("zero", request, question, ({"zero": 3, "dp": ranks} for ranks in _shards(request.dp)))
    yield _each("tp", request, question, ({"tp": ranks} for ranks in _tensor_ranks(request, question)))
    if isinstance(question.model, TransformerModel) and request.method in (Method.PRETRAIN, Method.FULL):
        yield _each("lora", request, question, iter([{"method": "lora"}]))
    if isinstance(question.model, TransformerModel) and request.method != Method.QLORA:
        yield _each("qlora", request, question, iter([{"method": "qlora"}]))
    yield _bigger(request, question)


def _serving_changes(request: MemoryRequest, question: Question) -> Iterator[Iterator[_Change]]:
    width = weight_format(request.precision).weight_bytes
    if request.kv_precision in ("bf16", "fp16", "fp32"):
        yield _each("kv_precision", request, question, iter([{"kv_precision": "fp8"}]))
    yield _each("batch", request, question, ({"batch": size} for size in _halves(request.batch)))
    yield _each(
        "precision",
        request,
        question,
        ({"precision": p} for p in ("fp8", "int4") if weight_format(p).weight_bytes < width),
    )
    yield _each("tp", request, question, ({"tp": ranks} for ranks in _tensor_ranks(request, question)))
    yield _bigger(request, question)


def _combined(lean: MemoryRequest, question: Question, suffix: str) -> Iterator[Iterator[_Change]]:
    """Yield combinations for what no single change can fit."""
    tensor = list(_tensor_ranks(lean, question))
    yield (
        _Change(f"zero 1 over {ranks} ranks and ep {ep}{suffix}", replace(lean, zero=1, dp=ranks, ep=ep), question)
        for ranks in _shards(1)
        for ep in _expert_ranks(ranks, question)
    )
    yield (
        _Change(f"zero 3 over {ranks} ranks and tp {tp}{suffix}", replace(lean, zero=3, dp=ranks, tp=tp), question)
        for tp in tensor
        for ranks in _shards(1)
    )
    if isinstance(question.model, TransformerModel):
        yield (_Change(f"qlora and tp {tp}{suffix}", replace(lean, method="qlora", tp=tp), question) for tp in tensor)


def _first_fits(kinds: Iterable[Iterable[_Change]], question: Question) -> list[Fix]:
    """Return of each kind the first change that fits, where one does."""
    rounds = [list(changes) for changes in kinds]
    asked = [(change.request, change.question.stack(change.request)) for changes in rounds for change in changes]
    totals = iter(device_totals(asked, question))
    fixes = []
    for changes in rounds:
        held = [(change, float(next(totals))) for change in changes]
        fixes += [_fix(change, total) for change, total in held if total <= change.capacity][:1]
    return fixes


def _fix(change: _Change, total: float) -> Fix:
    device, devices = change.question.accelerator.id, change.request.devices
    where = f"on {devices} x {device}" if devices > 1 else f"on one {device}"
    text = f"{change.name}: {total / GB:.1f} of {change.capacity / GB:.1f} GB {where}"
    return Fix(change.name, total, True, text, devices, device)


def _each(
    kind: str, request: MemoryRequest, question: Question, edits: Iterator[dict[str, object]]
) -> Iterator[_Change]:
    for edit in edits:
        changed = replace(request, **edit)  # type: ignore[arg-type]
        yield _Change(_words(kind, changed), changed, question)


def _words(kind: str, request: MemoryRequest) -> str:
    return {
        "recompute": f"recompute {request.recompute}",
        "micro_batch": f"micro_batch {request.micro_batch}",
        "optimizer": f"optimizer {request.optimizer}",
        "offload": "offload of optimizer states to the host",
        "zero": f"zero 3 over {request.dp} ranks",
        "tp": f"tp {request.tp}",
        "lora": f"lora rank {request.lora_rank}",
        "qlora": f"qlora rank {request.lora_rank}",
        "kv_precision": f"kv_precision {request.kv_precision}",
        "batch": f"batch {request.batch}",
        "precision": f"precision {request.precision}",
    }[kind]


def _bigger(request: MemoryRequest, question: Question) -> Iterator[_Change]:
    """Yield accelerators of the same class with more memory, smallest first."""
    own = question.accelerator
    rows = [
        row
        for row in question.catalog.accelerators.values()
        if row.device_class == own.device_class and (row.memory_bytes or 0.0) > (own.memory_bytes or 0.0)
    ]
    for row in sorted(rows, key=lambda row: (row.memory_bytes or 0.0, row.vendor != own.vendor, row.id)):
        yield _Change(f"accelerator {row.id}", request, replace(question, accelerator=row))


def _heavier(mode: str) -> Iterator[str]:
    current = Recompute[mode.upper()]
    return (later.name.lower() for later in Recompute if later > current)


def _halves(size: int) -> Iterator[int]:
    while size > 1:
        size //= 2
        yield size


def _shards(own: int) -> Iterator[int]:
    """Yield data-parallel widths: the request's own, doubled and doubled again."""
    ranks = max(own, 2)
    while ranks <= MAX_SHARDS:
        yield ranks
        ranks *= 2


def _tensor_ranks(request: MemoryRequest, question: Question) -> Iterator[int]:
    model = question.model
    if isinstance(model, TransformerModel):
        yield from (ranks for ranks in TENSOR_RANKS if ranks > request.tp and model.attention.heads % ranks == 0)


def _expert_ranks(ranks: int, question: Question) -> Iterator[int]:
    """Yield expert-parallel groups of 64 and 8 ranks, or of all ranks where fewer, that divide the experts."""
    model = question.model
    if isinstance(model, TransformerModel) and model.experts is not None:
        yield from (ep for ep in (min(ranks, 64), min(ranks, 8)) if ep > 1 and model.experts.count % ep == 0)
