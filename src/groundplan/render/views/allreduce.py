"""View of `allreduce`: what each device must carry, and whether the fabric does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.quantities import format_bit_rate, format_bytes, format_count, format_seconds
from groundplan.render.document import Document, Fact, Facts, Tone
from groundplan.render.phrases import interval
from groundplan.render.views.parts import assumptions, breakdown, footer, notes, warnings


def document(result: Mapping[str, Any]) -> Document:
    """Return the AllReduce need on a flat ring and with hierarchy, against the fabric."""
    fabric, rate = str(result["fabric"]), format_bit_rate(result["fabric_bits_per_s"])
    flat, layered = (format_bit_rate(result[f"{way}_bits_per_s"]) for way in ("flat_ring", "hierarchical"))
    per_node = f"{format_count(result['ranks_per_node'])} per node"
    rows = [
        Fact("Fabric", f"{fabric}, {rate}", _sustained(result)),
        Fact(
            "Each device moves", format_bytes(result["bytes_per_device"]), "per AllReduce: 2 (n - 1) / n of the bytes"
        ),
        Fact("Flat ring", f"needs {flat}", *_carried(result["fabric_ok"])),
        Fact("Hierarchical", f"needs {layered}", *_carried(result.get("hierarchical_ok"))),
        Fact("One AllReduce", interval(result["time_s"], format_seconds)),
        Fact("Accelerators", format_count(result["accelerators"]), per_node),
    ]
    if result.get("exposed_s") is not None:
        rows.append(Fact("Exposed", format_seconds(result["exposed_s"]), "what the compute given does not hide"))
    said = "carries" if result["fabric_ok"] else "does not carry"
    composed = f"{fabric} ({rate}) {said} the flat ring: {flat} needed per accelerator, {layered} hierarchical"
    return Document(
        str(result["schema"]),
        "AllReduce",
        str(result.get("headline") or composed),
        Tone.GOOD if result["fabric_ok"] else Tone.BAD,
        (
            Facts("", tuple(rows)),
            breakdown("Time by term", result["terms"], result["time_s"], format_seconds),
            *notes(result.get("notes", ())),
            *assumptions(result.get("assumptions", ())),
            *warnings(result.get("warnings", ())),
        ),
        footer(result),
    )


def _sustained(result: Mapping[str, Any]) -> str:
    rate = result.get("sustained_bits_per_s")
    return "" if rate is None else f"{format_bit_rate(rate)} for large messages"


def _carried(ok: bool | None) -> tuple[str, Tone]:
    """Say whether the fabric carries a need."""
    if ok is None:
        return "", Tone.PLAIN
    return ("the fabric carries it", Tone.GOOD) if ok else ("more than the fabric carries", Tone.BAD)
