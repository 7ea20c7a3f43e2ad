"""A training job: what is trained on what, how, and what would count as success."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from groundplan.evidence import Assumption
from groundplan.workload.model import Model, SampleModel


class Method(StrEnum):
    """What is updated by the optimizer."""

    PRETRAIN = "pretrain"
    FULL = "full"  # full fine-tuning
    LORA = "lora"
    QLORA = "qlora"


@dataclass(frozen=True, slots=True)
class Lora:
    """Low-rank adapters on `targets` projections of every layer."""

    rank: int = 16
    targets: str = "all-linear"  # all-linear | attention


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is read. `sample_bytes` is the stored size of one sample (of one token for text)."""

    kind: str  # text | tokens | images | records
    bytes: float | None  # stored size; None when only tokens or samples are known
    samples: float | None
    sample_bytes: float
    bytes_per_token: float | None  # text only
    format: str  # raw | csv | jsonl | parquet | tfrecord | webdataset | tokens
    compression_ratio: float  # uncompressed / stored; 1 = not compressed
    epochs: float
    sample_bytes_source: str


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """One training run. Lengths in tokens, batch in sequences (samples for vision)."""

    model: Model
    method: Method
    lora: Lora | None
    dataset: Dataset | None
    tokens: float  # total over the run; for SampleModel: samples
    sequence: int  # tokens per sequence; 1 for SampleModel
    document_length: int  # mean tokens that attention spans: of the documents packed into a sequence, or all of it
    global_batch: int  # sequences per optimizer step
    optimizer: str  # id of a row of catalog `optimizers`
    precisions: tuple[str, ...]  # ids of catalog `precisions`, first preferred; () = any the accelerator has
    stack: str | None  # id of catalog `stacks`; None = default for the accelerator
    flash_attention: bool | None  # None = as the stack has it

    @property
    def unit(self) -> str:
        """What `tokens` counts."""
        return "samples" if isinstance(self.model, SampleModel) else "tokens"


class Objective(StrEnum):
    """What the search makes small."""

    COST = "cost"
    TIME = "time"
    ENERGY = "energy"
    CARBON = "carbon"


@dataclass(frozen=True, slots=True)
class Goal:
    """Limits and objective; None = no limit."""

    deadline_s: float | None
    budget_usd: float | None
    minimize: Objective
    max_accelerators: int | None


@dataclass(frozen=True, slots=True)
class Candidates:
    """What may be considered; empty tuples = everything the catalog has."""

    accelerators: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    purchase: tuple[str, ...] = ("on_demand",)
    counts: tuple[int, ...] = ()  # accelerator counts; () = searched
    fabric: str | None = None
    storage: str | None = None


@dataclass(frozen=True, slots=True)
class Overrides:
    """Numbers the user knows better than the catalog; None = derived or from the catalog."""

    price_usd_per_accelerator_hour: float | None = None
    pue: float | None = None
    carbon_g_per_kwh: float | None = None
    failures_per_1000_node_days: float | None = None
    restart_s: float | None = None
    tp: int | None = None
    pp: int | None = None
    vpp: int | None = None
    cp: int | None = None
    ep: int | None = None
    zero: int | None = None
    micro_batch: int | None = None
    recompute: str | None = None
    dp: int | None = None


@dataclass(frozen=True, slots=True)
class Brief:
    """The resolved question: one job, one goal, the candidates and what the user fixed."""

    job: TrainingJob
    goal: Goal
    candidates: Candidates
    overrides: Overrides
    as_of: str  # ISO date against which prices age
    resolved: dict[str, object]  # the brief as read, with every default filled in; saved with the plan
    assumptions: tuple[Assumption, ...] = ()  # numbers the brief left open, filled by its reader
