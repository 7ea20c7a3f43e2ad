"""View of `plan` for a pipeline: the stages, their ratio, the spike, the cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.quantities import format_number, format_percent, format_seconds, format_usd
from groundplan.render.document import Block, Column, Document, Fact, Facts, Table, Tone
from groundplan.render.phrases import label
from groundplan.render.views.parts import footer, notes, warnings


def document(result: Mapping[str, Any]) -> Document:
    """Return the plan of a pipeline."""
    body: list[Block] = [
        _stages(result["stages"]),
        _scaling(result["stages"]),
        Facts("Whole pipeline", _whole(result)),
        *notes(tuple(f"{label(name)}: {text}" for name, text in result["definitions"].items())),
        *warnings(result["warnings"]),
    ]
    tone = Tone.GOOD if result["verdict"]["feasible"] else Tone.BAD
    return Document(
        str(result["schema"]), "Pipeline plan", str(result["verdict"]["headline"]), tone, tuple(body), footer(result)
    )


def _stages(stages: list[Mapping[str, Any]]) -> Table:
    names = ("replicas", "items/s each", "busy", "batch", "a day")
    columns = (Column("stage"), Column("model"), Column("accelerator"), *(Column(name, right=True) for name in names))
    rows = tuple(
        (
            str(one["name"]),
            str(one["model"]),
            f"{one['devices']} x {one['accelerator']}",
            str(one["replicas"]),
            format_number(one["capacity_per_s"], 3),
            format_percent(one["busy_share_steady"]),
            f"{format_number(one['mean_batch'], 3)} of {one['batch']}",
            format_usd(None if one["usd_per_hour"] is None else 24.0 * one["usd_per_hour"]),
        )
        for one in stages
    )
    return Table("Stages at the steady rate", columns, rows)


def _scaling(stages: list[Mapping[str, Any]]) -> Table:
    names = ("replicas", "target in flight", "starts in", "queue p95", "queue most", "p50", "p95")
    columns = (Column("stage"), *(Column(name, right=True) for name in names))
    rows = tuple(
        (
            str(one["name"]),
            f"{one['replicas']}-{one['most_replicas']}",
            format_number(one["target_in_flight"], 3),
            format_seconds(one["start_s"]),
            format_number(one["queue_p95"], 4),
            str(one["queue_most"]),
            format_seconds(one["latency_s"]["p50"]),
            format_seconds(one["latency_s"]["p95"]),
        )
        for one in stages
    )
    return Table("Autoscaling through the spike, simulated", columns, rows)


def _whole(result: Mapping[str, Any]) -> tuple[Fact, ...]:
    steady, spike = result["e2e_steady_s"], result["e2e_spike_s"]
    return (
        Fact("Ratio", str(result["ratio"]), "accelerators of the stages, in their order"),
        Fact("Steady", f"p50 {format_seconds(steady['p50'])}, p95 {format_seconds(steady['p95'])}"),
        Fact("In the spike", f"p50 {format_seconds(spike['p50'])}, p95 {format_seconds(spike['p95'])}"),
        Fact("1,000 items", format_usd(result["usd_per_1000"]), f"{format_usd(result['usd_per_hour'])} an hour"),
    )
