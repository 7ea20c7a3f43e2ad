"""Task: what storage must deliver to keep accelerators fed, and which products do."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import Accelerator
from groundplan.errors import InputError, UnknownName
from groundplan.estimate import assumptions as given
from groundplan.estimate.assumptions import number
from groundplan.estimate.data import CHECKPOINTS_KEPT, StorageAnswer, StorageDemand, products_for
from groundplan.estimate.dataset_kinds import DatasetKind, dataset_kinds, rate_on
from groundplan.evidence import Assumption, Evidence, Result, Term
from groundplan.physics.checkpoint import checkpoint_bytes
from groundplan.physics.loader import decode_cores, stall_share
from groundplan.physics.storage import cache_hit_rate, read_bytes_per_s, requests_in_flight
from groundplan.quantities import format_rate
from groundplan.workload.model import Model, TransformerModel
from groundplan.workload.models import load_model

TEXT_KINDS = ("text", "tokens")
FLOP_PER_PARAMETER_AND_TOKEN = 6.0


@dataclass(frozen=True, slots=True)
class StorageRequest:
    """`accelerators` of one kind reading one kind of data set; None = the kind's own published rate."""

    accelerators: int
    accelerator: str = "h100-sxm"
    dataset_kind: str = "text"
    samples_per_s: float | None = None  # of each accelerator; tokens for text
    sample_bytes: float | None = None
    dataset_bytes: float | None = None
    cached_fraction: float = 0.0
    model: str | None = None  # for its checkpoints, and how fast it reads text
    checkpoint_write_s: float | None = None
    storage: str | None = None
    pinned: bool = False  # the cache keeps what it holds


@dataclass(frozen=True, slots=True)
class StorageResult(Result):
    """The demand, and every product's answer to it, those that do first.

    `requests_in_flight` and `stall_share`, the share of the time accelerators wait for data, are those of the first
    product; None where its latency or rate is unknown.
    """

    schema: str
    headline: str
    read_bytes_per_s: float
    checkpoint_bytes: float | None
    write_bytes_per_s: float
    requests_in_flight: float | None
    cache_hit_rate: float
    decompress_cores: float
    stall_share: float | None
    products: tuple[StorageAnswer, ...]
    assumptions: tuple[Assumption, ...]
    warnings: tuple[str, ...]
    explain: dict[str, Term]


@dataclass(frozen=True, slots=True)
class _Reading:
    """How many samples one accelerator takes in a second, and how that is known."""

    samples_per_s: float
    evidence: str
    source: str
    assumptions: tuple[Assumption, ...] = ()


def storage(request: StorageRequest, catalog: Catalog) -> StorageResult:
    """Return what storage must deliver, and which products do.

    Raises
    ------
    InputError, UnknownName
        For names that are not in the catalog, sizes that cannot be, or a rate nobody published.
    """
    _check(request)
    kind = _kind(request.dataset_kind)
    accelerator = catalog.accelerator(request.accelerator)
    model = load_model(request.model, catalog) if request.model else None
    reading = _reading(request, kind, accelerator, model)
    sample = request.sample_bytes if request.sample_bytes is not None else kind.sample_bytes
    demanded = float(read_bytes_per_s(request.accelerators, reading.samples_per_s, sample))
    hits = float(cache_hit_rate(request.cached_fraction, request.pinned))
    read = demanded * (1.0 - hits)
    kept = number(given.CHECKPOINT_BYTES_PER_PARAMETER)
    size = float(checkpoint_bytes(model.parameters, kept)) if model else None
    within = request.checkpoint_write_s or number(given.CHECKPOINT_WRITE)
    write = (size or 0.0) / within
    demand = StorageDemand((request.dataset_bytes or 0.0) + CHECKPOINTS_KEPT * (size or 0.0), read, write)
    answers = _answers(request, demand, catalog)
    return StorageResult(
        schema="groundplan/storage/1",
        headline=_headline(request, accelerator, kind, read, write, answers),
        read_bytes_per_s=read,
        checkpoint_bytes=size,
        write_bytes_per_s=write,
        requests_in_flight=_in_flight(answers, read, catalog),
        cache_hit_rate=hits,
        decompress_cores=float(decode_cores(demanded, number(given.DECODE_RATE))) if kind.decoded else 0.0,
        stall_share=_stall_share(answers, read),
        products=answers,
        assumptions=_assumptions(request, kind, sample, reading, model),
        warnings=_warnings(request, model),
        explain=_explain(request, reading, sample, hits, read, size, write, within),
    )


def _check(request: StorageRequest) -> None:
    if request.accelerators < 1:
        raise InputError(f"accelerators is {request.accelerators}", "give a whole number of at least 1")
    if not 0.0 <= request.cached_fraction <= 1.0:
        raise InputError(f"cached-fraction is {request.cached_fraction}", "give a share between 0 and 1")
    positive = {
        "samples-per-s": request.samples_per_s,
        "sample-bytes": request.sample_bytes,
        "dataset-bytes": request.dataset_bytes,
        "checkpoint-write": request.checkpoint_write_s,
    }
    for name, value in positive.items():
        if value is not None and not 0.0 < value < math.inf:
            raise InputError(f"{name} is {value}", "give a number above 0")


def _kind(name: str) -> DatasetKind:
    """Return the kind people call `name`: letter case, hyphens and spaces do not matter."""
    kinds = dataset_kinds()
    folded = {_folded(identity): kind for identity, kind in kinds.items()}
    if _folded(name) not in folded:
        raise UnknownName("dataset kind", name, kinds)
    return folded[_folded(name)]


