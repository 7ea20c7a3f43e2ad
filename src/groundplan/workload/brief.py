"""Read a brief: one YAML file into one resolved question, every default filled in and every assumption recorded."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundplan.errors import InputError
from groundplan.quantities import format_exact
from groundplan.workload.batch import read_document_length, read_global_batch, read_sequence
from groundplan.workload.dataset import read_dataset
from groundplan.workload.job import Brief, Candidates, Goal, Lora, Method, Objective, Overrides, TrainingJob
from groundplan.workload.model import Model, SampleModel
from groundplan.workload.models import load_model, model_from_mapping
from groundplan.workload.overrides import apply_sets
from groundplan.workload.reading import Reading
from groundplan.workload.schema import (
    BriefSections,
    CandidatesSection,
    GoalSection,
    LoraSection,
    OverridesSection,
    TrainSection,
    validate,
)
from groundplan.workload.yaml_source import YamlSource, load_yaml, read_text

if TYPE_CHECKING:
    from groundplan.catalog.catalog import Catalog

PURCHASES = ("on_demand", "spot", "reserved_1y", "reserved_3y", "owned")
LORA_TARGETS = ("all-linear", "attention")
RECOMPUTES = ("none", "selective", "block", "full")
DEFAULT_OPTIMIZER = "adamw"
LAYOUT_SIZES = ("tp", "pp", "vpp", "cp", "ep", "dp", "micro_batch")


def read_brief(
    source: str | Path | Mapping[str, Any],
    catalog: Catalog,
    sets: Sequence[str] = (),
    as_of: datetime.date | None = None,
) -> Brief:
    """Read a brief from a file, or from a mapping of the same shape.

    Parameters
    ----------
    source : str, Path or Mapping
        Path of a YAML (or JSON) file, or the brief itself as a mapping.
    catalog : Catalog
        Where names are looked up.
    sets : sequence of str
        ``key.path=value`` replacements, as ``--set`` gives them.
    as_of : date, optional
        Date against which prices age; the brief's own `as_of` otherwise, else today.

    Returns
    -------
    Brief
        With `resolved`, a brief of the same meaning that leaves nothing open, and `assumptions`.

    Raises
    ------
    InputError
        Anything that cannot be understood, with the key and its line.
    """
    if isinstance(source, Mapping):
        return _resolve(apply_sets(YamlSource(dict(source), {}), sets), Path(), catalog, as_of)
    path = Path(source)
    return read_brief_text(read_text(path), catalog, path.parent, str(path), sets, as_of)


def read_brief_text(
    text: str,
    catalog: Catalog,
    base_folder: Path | None = None,
    label: str = "standard input",
    sets: Sequence[str] = (),
    as_of: datetime.date | None = None,
) -> Brief:
    """Read a brief from YAML text; paths in it start from `base_folder` (the working folder). See `read_brief`."""
    source = apply_sets(load_yaml(text, label), sets)
    return _resolve(source, base_folder or Path(), catalog, as_of)


def _resolve(source: YamlSource, base_folder: Path, catalog: Catalog, as_of: datetime.date | None) -> Brief:
    for kind, wanted in (("serve", "service"), ("pipeline", "pipeline"), ("mission", "mission")):
        if kind in source.data:
            raise InputError(
                f"{source.where(kind)}: this brief asks for a {wanted}, not for a training run",
                f"groundplan plan takes it; in Python read it as a {wanted}, or describe a job under 'train:'",
            )
    sections = validate(source, BriefSections)
    reading = Reading(source)
    job = _job(sections.train, base_folder, catalog, reading)
    goal = _goal(sections.goal, reading)
    candidates = read_candidates(sections.candidates, catalog, reading)
    overrides = _overrides(sections.overrides, reading)
    date = (as_of or read_date(sections.as_of, reading) or datetime.date.today()).isoformat()
    resolved = _resolved(sections, job, goal, candidates, overrides, date)
    return Brief(job, goal, candidates, overrides, date, resolved, tuple(reading.assumptions))


def _job(train: TrainSection, base_folder: Path, catalog: Catalog, reading: Reading) -> TrainingJob:
    model = _model(train.model, base_folder, catalog, reading)
    lora_named = train.lora is not None
    usual = Method.LORA if lora_named else Method.PRETRAIN
    method = Method(reading.choice(train.method, "train.method", list(Method), usual))
    adapts = method in (Method.LORA, Method.QLORA)
    if lora_named and not adapts:
        raise reading.wrong("train.lora", f"is given, but the method is {method}", "write method: lora, or remove lora")
    if isinstance(model, SampleModel) and adapts:
        raise reading.wrong("train.method", f"{model.name} has no layers to adapt by {method}", "write method: full")
    sequence = read_sequence(train.sequence_length, model, method, reading)
    given = reading.number(train.tokens, "count", "train.tokens")
    dataset, tokens = read_dataset(train.dataset, given, model, sequence, reading)
    optimizer = DEFAULT_OPTIMIZER if train.optimizer is None else train.optimizer
    return TrainingJob(
        model=model,
        method=method,
        lora=_lora(train.lora, reading) if adapts else None,
        dataset=dataset,
        tokens=tokens,
        sequence=sequence,
        document_length=read_document_length(train.document_length, sequence, model, reading),
        global_batch=read_global_batch(train.global_batch, sequence, model, method, reading),
        optimizer=reading.name(optimizer, "train.optimizer", partial(catalog.find, "optimizers")),
        precisions=reading.names(train.precision, "train.precision", partial(catalog.find, "precisions")),
        stack=None
        if train.stack is None
        else reading.name(train.stack, "train.stack", partial(catalog.find, "stacks")),
        flash_attention=train.flash_attention,
    )


def _model(value: str | dict[str, Any], base_folder: Path, catalog: Catalog, reading: Reading) -> Model:
    if isinstance(value, dict):
        model = model_from_mapping(value, base_folder, catalog)
        if set(value) - {"name", "vocab", "sequence"} == {"parameters"}:
            reading.assume("model", model.name, "", f"{model.source} (train.model)")
        return model
    # A path in a brief starts from the brief's folder, whatever folder the command runs in.
    beside = base_folder / value
    is_path = value.endswith(".json") or (value.startswith(".") and beside.exists())
    return load_model(str(beside) if is_path else value, catalog)


def _lora(section: LoraSection | None, reading: Reading) -> Lora:
    usual = Lora()
    if section is None:
        return usual
    rank = reading.whole(section.rank, "train.lora.rank") or usual.rank
    return Lora(rank, reading.choice(section.targets, "train.lora.targets", LORA_TARGETS, usual.targets))


def _goal(goal: GoalSection, reading: Reading) -> Goal:
    return Goal(
        deadline_s=reading.number(goal.deadline, "seconds", "goal.deadline"),
        budget_usd=reading.number(goal.budget, "usd", "goal.budget"),
        minimize=Objective(reading.choice(goal.minimize, "goal.minimize", list(Objective), Objective.COST)),
        max_accelerators=reading.whole(goal.max_accelerators, "goal.max_accelerators"),
    )


def read_candidates(section: CandidatesSection, catalog: Catalog, reading: Reading) -> Candidates:
    """Return what may be considered, by catalog ids."""

    def ids(value: str | list[str] | None, key: str, kind: str) -> tuple[str, ...]:
        return reading.names(value, f"candidates.{key}", partial(catalog.find, kind))

    def words(value: str | list[str] | None, key: str, valid: Sequence[str]) -> tuple[str, ...]:
        place = f"candidates.{key}"
        return reading.names(value, place, lambda name: reading.choice(name, place, valid, ""))

    counts = section.counts if isinstance(section.counts, list) else [section.counts]
    whole = [reading.whole(count, "candidates.counts") for count in counts if count is not None]
    fabric, storage = section.fabric, section.storage
    return Candidates(
        accelerators=ids(section.accelerators, "accelerators", "accelerators"),
        providers=words(section.providers, "providers", sorted({host.provider for host in catalog.hosts.values()})),
        instances=ids(section.instances, "instances", "hosts"),
        regions=words(section.regions, "regions", _regions(catalog)) if section.regions else (),
        purchase=words(section.purchase, "purchase", PURCHASES) or Candidates().purchase,
        counts=tuple(sorted({count for count in whole if count is not None})),
        fabric=None if fabric is None else ids(fabric, "fabric", "fabrics")[0],
        storage=None if storage is None else ids(storage, "storage", "storage")[0],
    )


def _regions(catalog: Catalog) -> list[str]:
    priced = {price.region for price in catalog.prices}
    return sorted((priced | {grid.region for grid in catalog.grids.values()}) - {""})


def _overrides(section: OverridesSection, reading: Reading) -> Overrides:
    fixed: dict[str, Any] = {}
    if section.layout is not None:
        for name in LAYOUT_SIZES:
            fixed[name] = reading.whole(getattr(section.layout, name), f"overrides.layout.{name}")
        zero = fixed["zero"] = reading.whole(section.layout.zero, "overrides.layout.zero", 0)
        if zero is not None and zero > 3:
            raise reading.wrong("overrides.layout.zero", f"there is no ZeRO stage {zero}", "write 0, 1, 2 or 3")
        recompute = section.layout.recompute
        if recompute is not None:
            fixed["recompute"] = reading.choice(recompute, "overrides.layout.recompute", RECOMPUTES, "")
    pue = reading.number(section.pue, "ratio", "overrides.pue")
    if pue is not None and pue < 1:
        raise reading.wrong(
            "overrides.pue", f"{pue} is below 1: a site draws at least what its computers do", "e.g. 1.2"
        )
    failures = section.failures_per_1000_node_days
    return Overrides(
        price_usd_per_accelerator_hour=reading.from_zero(section.price, "usd_per_hour", "overrides.price"),
        pue=pue,
        carbon_g_per_kwh=reading.from_zero(section.carbon, "g_per_kwh", "overrides.carbon"),
        failures_per_1000_node_days=reading.from_zero(failures, "ratio", "overrides.failures_per_1000_node_days"),
        restart_s=reading.from_zero(section.restart, "seconds", "overrides.restart"),
        **fixed,
    )


def read_date(value: datetime.date | str | None, reading: Reading) -> datetime.date | None:
    """Return a date written as year-month-day; None where the brief says none."""
    if not isinstance(value, str):
        return value
    try:
        return datetime.date.fromisoformat(value.strip())
    except ValueError:
        raise reading.wrong("as_of", f"{value[:40]!r} is not a date", "write e.g. 2026-01-31") from None


def _resolved(
    sections: BriefSections, job: TrainingJob, goal: Goal, candidates: Candidates, overrides: Overrides, as_of: str
) -> dict[str, object]:
    """Return the brief as plain JSON types that `read_brief` reads back to the same meaning, nothing left open."""
    dataset = job.dataset
    train: dict[str, object] = {
        "model": job.model.id if isinstance(sections.train.model, str) else dict(sections.train.model),
        "method": job.method.value,
        "sequence_length": None if isinstance(job.model, SampleModel) else job.sequence,
        "document_length": None if job.document_length == job.sequence else job.document_length,
        "global_batch": job.global_batch,
        "optimizer": job.optimizer,
        "precision": list(job.precisions) or None,
        "stack": job.stack,
        "flash_attention": job.flash_attention,
        "lora": None if job.lora is None else dataclasses.asdict(job.lora),
    }
    assumed = job.model.source.startswith("assumed")
    if isinstance(sections.train.model, str) and (assumed or sections.train.model.endswith(".json")):
        train["model"] = sections.train.model
    if dataset is not None:
        train["dataset"] = {
            "kind": dataset.kind,
            "size": format_exact(dataset.bytes, "bytes"),
            "samples": format_exact(dataset.samples, "count"),
            "sample_size": None if dataset.bytes_per_token else format_exact(dataset.sample_bytes, "bytes"),
            "bytes_per_token": format_exact(dataset.bytes_per_token, "ratio"),
            "format": dataset.format,
            "compression": dataset.compression_ratio,
            "epochs": None if dataset.bytes_per_token else dataset.epochs,
        }
        if dataset.bytes_per_token:
            train["tokens"] = format_exact(job.tokens, "count")
    layout = {name: getattr(overrides, name) for name in (*LAYOUT_SIZES, "zero", "recompute")}
    return {
        "train": train,
        "goal": {
            "deadline": format_exact(goal.deadline_s, "seconds"),
            "budget": format_exact(goal.budget_usd, "usd"),
            "minimize": goal.minimize.value,
            "max_accelerators": goal.max_accelerators,
        },
        "candidates": {
            field.name: list(value) if isinstance(value := getattr(candidates, field.name), tuple) else value
            for field in dataclasses.fields(candidates)
        },
        "overrides": {
            "layout": layout,
            "price": format_exact(overrides.price_usd_per_accelerator_hour, "usd_per_hour"),
            "pue": overrides.pue,
            "carbon": overrides.carbon_g_per_kwh,
            "failures_per_1000_node_days": overrides.failures_per_1000_node_days,
            "restart": format_exact(overrides.restart_s, "seconds"),
        },
        "as_of": as_of,
    }
