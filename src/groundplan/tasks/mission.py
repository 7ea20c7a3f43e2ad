"""Task: one brief about a mission in, every device, model, precision and power mode judged out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.estimate.edge import BUSY_SHARE, CONVERSION, IDLE_SPREAD, EdgeEstimate
from groundplan.evidence import Assumption, Prediction, Result, Term, total_of
from groundplan.plan.mission import Judged, Miss, MissionDecision, decide_mission, uplink_s, why_it_lost
from groundplan.quantities import format_energy, format_number, format_percent, format_watts
from groundplan.workload.mission import Mission, MissionBrief

GB = 1e9
FORMULAS: Mapping[str, str] = {
    "overhead": "fixed time of a frame / compute share of the mode",
    "compute": "FLOP / (peak x sustained share x compute share of the mode)",
    "activations": "passes x width x sqrt(FLOP x pixels) / memory rate",
    "weights": "parameters x width / memory rate",
    "weight_streaming": "(parameters x width - what the chip holds) / link rate",
    "detection": "host work for the boxes of one frame",
}


@dataclass(frozen=True, slots=True)
class MissionVerdict(Result):
    """The first line."""

    feasible: bool
    headline: str
    binding: str


@dataclass(frozen=True, slots=True)
class Uplink(Result):
    """What is sent home in one flight; None where the brief gives no rate or price."""

    bytes: float
    duration_s: float | None
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Option(Result):
    """One device, model, precision and power mode; what is unknown is None."""

    device: str
    name: str
    power_mode: str
    model: str
    resolution: int
    precision: str
    recipes: tuple[str, ...]
    ok: bool
    frames_per_s: Prediction | None
    latency_s: Prediction | None
    power_w: Prediction | None
    energy_j: Prediction | None
    battery_share: Prediction | None
    temperature_c: float | None
    thermal: str  # ok | throttles | unknown
    accuracy: Prediction | None
    accuracy_source: str
    uplink_usd: float | None
    misses: tuple[Miss, ...]
    doubts: tuple[str, ...]
    reason: str
    explain: Mapping[str, Term]


@dataclass(frozen=True, slots=True)
class Refused(Result):
    """A candidate of which no option could be made."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class MissionResult(Result):
    """The answer to a brief about a mission; see docs/json.md."""

    schema: str
    tool_version: str
    catalog_version: str
    as_of: str
    verdict: MissionVerdict
    uplink: Uplink
    recommended: Option | None
    nearest_feasible: tuple[Option, ...]
    pareto: tuple[Option, ...]
    options: tuple[Option, ...]
    rejected: tuple[Refused, ...]
    assumptions: tuple[Assumption, ...]
    warnings: tuple[str, ...]
    brief: Mapping[str, Any]

    def records(self) -> list[dict[str, Any]]:
        """Return one row per option."""
        return [option.to_dict() for option in self.options]


def mission(brief: MissionBrief, catalog: Catalog) -> MissionResult:
    """Judge every option and recommend one.

    Raises
    ------
    InputError
        When no option can be made of what the brief names.
    """
    asked = brief.mission
    decision = decide_mission(asked, catalog)
    uplink = _uplink(asked)
    options = tuple(_option(one, decision, asked, uplink) for one in decision.judged)
    recommended = None if decision.recommended is None else options[decision.recommended]
    nearest = () if recommended else tuple(options[row] for row in decision.nearest)
    return MissionResult(
        schema="groundplan/mission/1",
        tool_version=__version__,
        catalog_version=catalog.version,
        as_of=brief.as_of,
        verdict=_verdict(recommended, nearest, options),
        uplink=uplink,
        recommended=recommended,
        nearest_feasible=nearest,
        pareto=tuple(options[row] for row in decision.pareto),
        options=tuple(replace(option, explain={}) for option in sorted(options, key=_order)),
        rejected=tuple(Refused(*pair) for pair in decision.rejected),
        assumptions=(*brief.assumptions, *_assumptions(decision, asked)),
        warnings=_warnings(recommended, asked),
        brief=brief.resolved,
    )


def _uplink(asked: Mission) -> Uplink:
    sent = asked.uploads * asked.upload_bytes
    price = asked.usd_per_gb
    return Uplink(sent, uplink_s(asked), None if price is None else sent / GB * price)


