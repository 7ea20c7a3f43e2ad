"""An edge mission, as a brief asks for it: what to detect with, how often, for how long, on which battery."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundplan.evidence import Assumption
from groundplan.quantities import format_exact, parse
from groundplan.workload.brief import read_date
from groundplan.workload.model import SampleModel
from groundplan.workload.models import load_model
from groundplan.workload.overrides import apply_sets
from groundplan.workload.reading import Reading
from groundplan.workload.schema import MissionSection, MissionSections, validate
from groundplan.workload.yaml_source import YamlSource, load_yaml, read_text

if TYPE_CHECKING:
    from groundplan.catalog.catalog import Catalog

PRECISIONS = ("fp32", "fp16", "int8")
USUAL_PRECISIONS = ("fp16", "int8")
USUAL_AMBIENT_C = 25.0
DETECTION = "mAP50-95"  # what a floor of accuracy is of
COLDEST_C, HOTTEST_C = -60.0, 80.0


@dataclass(frozen=True, slots=True)
class Mission:
    """One flight, walk or drive with a camera and a computer. Empty tuples stand for all there are."""

    models: tuple[SampleModel, ...]
    devices: tuple[str, ...]
    precisions: tuple[str, ...]
    power_modes: tuple[str, ...]
    quantisation: tuple[str, ...]
    distillation: bool
    frames_per_s: float
    latency_s: float | None
    flight_s: float
    battery_j: float | None
    battery_share: float
    ambient_c: float
    thermal_resistance: float | None  # K/W; None = that of each device
    uploads: float
    upload_bytes: float
    uplink_bits_per_s: float | None
    usd_per_gb: float | None
    side: int | None  # pixels; None = what each model was scored at
    accuracy: float | None  # least, as a share of 1


@dataclass(frozen=True, slots=True)
class MissionBrief:
    """A resolved brief about a mission."""

    mission: Mission
    as_of: str
    resolved: Mapping[str, object]
    assumptions: tuple[Assumption, ...]


def read_mission_brief(
    source: str | Path | Mapping[str, Any],
    catalog: Catalog,
    sets: Sequence[str] = (),
    as_of: datetime.date | None = None,
    text: str | None = None,
) -> MissionBrief:
    """Read a mission from a file, a mapping of the same shape, or `text` that `source` labels.

    Raises
    ------
    InputError
        Anything that cannot be understood, with the key and its line.
    """
    if isinstance(source, Mapping):
        yaml = YamlSource(dict(source), {})
    else:
        yaml = load_yaml(read_text(Path(source)) if text is None else text, str(source))
    yaml = apply_sets(yaml, sets)
    sections: MissionSections = validate(yaml, MissionSections)
    reading = Reading(yaml)
    date = as_of or read_date(sections.as_of, reading) or datetime.date.today()
    return read_mission(sections.mission, catalog, reading, date)


def read_mission(section: MissionSection, catalog: Catalog, reading: Reading, as_of: datetime.date) -> MissionBrief:
    """Turn the section of a brief into a mission.

    Raises
    ------
    InputError, UnknownName
        Anything that cannot be understood, with the key and its line.
    """
    models = _models(section.models, catalog, reading, section.accuracy is not None)
    names = partial(_names, reading)
    mission = Mission(
        models=models,
        devices=names(section.devices, "devices", partial(catalog.find, "edge_devices")),
        precisions=names(
            section.precisions, "precisions", lambda word: reading.choice(word, "mission.precisions", PRECISIONS, "")
        )
        or USUAL_PRECISIONS,
        power_modes=names(section.power_modes, "power_modes", lambda word: _mode(word, catalog, reading)),
        quantisation=names(section.quantisation, "quantisation", lambda word: _recipe(word, catalog, reading)),
        distillation=bool(section.distillation),
        frames_per_s=_needed(section.frames_per_second, "count", "frames_per_second", reading),
        latency_s=reading.number(section.latency, "seconds", "mission.latency"),
        flight_s=_needed(section.flight, "seconds", "flight", reading),
        battery_j=reading.number(section.battery, "joules", "mission.battery"),
        battery_share=reading.number(section.battery_share, "fraction", "mission.battery_share") or 1.0,
        ambient_c=_ambient(section.ambient, reading),
        thermal_resistance=reading.number(section.thermal_resistance, "k_per_w", "mission.thermal_resistance"),
        uploads=reading.from_zero(section.uploads, "count", "mission.uploads") or 0.0,
        upload_bytes=reading.from_zero(section.upload_size, "bytes", "mission.upload_size") or 0.0,
        uplink_bits_per_s=reading.number(section.uplink, "bits_per_s", "mission.uplink"),
        usd_per_gb=reading.from_zero(section.uplink_price, "usd", "mission.uplink_price"),
        side=reading.whole(section.resolution, "mission.resolution", 32),
        accuracy=reading.number(section.accuracy, "fraction", "mission.accuracy"),
    )
    if section.battery is None:
        reading.assume("battery", None, "J", "not given: energy is told, and no battery limits it")
    return MissionBrief(mission, as_of.isoformat(), _resolved(mission, as_of.isoformat()), tuple(reading.assumptions))


def _models(value: str | list[str], catalog: Catalog, reading: Reading, floored: bool) -> tuple[SampleModel, ...]:
    found: list[SampleModel] = []
    for name in dict.fromkeys(value.split(",") if isinstance(value, str) else value):
        model = load_model(name.strip(), catalog)
        if not isinstance(model, SampleModel):
            raise reading.wrong("mission.models", f"{model.name} is a language model", "name one that sees, as yolo11n")
        if model.forward_flops_per_sample is None or model.input_side is None:
            raise reading.wrong(
                "mission.models",
                f"the FLOPs of {model.name} at a stated input size are unknown",
                f"state forward_flops and input_side in models/{model.id}.json of your own catalog folder",
            )
        found.append(model)
    if not found:
        raise reading.wrong("mission.models", "names no model", "write e.g. [yolo11n, yolo11s]")
    scored = {model.accuracy.metric: model for model in found if model.accuracy is not None}
    if len(scored) > 1:
        said = " and ".join(f"{model.name} by {metric}" for metric, model in scored.items())
        raise reading.wrong("mission.models", f"are not comparable: {said}", "name models of one kind: detectors")
    other = next((model for metric, model in scored.items() if metric != DETECTION), None)
    if floored and other is not None and other.accuracy is not None:
        raise reading.wrong(
            "mission.accuracy",
            f"is a floor of {DETECTION}, and {other.name} is scored by {other.accuracy.metric}",
            "leave it out, or name detectors, e.g. yolo11n",
        )
    return tuple(dict.fromkeys(found))


def _names(reading: Reading, value: str | list[str] | None, key: str, find: Callable[[str], str]) -> tuple[str, ...]:
    return reading.names(value, f"mission.{key}", find)


def _mode(word: str, catalog: Catalog, reading: Reading) -> str:
    return reading.choice(
        word, "mission.power_modes", dict.fromkeys(mode.mode for mode in catalog.power_modes.values()), ""
    )


def _recipe(word: str, catalog: Catalog, reading: Reading) -> str:
    valid = [recipe.id for recipe in catalog.recipes.values() if recipe.kind == "quantisation"]
    return reading.choice(word, "mission.quantisation", valid, "")


def _needed(value: object, dimension: str, key: str, reading: Reading) -> float:
    number = reading.number(value, dimension, f"mission.{key}")
    if number is None:  # the schema asks for it: an empty key
        raise reading.wrong(f"mission.{key}", "is empty", f"write {key}: ...")
    return number


def _ambient(value: object, reading: Reading) -> float:
    if value is None:
        reading.assume("ambient", USUAL_AMBIENT_C, "C", "room temperature (mission.ambient)")
        return USUAL_AMBIENT_C
    ambient = parse(value, "celsius", reading.source.where("mission.ambient"), allow_negative=True)
    if not COLDEST_C <= ambient <= HOTTEST_C:
        raise reading.wrong("mission.ambient", f"{ambient:g} C is no weather to fly in", "write degrees Celsius")
    return ambient


def _resolved(mission: Mission, as_of: str) -> dict[str, object]:
    """Return the brief as plain JSON types that reads back to the same meaning, nothing left open."""
    return {
        "mission": {
            "models": [model.id for model in mission.models],
            "devices": list(mission.devices) or None,
            "precisions": list(mission.precisions),
            "power_modes": list(mission.power_modes) or None,
            "quantisation": list(mission.quantisation) or None,
            "distillation": mission.distillation,
            "frames_per_second": mission.frames_per_s,
            "latency": format_exact(mission.latency_s, "seconds"),
            "flight": format_exact(mission.flight_s, "seconds"),
            "battery": mission.battery_j,
            "battery_share": mission.battery_share,
            "ambient": mission.ambient_c,
            "thermal_resistance": mission.thermal_resistance,
            "uploads": mission.uploads,
            "upload_size": format_exact(mission.upload_bytes, "bytes"),
            "uplink": mission.uplink_bits_per_s,
            "uplink_price": mission.usd_per_gb,
            "resolution": mission.side,
            "accuracy": mission.accuracy,
        },
        "as_of": as_of,
    }
