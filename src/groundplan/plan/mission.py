"""Decide an edge mission: every device, model, precision and power mode against its limits, and which to fly."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import EdgeDevice, Recipe
from groundplan.errors import InputError
from groundplan.estimate.edge import EdgeDesign, EdgeEstimate, estimate, modes_of
from groundplan.evidence import Prediction, Result
from groundplan.physics.edge import upload_s
from groundplan.quantities import format_energy, format_number, format_percent, format_seconds
from groundplan.workload.mission import Mission
from groundplan.workload.model import SampleModel

LIMITS = ("unknown", "frames", "heat", "latency", "battery", "uplink", "accuracy")
"""What an option can fail by, in the order it is told."""
USUAL_RECIPE = "plain"


@dataclass(frozen=True, slots=True)
class Miss(Result):
    """A limit an option does not keep."""

    constraint: str
    limit: float | None
    needed: float | None
    unit: str
    reason: str


@dataclass(frozen=True, slots=True)
class Judged:
    """One design with its figures and the limits it misses."""

    design: EdgeDesign
    row: int
    accuracy: Prediction | None
    accuracy_source: str
    misses: tuple[Miss, ...]
    doubts: tuple[str, ...]  # limits that are kept, but not by the far end of the interval


@dataclass(frozen=True, slots=True)
class MissionDecision:
    """All options judged; indices of `judged` for the one to fly, its nearest neighbours and the front."""

    judged: tuple[Judged, ...]
    figures: EdgeEstimate
    recommended: int | None
    nearest: tuple[int, ...]
    pareto: tuple[int, ...]
    rejected: tuple[tuple[str, str], ...]


def decide_mission(mission: Mission, catalog: Catalog) -> MissionDecision:
    """Judge every option of a mission.

    Raises
    ------
    InputError
        When no candidate device runs any of the precisions, or has a power mode that is asked for.
    """
    rejected: list[tuple[str, str]] = []
    designs = list(_designs(mission, catalog, rejected))
    if not designs:
        raise InputError(
            f"no option is left: {'; '.join(f'{name}: {why}' for name, why in rejected[:3])}",
            "name other devices, precisions or power modes",
        )
    figures = estimate(designs, mission)
    judged = tuple(_judge(design, row, figures, mission) for row, design in enumerate(designs))
    best = _best(judged, figures, mission)
    return MissionDecision(judged, figures, best, _nearest(judged, figures), _front(judged, figures), tuple(rejected))


def _designs(mission: Mission, catalog: Catalog, rejected: list[tuple[str, str]]) -> Iterator[EdgeDesign]:
    for name in mission.devices or tuple(catalog.edge_devices):
        device = catalog.edge_devices[name]
        modes = [mode for mode in modes_of(device, catalog) if mode.mode in (mission.power_modes or (mode.mode,))]
        if not modes:
            rejected.append((device.name, f"has no power mode {' or '.join(mission.power_modes)}"))
        for precision in mission.precisions:
            if precision not in device.flops:
                rejected.append((f"{device.name} {precision}", _why_no_rate(device, precision)))
                continue
            for mode, model, recipes in product(modes, mission.models, _recipes(mission, precision, catalog)):
                side = mission.side or model.input_side or 0
                yield EdgeDesign(device, mode, catalog.edge_families[device.family], model, side, precision, recipes)


def _why_no_rate(device: EdgeDevice, precision: str) -> str:
    stated = f"peak_{precision}" in device.figures
    return f"its {precision} rate is unknown" if stated else f"does not compute in {precision}"


def _recipes(mission: Mission, precision: str, catalog: Catalog) -> list[tuple[Recipe, ...]]:
    quantised: list[tuple[Recipe, ...]] = [()]
    if precision == "int8":
        quantised = [(catalog.recipes[name],) for name in mission.quantisation or (USUAL_RECIPE,)]
    distilled = tuple(recipe for recipe in catalog.recipes.values() if recipe.kind == "distillation")
    return quantised + [(*recipes, *distilled) for recipes in quantised if mission.distillation]


def accuracy_of(model: SampleModel, side: int, recipes: Sequence[Recipe]) -> tuple[Prediction | None, str]:
    """Return the published score with what the recipes change, and its source; None where nobody published it."""
    score = model.accuracy
    if score is None:
        return None, f"no source states the accuracy of {model.name}"
    if side != model.input_side:
        return None, f"the accuracy of {model.name} is published at {model.input_side} pixels, not at {side}"
    changes = [(recipe.accuracy_change, recipe.change_low, recipe.change_high) for recipe in recipes]
    value, low, high = (score.value + math.fsum(change[end] for change in changes) for end in range(3))
    sources = [score.source, *(str(recipe.figures["accuracy_change"].source) for recipe in recipes)]
    return Prediction(value, low, high), f"{score.metric} on {score.data}; " + "; ".join(sources)


def _judge(design: EdgeDesign, row: int, figures: EdgeEstimate, mission: Mission) -> Judged:
    accuracy, source = accuracy_of(design.model, design.side, design.recipes)
    misses = [*_time_misses(design, row, figures, mission), *_energy_misses(row, figures, mission)]
    floor = mission.accuracy
    if floor is not None and accuracy is None:
        misses.append(Miss("unknown", floor, None, "1", source))
    elif floor is not None and accuracy is not None and accuracy.value < floor:
        reached = format_number(accuracy.value, 3)
        misses.append(
            Miss("accuracy", floor, accuracy.value, "1", f"accuracy {reached} of {format_number(floor, 3)} asked")
        )
    ordered = tuple(sorted(misses, key=lambda miss: LIMITS.index(miss.constraint)))
    doubts = () if ordered else tuple(_doubts(row, accuracy, figures, mission))
    return Judged(design, row, accuracy, source, ordered, doubts)


def _doubts(row: int, accuracy: Prediction | None, figures: EdgeEstimate, mission: Mission) -> Iterator[str]:
    slowest, latest, most = (
        float(column[row]) for column in (figures.frames_low, figures.latency_high_s, figures.energy_high_j)
    )
    if slowest < mission.frames_per_s:
        yield f"frames a second may fall to {format_number(slowest, 3)}"
    if mission.latency_s is not None and latest > mission.latency_s:
        yield f"latency may reach {format_seconds(latest)}"
    if mission.battery_j is not None and most > mission.battery_j * mission.battery_share:
        yield f"a flight may take {format_energy(most)}"
    if mission.accuracy is not None and accuracy is not None and accuracy.low < mission.accuracy:
        yield f"accuracy may be {format_number(accuracy.low, 3)}"
    if math.isnan(float(figures.thermal_share[row])):
        yield "whether it stays cool is unknown"


def _time_misses(design: EdgeDesign, row: int, figures: EdgeEstimate, mission: Mission) -> Iterator[Miss]:
    largest = design.family.largest_side
    if largest is not None and design.side > largest:
        yield Miss("unknown", float(largest), float(design.side), "pixels", f"no published run above {largest} pixels")
    frames, latency = float(figures.frames_per_s[row]), float(figures.latency_s[row])
    wanted = mission.frames_per_s
    if math.isnan(latency):
        yield Miss("unknown", wanted, None, "frames/s", _why_unknown(design))
        return
    if frames < wanted:
        share = float(figures.thermal_share[row])
        hot = share < 1.0 and frames / share >= wanted if share else True
        said = f"{format_number(frames, 3)} of {format_number(wanted, 3)} frames/s"
        at = f"slows down at {format_number(mission.ambient_c, 3)} C: "
        yield Miss("heat" if hot else "frames", wanted, frames, "frames/s", (at if hot else "") + said)
    if mission.latency_s is not None and latency > mission.latency_s:
        said = f"latency {format_seconds(latency)} over {format_seconds(mission.latency_s)}"
        yield Miss("latency", mission.latency_s, latency, "s", said)


def _why_unknown(design: EdgeDesign) -> str:
    if design.mode.compute_share is None:
        return f"the clocks of mode {design.mode.mode} are unknown"
    if design.family.sustained_share is None:
        return f"no published run says what share of its peak {design.device.name} reaches"
    return f"the memory rate of {design.device.name} is unknown"


def _energy_misses(row: int, figures: EdgeEstimate, mission: Mission) -> Iterator[Miss]:
    if mission.battery_j is not None:
        budget, energy = mission.battery_j * mission.battery_share, float(figures.energy_j[row])
        if math.isnan(energy):
            if not math.isnan(float(figures.latency_s[row])):
                yield Miss("unknown", budget, None, "J", "its power is unknown")
        elif energy > budget:
            said = f"{format_energy(energy)} over the {format_energy(budget)} it may take"
            yield Miss("battery", budget, energy, "J", said)
    time = uplink_s(mission)
    if time is not None and time > mission.flight_s:
        said = f"the uploads take {format_seconds(time)} of a flight of {format_seconds(mission.flight_s)}"
        yield Miss("uplink", mission.flight_s, time, "s", said)


def uplink_s(mission: Mission) -> float | None:
    """Return the time all uploads of a flight take, None where the rate is not given."""
    if mission.uplink_bits_per_s is None:
        return None
    return float(upload_s(mission.uploads * mission.upload_bytes, mission.uplink_bits_per_s / 8))


def _merit(judged: Judged, figures: EdgeEstimate) -> tuple[float, float]:
    energy = float(figures.energy_j[judged.row])
    return judged.accuracy.value if judged.accuracy else -1.0, math.inf if math.isnan(energy) else energy


def _best(judged: Sequence[Judged], figures: EdgeEstimate, mission: Mission) -> int | None:
    """Return what keeps all limits, if it can by the whole of its interval.

    With an accuracy floor it is the one of least energy and effort, without one the most accurate.
    """
    good = [one for one in judged if not one.misses]
    if not good:
        return None

    def rank(one: Judged) -> tuple[bool, float, float, float]:
        accuracy, energy = _merit(one, figures)
        effort = float(len(one.design.recipes))
        if mission.accuracy is not None:
            return bool(one.doubts), energy, effort, -accuracy
        return bool(one.doubts), -accuracy, energy, effort

    return min(good, key=rank).row


def _nearest(judged: Sequence[Judged], figures: EdgeEstimate) -> tuple[int, ...]:
    """Return for each limit the option that misses it alone, and by the least."""
    nearest: list[int] = []
    for constraint in LIMITS[1:]:
        alone = [one for one in judged if [miss.constraint for miss in one.misses] == [constraint]]
        if alone:
            nearest.append(min(alone, key=lambda one: (_excess(one), _merit(one, figures)[1])).row)
    return tuple(nearest)


def _excess(one: Judged) -> float:
    """How far the first miss is from its limit, as a factor of at least 1."""
    limit, needed = one.misses[0].limit, one.misses[0].needed
    if not limit or not needed:
        return math.inf
    return max(limit / needed, needed / limit)


def _front(judged: Sequence[Judged], figures: EdgeEstimate) -> tuple[int, ...]:
    """Return accuracy against energy where neither can be had for less, of what keeps all but the accuracy floor."""
    able = [one for one in judged if one.accuracy and {miss.constraint for miss in one.misses} <= {"accuracy"}]
    front: list[int] = []
    best = -1.0
    for one in sorted(able, key=lambda one: (_merit(one, figures)[1], -_merit(one, figures)[0])):
        accuracy, energy = _merit(one, figures)
        if accuracy > best and math.isfinite(energy):
            best = accuracy
            front.append(one.row)
    return tuple(front)


def why_it_lost(one: Judged, decision: MissionDecision, mission: Mission) -> str:
    """Return in one phrase why an option is not the recommended one."""
    if one.misses:
        return "; ".join(miss.reason for miss in one.misses)
    assert decision.recommended is not None
    accuracy, energy = _merit(one, decision.figures)
    best_accuracy, best_energy = _merit(decision.judged[decision.recommended], decision.figures)
    if one.row == decision.recommended:
        return "least energy at the accuracy asked" if mission.accuracy is not None else "most accurate"
    if one.doubts:
        return "not sure: " + "; ".join(one.doubts)
    if mission.accuracy is None and accuracy < best_accuracy:
        return f"{format_number(100 * (best_accuracy - accuracy), 2)} points less accurate"
    if math.isinf(energy):
        return "its energy is unknown"
    gain = format_number(100 * abs(accuracy - best_accuracy), 2)
    if energy == best_energy:
        less = f"{gain} points less accurate for the same energy"
        return f"the same energy, more work for {gain} points" if accuracy > best_accuracy else less
    more = f"{format_percent(energy / best_energy - 1.0, 2)} more energy"
    return more if accuracy <= best_accuracy else f"{more} for {gain} points of accuracy"
