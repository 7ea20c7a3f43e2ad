"""View of `plan`: verdict, recommended design or nearest feasible answers, needs, alternatives, assumptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from groundplan.quantities import format_count, format_seconds, format_si, format_usd
from groundplan.render.document import Block, Chart, ChartKind, Column, Document, Fact, Facts, Table, Tone
from groundplan.render.phrases import by_key, label, middle, value_of, with_unit, words
from groundplan.render.views import design as blocks
from groundplan.render.views.flow import flow
from groundplan.render.views.parts import BRIEF_ROWS, assumptions, footer, warnings

DESIGN_COLUMNS = (
    Column("design"),
    Column("layout"),
    Column("time", right=True),
    Column("cost", right=True),
    Column("energy", right=True, detail=True),
    Column("carbon", right=True, detail=True),
    Column("MFU", right=True, detail=True),
)


def document(result: Mapping[str, Any]) -> Document:
    """Return the plan, verdict first; where nothing is feasible the nearest answers come in its place."""
    verdict = result["verdict"]
    recommended, nearest = result["recommended"], result["nearest_feasible"]
    body: list[Block] = [_verdict(result)]
    shown = recommended
    if recommended is not None:
        body.append(blocks.design_facts("Recommended design", recommended))
    elif nearest:
        body.append(_nearest(nearest))
        shown = nearest[0]
        body.append(blocks.design_facts(f"In detail: {_relaxed_words(shown)}", shown))
    if shown is not None:
        body += [
            blocks.outcome(shown),
            flow(shown),
            *blocks.breakdowns(shown),
            *blocks.charts(shown),
            *blocks.needs(shown),
        ]
    body += _alternatives(result["alternatives"])
    if recommended is not None and nearest:
        body.append(_nearest(nearest))
    body += _front(result.get("pareto", ()))
    body += _rejected(result["rejected"], result["search"])
    body += [*assumptions(result["assumptions"]), *warnings(result["warnings"])]
    return Document(
        str(result["schema"]),
        f"Plan: {result['workload']['model']}",
        str(verdict["headline"]),
        Tone.GOOD if verdict["feasible"] else Tone.BAD,
        tuple(body),
        footer(result),
    )


def _verdict(result: Mapping[str, Any]) -> Facts:
    verdict, workload = result["verdict"], result["workload"]
    feasible = bool(verdict["feasible"])
    rows = [Fact("Feasible", "yes" if feasible else "no", "", Tone.GOOD if feasible else Tone.BAD)]
    binding = verdict.get("binding")
    if binding:
        rows.append(Fact("Decided by" if feasible else "Binds", str(binding["text"])))
    counts = f"{format_count(workload['parameters'])} parameters"
    active = workload.get("active_parameters")
    if active is not None and active != workload["parameters"]:
        counts += f" ({format_count(active)} active)"
    batch = f"sequence {format_count(workload['sequence'])}, global batch {format_count(workload['global_batch'])}"
    rows += [
        Fact(
            "Model", f"{workload['model']}, {counts}", f"{words(workload['method'])}, {workload['optimizer']}, {batch}"
        ),
        Fact(
            "Work",
            f"{format_count(workload['tokens'])} {workload.get('unit', 'tokens')}",
            format_si(workload["train_flops"], "FLOP"),
        ),
        Fact("Goal", _goal(result.get("goal") or {})),
    ]
    return Facts("", tuple(rows))


def _goal(goal: Mapping[str, Any]) -> str:
    said = [f"{label(key)} {by_key(key, value)}" for key, value in goal.items() if value is not None]
    return ", ".join(said) or "no limits"


def _design_cells(design: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        f"{format_count(design['accelerators'])} x {design['accelerator']}, {blocks.host_name(design)}, "
        f"{words(design['purchase'])}",
        f"{blocks.layout_text(design['layout'])} {design['layout']['precision']}",
        middle(design["run_s"], format_seconds),
        middle(design.get("cost_usd"), format_usd),
        by_key("energy_j", value_of(design.get("energy_j"))),
        by_key("carbon_kg", value_of(design.get("carbon_kg"))),
        by_key("mfu", value_of(design["mfu"])),
    )


def _alternatives(designs: Sequence[Mapping[str, Any]]) -> list[Block]:
    rows = tuple((*_design_cells(design), str(design.get("reason", ""))) for design in designs)
    columns = (*DESIGN_COLUMNS, Column("why it lost"))
    return [Table("Alternatives", columns, rows, brief_rows=BRIEF_ROWS)] if rows else []


def _nearest(designs: Sequence[Mapping[str, Any]]) -> Table:
    rows = tuple((*_design_cells(design), _relaxed_words(design)) for design in designs)
    return Table("Nearest feasible answers, each relaxing one limit", (*DESIGN_COLUMNS, Column("relaxes")), rows)


def _relaxed_words(design: Mapping[str, Any]) -> str:
    """Say which limit is given up: ``deadline 3 days -> 43.5 days (14.5x); also ...``."""
    relaxed = design.get("relaxed")
    if not relaxed:
        return "nothing relaxed"
    constraint, unit = words(relaxed["constraint"]), str(relaxed.get("unit", ""))
    unit = "" if constraint.endswith(unit) else unit
    text = f"{constraint} {with_unit(relaxed['limit'], unit)} -> {with_unit(relaxed['needed'], unit)}"
    if relaxed.get("by") is not None:
        text += f" ({with_unit(round(relaxed['by'], 3), '')}x)"
    return "; also ".join([text, *(relaxed.get("also") or ())])


def _front(points: Sequence[Mapping[str, Any]]) -> list[Block]:
    if not points:
        return []
    columns = (Column("design"), Column("time", right=True), Column("cost", right=True), Column("energy", right=True))
    rows = tuple(
        (
            f"{format_count(point['accelerators'])} x {point['accelerator']}, {blocks.host_name(point)}, "
            f"{words(point['purchase'])}",
            by_key("run_s", value_of(point["run_s"])),
            by_key("cost_usd", value_of(point.get("cost_usd"))),
            by_key("energy_j", value_of(point.get("energy_j"))),
        )
        for point in points
    )
    drawn: list[Mapping[str, float | str]] = []
    for point, cells in zip(points, rows, strict=True):
        run_s, cost = value_of(point["run_s"]), value_of(point.get("cost_usd"))
        if run_s is not None and cost is not None:
            drawn.append(
                {"design": cells[0], "accelerator": str(point["accelerator"]), "run_s": run_s, "cost_usd": cost}
            )
    table = Table("Cost against time (Pareto front)", columns, rows, brief_rows=BRIEF_ROWS)
    chart = [Chart(ChartKind.FRONT, "Cost against time", "USD", tuple(drawn))] if len(drawn) > 1 else []
    return [table, *chart]


def _rejected(rejected: Sequence[Mapping[str, Any]], search: Mapping[str, Any]) -> list[Block]:
    searched = Facts(
        "Search",
        (
            Fact(
                "Candidates",
                format_count(search["candidates"]),
                f"{format_count(search['fitting'])} fit in memory, {format_count(search['scored'])} scored",
            ),
        ),
    )
    rows = tuple((str(row["name"]), str(row["reason"])) for row in rejected)
    table = [Table("Rejected", (Column("candidate"), Column("reason")), rows, brief_rows=BRIEF_ROWS)] if rows else []
    return [searched, *table]
