"""View of `calibrate`: the constants, and the errors on rows that were seen and that were not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.quantities import format_count, format_number, format_percent
from groundplan.render.document import Block, Column, Document, Table, Tone
from groundplan.render.views.parts import BRIEF_ROWS, footer, warnings
from groundplan.render.views.validation import without_prediction

DIGITS = 4


def document(result: Mapping[str, Any]) -> Document:
    """Return errors, constants and intervals."""
    body: list[Block] = [_errors(result), _sets(result), _constants(result), *_intervals(result)]
    body += [*without_prediction(result), *warnings(result.get("warnings", ()))]
    headline = str(result["headline"])
    return Document(str(result["schema"]), "Calibration", headline, Tone.PLAIN, tuple(body), footer(result))


SCORE_COLUMNS = (
    Column("rows", right=True),
    Column("median error", right=True),
    Column("90 % within", right=True),
    Column("bias", right=True),
    Column("in interval", right=True),
)


def _errors(result: Mapping[str, Any]) -> Table:
    named = (
        ("constants of the catalog", result["before"]),
        ("fitted, on rows seen", result["after"]),
        ("fitted, on rows not seen", result["held_out"]),
    )
    rows = tuple((name, *_score(one)) for name, one in named if one is not None)
    return Table("Errors", (Column("constants"), *SCORE_COLUMNS), rows)


def _sets(result: Mapping[str, Any]) -> Table:
    title = "By set, on rows seen" if result["held_out"] is None else "By set, on rows not seen"
    rows = tuple((str(one["name"]), *_score(one)) for one in result["sets"])
    return Table(title, (Column("set"), *SCORE_COLUMNS), rows)


def _score(one: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        format_count(one["rows"]),
        f"{one['median_ape']:.1f} %",
        f"{one['p90_ape']:.1f} %",
        f"{one['bias']:+.1f} %",
        format_percent(one["coverage_80"]),
    )


def _constants(result: Mapping[str, Any]) -> Table:
    columns = (
        Column("constant"),
        Column("expected", right=True),
        Column("catalog", right=True),
        Column("fitted", right=True),
        Column("rows", right=True),
        Column("why it is expected", detail=True),
    )
    rows = tuple(
        (
            str(one["name"]),
            format_number(one["expected"], DIGITS),
            format_number(one["catalog"], DIGITS),
            format_number(one["fitted"], DIGITS),
            format_count(one["rows"]),
            str(one["reason"]),
        )
        for one in result["constants"]
        if one["rows"]
    )
    return Table("Constants", columns, rows)


def _intervals(result: Mapping[str, Any]) -> list[Block]:
    rows = tuple(
        (
            str(one["stack"] or "any"),
            str(one["architecture"] or "any"),
            str(one["experts"]),
            str(one["nodes"] or "any"),
            f"{one['low']:.2f} to {one['high']:.2f}",
            format_count(one["rows"]),
        )
        for one in result["intervals"]
    )
    columns = (
        Column("stack"),
        Column("architecture"),
        Column("experts"),
        Column("nodes"),
        Column("80 % of the value", right=True),
        Column("rows", right=True),
    )
    return [Table("Intervals, from rows not seen", columns, rows, brief_rows=BRIEF_ROWS)] if rows else []
