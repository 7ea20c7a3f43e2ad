"""The shape of a brief: its sections and keys, held strictly. Values are read into base units by `brief`."""

from __future__ import annotations

import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from groundplan.errors import InputError, nearest_names
from groundplan.workload.yaml_source import YamlSource

Quantity = str | int | float
Names = str | list[str]
Root = TypeVar("Root", bound="Section")


class Section(BaseModel):
    """A part of the brief; a key that is not listed is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, protected_namespaces=())


class LoraSection(Section):
    """Low-rank adapters."""

    rank: Quantity | None = None
    targets: str | None = None


class DatasetSection(Section):
    """What is read."""

    kind: str | None = None
    size: Quantity | None = None
    samples: Quantity | None = None
    sample_size: Quantity | None = None
    bytes_per_token: Quantity | None = None
    format: str | None = None
    compression: Quantity | None = None
    epochs: Quantity | None = None


class TrainSection(Section):
    """One training job."""

    model: str | dict[str, Any]
    dataset: DatasetSection | None = None
    tokens: Quantity | None = None
    sequence_length: Quantity | None = None
    document_length: Quantity | None = None
    global_batch: Quantity | None = None
    method: str | None = None
    lora: LoraSection | None = None
    optimizer: str | None = None
    precision: Names | None = None
    stack: str | None = None
    flash_attention: bool | None = None


class GoalSection(Section):
    """Limits and objective."""

    deadline: Quantity | None = None
    budget: Quantity | None = None
    minimize: str | None = None
    max_accelerators: Quantity | None = None


class OffersSection(Section):
    """Accelerators and ways to rent them that may be considered."""

    accelerators: Names | None = None
    providers: Names | None = None
    instances: Names | None = None
    regions: Names | None = None
    purchase: Names | None = None


class CandidatesSection(OffersSection):
    """What may be considered for a training run."""

    counts: Quantity | list[Quantity] | None = None
    fabric: str | None = None
    storage: str | None = None


class LayoutSection(Section):
    """The parts of the parallel layout that the user fixes."""

    tp: Quantity | None = None
    pp: Quantity | None = None
    vpp: Quantity | None = None
    cp: Quantity | None = None
    ep: Quantity | None = None
    dp: Quantity | None = None
    zero: Quantity | None = None
    micro_batch: Quantity | None = None
    recompute: str | None = None


class OverridesSection(Section):
    """Numbers the user knows better than the catalog."""

    layout: LayoutSection | None = None
    price: Quantity | None = None
    pue: Quantity | None = None
    carbon: Quantity | None = None
    failures_per_1000_node_days: Quantity | None = None
    restart: Quantity | None = None


class MissionSection(Section):
    """A flight with a camera and a computer."""

    models: Names
    devices: Names | None = None
    precisions: Names | None = None
    power_modes: Names | None = None
    quantisation: Names | None = None
    distillation: bool | None = None
    frames_per_second: Quantity
    latency: Quantity | None = None
    flight: Quantity
    battery: Quantity | None = None
    battery_share: Quantity | None = None
    ambient: Quantity | None = None
    thermal_resistance: Quantity | None = None
    uploads: Quantity | None = None
    upload_size: Quantity | None = None
    uplink: Quantity | None = None
    uplink_price: Quantity | None = None
    resolution: Quantity | None = None
    accuracy: Quantity | None = None


class MissionSections(Section):
    """A brief about a mission on the edge."""

    mission: MissionSection
    as_of: datetime.date | str | None = None


class BriefSections(Section):
    """The whole brief."""

    train: TrainSection
    goal: GoalSection = GoalSection()
    candidates: CandidatesSection = CandidatesSection()
    overrides: OverridesSection = OverridesSection()
    as_of: datetime.date | str | None = None


def validate(source: YamlSource, root: type[Root]) -> Root:
    """Hold a brief against its schema.

    Raises
    ------
    InputError
        A key that does not exist (with the nearest that does and its line), a missing section, a value of
        the wrong kind, or a question that is not supported yet.
    """
    # An empty section (`goal:` with nothing under it) says as much as none.
    data = {key: value for key, value in source.data.items() if value is not None}
    try:
        return root.model_validate(data)
    except ValidationError as error:
        raise _input_error(error, source, root) from None


def _input_error(error: ValidationError, source: YamlSource, root: type[Section]) -> InputError:
    """Turn the first complaint into one line; a misspelt key explains more than what it leaves missing."""
    complaints = sorted(error.errors(include_url=False), key=lambda item: item["type"] != "extra_forbidden")
    first = complaints[0]
    path = _path(first["loc"], source)
    section, _, key = path.rpartition(".")
    if first["type"] == "extra_forbidden":
        valid = sorted(_section_type(section, root).model_fields)
        nearest = nearest_names(key, valid)
        mend = f"did you mean {' or '.join(nearest)}?" if nearest else f"valid: {', '.join(valid)}"
        origin = source.where(path).removeprefix(path)
        return InputError(f"unknown key {key!r} in {section or 'the brief'}{origin}", mend)
    if first["type"] == "missing":
        return InputError(f"{source.where(section) if section else 'the brief'}: {key!r} is missing", f"add {key}: ...")
    kinds = [_expected(item) for item in complaints if _path(item["loc"], source) == path]
    expected = " or ".join(dict.fromkeys(kinds))
    shown = "nothing" if first["input"] is None else repr(first["input"])[:60]
    return InputError(f"{source.where(path)}: expected {expected}, found {shown}", "see examples/llm-20b/brief.yaml")


def _path(loc: tuple[int | str, ...], source: YamlSource) -> str:
    """Return the dotted path of a complaint, without the names pydantic adds for members of a union."""
    value: Any = source.data
    keys: list[str] = []
    for part in loc:
        if isinstance(value, dict) and (part in value or part == loc[-1]) and part not in _UNION_MEMBERS:
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            continue
        keys.append(str(part))
    return ".".join(keys)


_UNION_MEMBERS = {"str", "int", "float", "bool", "date", "list[str]", "dict[str,any]"}
_KINDS = {
    "string": "text",
    "int": "a number",
    "float": "a number",
    "finite": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a section",
    "model": "a section",
    "date": "a date such as 2026-01-31",
}


def _expected(complaint: Any) -> str:
    return _KINDS.get(str(complaint["type"]).split("_")[0], str(complaint["msg"]).lower())


def _section_type(path: str, root: type[Section]) -> type[Section]:
    """Return the section class at a dotted path."""
    found: type[Section] = root
    for key in filter(None, path.split(".")):
        if key.isdigit():  # a place in a list of sections, which the step before went into
            continue
        annotation = found.model_fields[key].annotation
        members = getattr(annotation, "__args__", (annotation,))
        members = tuple(inner for m in members for inner in (getattr(m, "__args__", None) or (m,)))
        found = next(m for m in members if isinstance(m, type) and issubclass(m, Section))
    return found
