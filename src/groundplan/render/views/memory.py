"""View of `memory`: fits or not, by term, and the smallest changes that make it fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.quantities import format_bytes, format_count
from groundplan.render.document import Block, Column, Document, Fact, Facts, Table, Tone
from groundplan.render.phrases import interval, yes_no
from groundplan.render.views.design import memory_fit
from groundplan.render.views.parts import assumptions, breakdown, footer, notes, shares_chart, warnings


def document(result: Mapping[str, Any]) -> Document:
    """Return the memory of one device at its peak."""
    fit = memory_fit(result)
    device = result["accelerator"]
    headline = f"Fits on {device}: {fit.note}" if result["fits"] else f"Does not fit on {device}: {fit.note}"
    parameters = f"{format_count(result.get('parameters'))} parameters"
    rows = [
        Fact("Fits", fit.value, fit.note, fit.tone),
        Fact("Model", f"{result['model']}, {parameters}", "training" if result["mode"] == "train" else "serving"),
        Fact("Needs", interval(result["total_bytes"], format_bytes), "at the peak moment of the fullest device"),
    ]
    if result.get("devices", 1) != 1:
        rows.append(Fact("Devices", format_count(result["devices"])))
    if result.get("host_bytes"):
        rows.append(Fact("Host memory", format_bytes(result["host_bytes"]), "per device, for what is offloaded"))
    body: list[Block] = [
        Facts("", tuple(rows)),
        breakdown("Memory by term", result["terms"], result["total_bytes"], format_bytes),
        *shares_chart("Memory by term", result["terms"], "bytes"),
        *_fixes(result),
        *notes(result.get("notes", ())),
        *assumptions(result.get("assumptions", ())),
        *warnings(result.get("warnings", ())),
    ]
    tone = Tone.GOOD if result["fits"] else Tone.BAD
    return Document(str(result["schema"]), "Memory", headline, tone, tuple(body), footer(result))


def _fixes(result: Mapping[str, Any]) -> list[Block]:
    rows = tuple(
        (str(fix["change"]), format_bytes(fix["total_bytes"]), yes_no(fix["fits"]), str(fix.get("text", "")))
        for fix in result["fixes"]
    )
    columns = (Column("change"), Column("then needs", right=True), Column("fits"), Column("in words", detail=True))
    return [Table("Smallest changes that make it fit", columns, rows)] if rows else []
