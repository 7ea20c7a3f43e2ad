"""View of `validate`: errors by set, the worst rows with what they are made of, the rows without a prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from groundplan.quantities import format_count, format_percent
from groundplan.render.document import Block, Chart, ChartKind, Column, Document, Table, Tone
from groundplan.render.phrases import by_key, words
from groundplan.render.views.parts import BRIEF_ROWS, footer, warnings


def document(result: Mapping[str, Any]) -> Document:
    """Return the errors by set, the worst rows and the rows without a prediction."""
    body: list[Block] = [
        _sets(result),
        agreement_chart(result),
        errors_chart(result["sets"]),
        _worst(result),
        *without_prediction(result),
        *warnings(result.get("warnings", ())),
    ]
    headline = str(result["headline"])
    return Document(str(result["schema"]), "Accuracy", headline, Tone.PLAIN, tuple(body), footer(result))


def _sets(result: Mapping[str, Any]) -> Table:
    columns = (
        Column("set"),
        Column("rows", right=True),
        Column("median error", right=True),
        Column("90 % within", right=True),
        Column("bias", right=True),
        Column("in interval", right=True),
    )
    rows = tuple(_set_row(one) for one in result["sets"])
    return Table("Errors by set", columns, rows, total=_set_row(result["overall"]))


def _set_row(one: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(one["name"]),
        format_count(one["rows"]),
        f"{one['median_ape']:.1f} %",
        f"{one['p90_ape']:.1f} %",
        f"{one['bias']:+.1f} %",
        format_percent(one["coverage_80"]),
    )


def errors_chart(sets: Sequence[Mapping[str, Any]]) -> Chart:
    """Return the errors of the sets as bars."""
    points = tuple({"set": one["name"], "median": one["median_ape"], "p90": one["p90_ape"]} for one in sets)
    return Chart(ChartKind.ERRORS, "Error by set", "%", points)


def agreement_chart(result: Mapping[str, Any]) -> Chart:
    """Return predicted against measured values, coloured by stack."""
    points = tuple(
        {"set": row["set"].split(" / ")[0], "measured": row["measured"], "predicted": row["predicted"]}
        for row in result["rows"]
    )
    return Chart(
        ChartKind.AGREEMENT, "Predicted against measured", "s" if result["quantity"] == "step_s" else "bytes", points
    )


def _worst(result: Mapping[str, Any]) -> Table:
    columns = (
        Column("row"),
        Column("what"),
        Column("measured", right=True),
        Column("predicted", right=True),
        Column("error", right=True),
        Column("largest terms", detail=True),
    )
    quantity = str(result["quantity"])
    worst = sorted((row for one in result["sets"] for row in one["worst"]), key=lambda row: -abs(row["error"]))
    rows = tuple(
        (
            str(row["id"]),
            str(row["what"]),
            by_key(quantity, row["measured"]),
            by_key(quantity, row["predicted"]),
            f"{row['error']:+.0f} %",
            ", ".join(f"{words(name)} {format_percent(share)}" for name, share in row["terms"].items()),
        )
        for row in worst
    )
    return Table("Furthest off, of each set", columns, rows, brief_rows=BRIEF_ROWS)


def without_prediction(result: Mapping[str, Any]) -> list[Block]:
    """Return the table of the rows without a prediction, or nothing."""
    rows = tuple((str(row["id"]), str(row["source"]), str(row["reason"])) for row in result["unpredictable"])
    if not rows:
        return []
    title = f"Without a prediction ({format_count(len(rows))})"
    return [Table(title, (Column("row"), Column("source"), Column("why")), rows, brief_rows=BRIEF_ROWS)]