def _folded(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _reading(request: StorageRequest, kind: DatasetKind, accelerator: Accelerator, model: Model | None) -> _Reading:
    """Find the rate: what the user says, else what the model reads, else what was published for the accelerator."""
    if request.samples_per_s is not None:
        return _Reading(request.samples_per_s, Evidence.ASSUMED.value, "given by the user")
    text = kind.id in TEXT_KINDS
    published = rate_on(kind, accelerator.id)
    if published is not None and not (text and model):
        return _Reading(published.bytes_per_s / kind.sample_bytes, published.evidence, published.source)
    if text:
        return _reading_tokens(accelerator, model)
    have = ", ".join(rate.accelerator for rate in kind.rates)
    raise InputError(
        f"how fast {accelerator.name} reads {kind.id} is not published; it is for {have}", "give --samples-per-s"
    )


def _reading_tokens(accelerator: Accelerator, model: Model | None) -> _Reading:
    """Tokens a second at the usual share of the peak: MFU x peak / (6 FLOP x active parameters)."""
    peak = accelerator.flops.get("bf16") or accelerator.flops.get("fp16")
    if peak is None:
        raise InputError(f"the bf16 rate of {accelerator.name} is unknown", "give --samples-per-s, in tokens")
    active = number(given.REFERENCE_PARAMETERS)
    if model is not None:
        active = float(model.active_parameters if isinstance(model, TransformerModel) else model.parameters)
    tokens = number(given.REFERENCE_MFU) * peak / (FLOP_PER_PARAMETER_AND_TOKEN * active)
    used = (given.REFERENCE_MFU,) if model else (given.REFERENCE_MFU, given.REFERENCE_PARAMETERS)
    return _Reading(tokens, Evidence.DERIVED.value, "MFU x bf16 peak / (6 FLOP x active parameters)", used)


def _answers(request: StorageRequest, demand: StorageDemand, catalog: Catalog) -> tuple[StorageAnswer, ...]:
    """Size the product named, or all but local disks: those hold no data set and no checkpoint that outlives a node.

    Where neither a size is given nor throughput sets one, what to provision is unknown, and so is its price.
    """
    if request.storage is not None:
        asked = [catalog.storage_product(request.storage)]
    else:
        asked = [product for product in catalog.storage.values() if product.kind != "local"]
    answers = [
        answer if answer.provisioned_bytes else replace(answer, provisioned_bytes=None, usd_per_month=None)
        for answer in products_for(asked, demand)
    ]
    return tuple(sorted(answers, key=lambda answer: (not answer.ok, answer.usd_per_month is None)))


def _in_flight(answers: tuple[StorageAnswer, ...], read: float, catalog: Catalog) -> float | None:
    latency = catalog.storage[answers[0].id].latency_s if answers else None
    return float(requests_in_flight(read, number(given.REQUEST_BYTES), latency)) if latency is not None else None


def _stall_share(answers: tuple[StorageAnswer, ...], read: float) -> float | None:
    """Share of the time accelerators wait when they read from the first product: per byte, 1/need against 1/have."""
    have = answers[0].read_bytes_per_s if answers else None
    return float(stall_share(1.0 / read, 1.0 / have)) if have and read > 0.0 else None


def _headline(
    request: StorageRequest,
    accelerator: Accelerator,
    kind: DatasetKind,
    read: float,
    write: float,
    answers: tuple[StorageAnswer, ...],
) -> str:
    doing = sum(answer.ok for answer in answers)
    saving = f" and write checkpoints at {format_rate(write)}" if write else ""
    return (
        f"{request.accelerators} x {accelerator.name} read {kind.name} at {format_rate(read)}{saving}; "
        f"{doing} of {len(answers)} products deliver it"
    )


def _assumptions(
    request: StorageRequest, kind: DatasetKind, sample: float, reading: _Reading, model: Model | None
) -> tuple[Assumption, ...]:
    found = list(reading.assumptions)
    if request.sample_bytes is None:
        found.insert(0, Assumption("sample_bytes", sample, "bytes", kind.evidence, kind.source))
    if kind.decoded:
        found.append(given.DECODE_RATE)
    if model is not None:
        found.append(given.CHECKPOINT_BYTES_PER_PARAMETER)
        found += [given.CHECKPOINT_WRITE] if request.checkpoint_write_s is None else []
        found.append(
            Assumption("checkpoints_kept", CHECKPOINTS_KEPT, "1", "assumed", "one being written, two to fall back to")
        )
    return (*found, given.REQUEST_BYTES)


def _warnings(request: StorageRequest, model: Model | None) -> tuple[str, ...]:
    if request.dataset_bytes is not None:
        return ()
    counted = "throughput and checkpoints" if model else "throughput"
    return (f"the size of the data set is not given: capacity and price are for {counted} alone",)


def _explain(
    request: StorageRequest,
    reading: _Reading,
    sample: float,
    hits: float,
    read: float,
    size: float | None,
    write: float,
    within: float,
) -> dict[str, Term]:
    return {
        "read_bytes_per_s": Term(
            "read_bytes_per_s",
            read,
            "bytes/s",
            "accelerators x samples/s x sample bytes x (1 - cache hits)",
            {
                "accelerators": float(request.accelerators),
                "samples/s": reading.samples_per_s,
                "sample [bytes]": sample,
                "cache hits": hits,
            },
            reading.source,
            reading.evidence,
        ),
        "write_bytes_per_s": Term(
            "write_bytes_per_s",
            write,
            "bytes/s",
            "checkpoint / time to write it",
            {"checkpoint [bytes]": size, "time [s]": within},
        ),
    }
