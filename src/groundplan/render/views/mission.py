"""View of a `plan` about a mission: verdict, what to fly, accuracy against energy, every option and why it lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from groundplan.quantities import (
    UNKNOWN,
    format_bytes,
    format_energy,
    format_number,
    format_percent,
    format_seconds,
    format_usd,
    format_watts,
)
from groundplan.render.document import Block, Column, Document, Fact, Facts, Table, Tone
from groundplan.render.phrases import interval, middle
from groundplan.render.views.parts import BRIEF_ROWS, assumptions, breakdown, footer, warnings

COLUMNS = (
    Column("option"),
    Column("frames/s", right=True),
    Column("latency", right=True),
    Column("power", right=True),
    Column("a flight", right=True),
    Column("of battery", right=True, detail=True),
    Column("heat", detail=True),
    Column("uplink", right=True, detail=True),
    Column("accuracy", right=True),
    Column("accuracy from", detail=True),
    Column("why"),
)


def document(result: Mapping[str, Any]) -> Document:
    """Return the mission, verdict first; where nothing keeps every limit the nearest come in its place."""
    verdict, recommended, nearest = result["verdict"], result["recommended"], result["nearest_feasible"]
    shown = recommended or (nearest[0] if nearest else None)
    body: list[Block] = [_uplink(result["uplink"])]
    if shown is not None:
        body.append(_facts("Recommended" if recommended else "Nearest", shown))
        tree = shown["explain"].get("latency_s")
        if tree:
            terms = {str(term["name"]): float(term["value"]) for term in tree["children"]}
            body.append(breakdown("Latency of a frame", terms, shown["latency_s"], format_seconds))
    if nearest:
        body.append(_options("Nearest, each missing one limit", nearest))
    if result["pareto"]:
        body.append(_options("Accuracy against energy (Pareto front)", result["pareto"]))
    body.append(_options("Options", result["options"], BRIEF_ROWS))
    body += _rejected(result["rejected"])
    body += [*assumptions(result["assumptions"]), *warnings(result["warnings"])]
    tone = Tone.GOOD if verdict["feasible"] else Tone.BAD
    return Document(str(result["schema"]), "Mission", str(verdict["headline"]), tone, tuple(body), footer(result))


def _uplink(uplink: Mapping[str, Any]) -> Facts:
    note = f"{format_seconds(uplink['duration_s'])} on the air, {format_usd(uplink['cost_usd'])} a flight"
    return Facts("", (Fact("Uplink", format_bytes(uplink["bytes"]), note),))


def _facts(title: str, option: Mapping[str, Any]) -> Facts:
    heat = f"settles at {_degrees(option['temperature_c'])}"
    rows = (
        Fact("Device", f"{option['name']}, {option['power_mode']}"),
        Fact("Model", _model(option), f"{option['resolution']} pixels"),
        Fact("Frames a second", interval(option["frames_per_s"], _plain), "as fast as it goes"),
        Fact("Latency", interval(option["latency_s"], format_seconds)),
        Fact("Power", interval(option["power_w"], format_watts), "at the frames asked, with its host"),
        Fact("A flight", interval(option["energy_j"], format_energy), "from the battery"),
        Fact("Of the battery", interval(option["battery_share"], format_percent)),
        Fact("Heat", str(option["thermal"]), heat),
        Fact("Accuracy", interval(option["accuracy"], _plain), str(option["accuracy_source"])),
    )
    return Facts(title, rows)


def _options(title: str, options: Sequence[Mapping[str, Any]], brief_rows: int | None = None) -> Table:
    rows = tuple(
        (
            f"{option['device']} {option['power_mode']}, {_model(option)}",
            middle(option["frames_per_s"], _plain),
            middle(option["latency_s"], format_seconds),
            middle(option["power_w"], format_watts),
            middle(option["energy_j"], format_energy),
            middle(option["battery_share"], format_percent),
            f"{option['thermal']}, {_degrees(option['temperature_c'])}",
            format_usd(option["uplink_usd"]),
            middle(option["accuracy"], _plain),
            str(option["accuracy_source"]),
            str(option["reason"]),
        )
        for option in options
    )
    return Table(title, COLUMNS, rows, brief_rows=brief_rows)


def _rejected(rejected: Sequence[Mapping[str, Any]]) -> list[Block]:
    rows = tuple((str(row["name"]), str(row["reason"])) for row in rejected)
    return [Table("Rejected", (Column("candidate"), Column("reason")), rows, brief_rows=BRIEF_ROWS)] if rows else []


def _model(option: Mapping[str, Any]) -> str:
    return " ".join([str(option["model"]), str(option["precision"]), *map(str, option["recipes"])])


def _plain(value: float | None) -> str:
    return format_number(value, 3)


def _degrees(value: float | None) -> str:
    return UNKNOWN if value is None else f"{_plain(value)} C"