def _option(one: Judged, decision: MissionDecision, asked: Mission, uplink: Uplink) -> Option:
    design, row, figures = one.design, one.row, decision.figures
    energy = _prediction(figures.energy_j[row], figures.energy_low_j[row], figures.energy_high_j[row])
    battery = asked.battery_j
    thermal = float(figures.thermal_share[row])
    slows = thermal < 1.0 and float(figures.busy_share[row]) >= thermal
    return Option(
        device=design.device.id,
        name=design.device.name,
        power_mode=design.mode.mode,
        model=design.model.id,
        resolution=design.side,
        precision=design.precision,
        recipes=tuple(recipe.id for recipe in design.recipes),
        ok=not one.misses,
        frames_per_s=_prediction(figures.frames_per_s[row], figures.frames_low[row], figures.frames_high[row]),
        latency_s=_prediction(figures.latency_s[row], figures.latency_low_s[row], figures.latency_high_s[row]),
        power_w=_prediction(figures.power_w[row], figures.power_low_w[row], figures.power_high_w[row]),
        energy_j=energy,
        battery_share=Prediction(energy.value / battery, energy.low / battery, energy.high / battery)
        if energy and battery
        else None,
        temperature_c=_known(figures.temperature_c[row]),
        thermal="unknown" if math.isnan(thermal) else "throttles" if slows else "ok",
        accuracy=one.accuracy,
        accuracy_source=one.accuracy_source,
        uplink_usd=uplink.cost_usd,
        misses=one.misses,
        doubts=one.doubts,
        reason=why_it_lost(one, decision, asked),
        explain=_explain(one, figures, asked),
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _prediction(value: float, low: float, high: float) -> Prediction | None:
    return None if math.isnan(value) else Prediction(float(value), float(low), float(high))


def _explain(one: Judged, figures: EdgeEstimate, asked: Mission) -> dict[str, Term]:
    """Return the formula trees of an option's latency and energy; nothing of what is unknown."""
    row, family = one.row, one.design.family
    trees: dict[str, Term] = {}
    if not math.isnan(float(figures.latency_s[row])):
        source = str(family.figures["sustained_share"].source)
        terms = tuple(
            Term(name, float(term[row]), "s", FORMULAS[name], source=source)
            for name, term in figures.frame_terms.items()
            if float(term[row])
        )
        trees["latency_s"] = total_of("latency_s", "s", terms)
    if not math.isnan(float(figures.energy_j[row])):
        trees["energy_j"] = Term(
            "energy_j",
            float(figures.energy_j[row]),
            "J",
            "(idle + (busy - idle) x share of the time at work + host) x flight / converter efficiency",
            {
                "idle [W]": one.design.device.idle_w,
                "limit [W]": one.design.mode.limit_w,
                "share of the limit above idle": float(BUSY_SHARE.value or 0),
                "share of the time at work": float(figures.busy_share[row]),
                "host [W]": one.design.device.host_w,
                "flight [s]": asked.flight_s,
                "converter efficiency": float(CONVERSION.value or 0),
            },
        )
    return trees


def _order(option: Option) -> tuple[bool, bool, float]:
    """Those that do first, then by energy; unknown last."""
    return not option.ok, option.energy_j is None, option.energy_j.value if option.energy_j else 0.0


def _verdict(recommended: Option | None, nearest: tuple[Option, ...], options: tuple[Option, ...]) -> MissionVerdict:
    if recommended is not None:
        return MissionVerdict(True, f"Fly {_said(recommended)}", recommended.reason)
    counts: dict[str, int] = {}
    for option in options:
        for constraint in {miss.constraint for miss in option.misses}:
            counts[constraint] = counts.get(constraint, 0) + 1
    binding = max(counts, key=lambda name: counts[name])
    headline = f"Nothing keeps every limit: {counts[binding]} of {len(options)} options fail by {_limit(binding)}"
    if binding == "unknown":
        unknown = [miss.reason for option in options for miss in option.misses if miss.constraint == binding]
        headline += f" ({max(unknown, key=unknown.count)})"
    if nearest:
        headline += f"; nearest: {nearest[0].name} with {nearest[0].model}, {nearest[0].misses[0].reason}"
    return MissionVerdict(False, headline, binding)


def _limit(constraint: str) -> str:
    return {"unknown": "a number nobody published", "frames": "frames a second"}.get(constraint, constraint)


def _said(option: Option) -> str:
    words = [
        f"{option.model} in {' '.join([option.precision, *option.recipes])} on {option.name} ({option.power_mode})"
    ]
    if option.frames_per_s:
        words.append(f"up to {format_number(option.frames_per_s.value, 3)} frames/s")
    if option.power_w and option.energy_j:
        words.append(f"{format_watts(option.power_w.value)}, {format_energy(option.energy_j.value)} a flight")
    if option.battery_share:
        words.append(f"{format_percent(option.battery_share.value)} of the battery")
    return ", ".join(words)


def _assumptions(decision: MissionDecision, asked: Mission) -> tuple[Assumption, ...]:
    found = [BUSY_SHARE, IDLE_SPREAD, CONVERSION]
    devices = {one.design.device.id: one.design.device for one in decision.judged}
    for device in devices.values():
        names = ["idle_power", "host_power", *(["thermal_resistance"] if asked.thermal_resistance is None else [])]
        for name in names:
            figure = device.figures.get(name)
            if figure is not None and figure.evidence.value in ("assumed", "unknown"):
                found.append(
                    Assumption(f"{device.id} {name}", figure.value, figure.unit, figure.evidence.value, figure.source)
                )
    return tuple(found)


def _warnings(recommended: Option | None, asked: Mission) -> tuple[str, ...]:
    said = ["power is a model of limit and utilisation: no published run here states watts; measure before you fly"]
    if asked.uplink_bits_per_s is not None:
        said.append("the draw of the radio is not counted")
    if recommended is None:
        return tuple(said)
    said += recommended.doubts
    return tuple(said)
