"""A pipeline of stages: each has a model on an accelerator, items pass one after the other."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundplan.catalog.catalog import Catalog
from groundplan.workload.brief import read_date
from groundplan.workload.model import Model, TransformerModel
from groundplan.workload.models import load_model, model_from_mapping
from groundplan.workload.overrides import apply_sets
from groundplan.workload.reading import Reading
from groundplan.workload.schema import Quantity, Section, validate
from groundplan.workload.yaml_source import YamlSource, load_yaml, read_text

UTILIZATION = 0.65
PEAK = 3.0
SPIKE_S = 300.0
BATCH = 32
PROMPT, OUTPUT = 256, 64


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. Language models take `prompt` tokens and give `output`; others take up to `batch` samples at once."""

    name: str
    model: Model
    accelerator: str
    tp: int
    engine: str
    precision: str
    kv_precision: str
    batch: int
    prompt: int
    output: int
    usd_per_accelerator_hour: float | None


@dataclass(frozen=True, slots=True)
class PipelineBrief:
    """The resolved question of a pipeline."""

    stages: tuple[Stage, ...]
    rate_per_s: float
    peak: float
    spike_s: float
    utilization: float
    e2e_p95_s: float | None
    purchase: str
    as_of: str


class StageSection(Section):
    """One stage."""

    name: str
    model: str | dict[str, Any]
    accelerator: str
    tp: Quantity | None = None
    engine: str | None = None
    precision: str | None = None
    kv_precision: str | None = None
    batch: Quantity | None = None
    prompt: Quantity | None = None
    output: Quantity | None = None
    price: Quantity | None = None


class PipelineSection(Section):
    """What passes, how fast it must come out, and the stages in their order."""

    rate: Quantity
    peak: Quantity | None = None
    spike: Quantity | None = None
    utilization: Quantity | None = None
    e2e_p95: Quantity | None = None
    purchase: str | None = None
    stages: list[StageSection]


class PipelineSections(Section):
    """The whole brief."""

    pipeline: PipelineSection
    as_of: datetime.date | str | None = None


def read_pipeline_brief(
    source: str | Path | Mapping[str, Any],
    catalog: Catalog,
    sets: Sequence[str] = (),
    as_of: datetime.date | None = None,
    text: str | None = None,
) -> PipelineBrief:
    """Read a pipeline brief from a file, a mapping of the same shape, or `text` that `source` labels.

    Raises
    ------
    InputError
        Anything that cannot be understood, with the key and its line.
    """
    if isinstance(source, Mapping):
        yaml, folder = YamlSource(dict(source), {}), Path()
    else:
        path = Path(source)
        yaml = load_yaml(read_text(path) if text is None else text, str(source))
        folder = path.parent if text is None else Path()
    yaml = apply_sets(yaml, sets)
    sections: PipelineSections = validate(yaml, PipelineSections)
    reading, asked = Reading(yaml), sections.pipeline
    if not asked.stages:
        raise reading.wrong("pipeline.stages", "there is no stage", "give at least one")
    names = [stage.name for stage in asked.stages]
    if len(set(names)) < len(names):
        raise reading.wrong("pipeline.stages", "two stages have one name", "give each its own")
    peak = reading.number(asked.peak, "ratio", "pipeline.peak") or PEAK
    if peak < 1.0:
        raise reading.wrong("pipeline.peak", f"{peak:g} is below the steady rate", "give 1 or more, e.g. 3")
    share = reading.number(asked.utilization, "fraction", "pipeline.utilization") or UTILIZATION
    if share >= 1.0:
        raise reading.wrong("pipeline.utilization", f"{share:g} leaves no room for chance", "give 0.6 to 0.7")
    return PipelineBrief(
        tuple(_stage(stage, place, folder, catalog, reading) for place, stage in enumerate(asked.stages)),
        reading.number(asked.rate, "count", "pipeline.rate") or 1.0,
        peak,
        reading.number(asked.spike, "seconds", "pipeline.spike") or SPIKE_S,
        share,
        reading.number(asked.e2e_p95, "seconds", "pipeline.e2e_p95"),
        asked.purchase or "on_demand",
        (as_of or read_date(sections.as_of, reading) or datetime.date.today()).isoformat(),
    )


def _stage(section: StageSection, place: int, folder: Path, catalog: Catalog, reading: Reading) -> Stage:
    key, value = f"pipeline.stages.{section.name}", section.model
    model = load_model(value, catalog) if isinstance(value, str) else model_from_mapping(value, folder, catalog)
    if isinstance(model, TransformerModel) and (model.domain != "text" or not model.attention.causal):
        raise reading.wrong(
            f"pipeline.stages.{place}.model",
            f"{model.id} in stage {section.name} is a transformer that generates no tokens, which no stage estimates",
            "name a vision model by its published totals, e.g. resnet-50, or a language model",
        )

    def whole(name: str, default: int) -> int:
        return reading.whole(getattr(section, name), f"{key}.{name}") or default

    return Stage(
        section.name,
        model,
        catalog.accelerator(section.accelerator).id,
        whole("tp", 1),
        catalog.engine(section.engine or "vllm").id,
        section.precision or "fp16",
        section.kv_precision or "bf16",
        whole("batch", BATCH),
        whole("prompt", PROMPT),
        whole("output", OUTPUT),
        reading.number(section.price, "usd_per_hour", f"{key}.price"),
    )
