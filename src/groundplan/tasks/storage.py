"""Task: what storage must deliver to keep accelerators fed, and which products do."""

from __future__ import annotations

from dataclasses import dataclass

from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError, UnknownName
from groundplan.estimate.data import StorageAnswer, StorageDemand, products_for
from groundplan.estimate.dataset_kinds import DatasetKind, dataset_kinds, rate_on
from groundplan.evidence import Assumption, Result, Term
from groundplan.physics.checkpoint import checkpoint_bytes
from groundplan.physics.loader import decode_cores
from groundplan.physics.storage import cache_hit_rate, read_bytes_per_s, requests_in_flight
from groundplan.workload.models import load_model

CHECKPOINT_BYTES_PER_PARAMETER = 14.0
"""bf16 weights, fp32 master copy and two Adam moments."""
REQUEST_BYTES = 8.0 * 2**20
"""Size of one read request of a streaming loader; class assumed."""
DECODE_BYTES_PER_S_PER_CORE = 2.5e8
"""Stored bytes one core decompresses and decodes a second: JPEG decoding runs at 100-150 MB/s, zstd at 500 and more;
class assumed."""


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
    model: str | None = None  # for its checkpoints
    checkpoint_write_s: float = 300.0
    storage: str | None = None


@dataclass(frozen=True, slots=True)
class StorageResult(Result):
    """The demand, and every product's answer to it, those that do first."""

    schema: str
    headline: str
    read_bytes_per_s: float
    checkpoint_bytes: float | None
    write_bytes_per_s: float
    requests_in_flight: float | None
    cache_hit_rate: float
    decompress_cores: float
    products: tuple[StorageAnswer, ...]
    assumptions: tuple[Assumption, ...]
    explain: dict[str, Term]


def storage(request: StorageRequest, catalog: Catalog) -> StorageResult:
    """Return what storage must deliver.

    Raises
    ------
    InputError, UnknownName
    """
    _check(request)
    kind = _kind(request.dataset_kind)
    accelerator = catalog.accelerator(request.accelerator)
    published = rate_on(kind, accelerator.id)
    sample = request.sample_bytes if request.sample_bytes is not None else kind.sample_bytes
    samples = request.samples_per_s
    if samples is None:
        if published is None:
            raise InputError(
                f"how fast {accelerator.name} reads {kind.id} is not published", "give --samples-per-s (tokens/s for text)"
            )
        samples = published.bytes_per_s / kind.sample_bytes
    demanded = float(read_bytes_per_s(request.accelerators, samples, sample))
    hits = float(cache_hit_rate(request.cached_fraction, False))
    read = demanded * (1.0 - hits)
    size = float(checkpoint_bytes(load_model(request.model, catalog).parameters, CHECKPOINT_BYTES_PER_PARAMETER)) if request.model else None
    write = (size or 0.0) / request.checkpoint_write_s
    products = catalog.storage.values() if request.storage is None else [catalog.storage_product(request.storage)]
    demand = StorageDemand((request.dataset_bytes or 0.0) + 3.0 * (size or 0.0), read, write)
    answers = products_for(products, demand)
    latency = catalog.storage_product(answers[0].id).latency_s if answers else None
    in_flight = float(requests_in_flight(read, REQUEST_BYTES, latency)) if latency else None
    source = published.source if published and request.samples_per_s is None else "given by the user"
    return StorageResult(
        "groundplan/storage/1", _headline(request, kind, read, answers), read, size, write, in_flight, hits,
        float(decode_cores(demanded, DECODE_BYTES_PER_S_PER_CORE)) if kind.decoded else 0.0, tuple(answers),
        _assumptions(request, kind, sample),
        {
            "read_bytes_per_s": Term(
                "read_bytes_per_s", read, "bytes/s", "accelerators x samples/s x sample bytes x (1 - cache hits)",
                {
                    "accelerators": float(request.accelerators), "samples/s": samples, "sample [bytes]": sample,
                    "cache hits": hits,
                },
                source, published.evidence if published else "assumed",
            )
        },
    )


def _kind(name: str) -> DatasetKind:
    kinds = dataset_kinds()
    if name not in kinds:
        raise UnknownName("dataset kind", name, kinds)
    return kinds[name]


def _check(request: StorageRequest) -> None:
    if request.accelerators < 1:
        raise InputError(f"accelerators is {request.accelerators}", "give a whole number of at least 1")
    if not 0.0 <= request.cached_fraction <= 1.0:
        raise InputError(f"cached-fraction is {request.cached_fraction}", "give a share between 0 and 1")
    positive = {
        "samples-per-s": request.samples_per_s, "sample-bytes": request.sample_bytes,
        "dataset-bytes": request.dataset_bytes, "checkpoint-write": request.checkpoint_write_s,
    }
    for name, value in positive.items():
        if value is not None and not 0.0 < value < float("inf"):
            raise InputError(f"{name} is {value}", "give a number above 0")


def _headline(request: StorageRequest, kind: DatasetKind, read: float, answers: list[StorageAnswer]) -> str:
    doing = sum(answer.ok for answer in answers)
    return (
        f"{request.accelerators} x {request.accelerator} reading {kind.name} need {read / 1e9:,.4g} GB/s; "
        f"{doing} of {len(answers)} products deliver it"
    )


def _assumptions(request: StorageRequest, kind: DatasetKind, sample: float) -> tuple[Assumption, ...]:
    found = [Assumption("sample_bytes", sample, "bytes", kind.evidence if request.sample_bytes is None else "assumed", kind.source)]
    if kind.decoded:
        found.append(
            Assumption("decode_bytes_per_s_per_core", DECODE_BYTES_PER_S_PER_CORE, "bytes/s", "assumed", "decoding is never free")
        )
    return tuple(found)
