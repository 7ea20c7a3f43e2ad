"""View of `allreduce`: what each device must carry, and whether the fabric does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.quantities import UNKNOWN, format_bit_rate, format_bytes, format_count, format_seconds
from groundplan.render.document import Block, Document, Fact, Facts, Tone
from groundplan.render.phrases import interval, value_of, words
from groundplan.render.views.parts import assumptions, breakdown, footer, notes, warnings

ROUNDING = 1e-6


def document(result: Mapping[str, Any]) -> Document:
    """Return the AllReduce need on a flat ring and with hierarchy, against the fabric."""
    ok = result["fabric_ok"]
    fabric = str(result.get("fabric") or "fabric")
    rate = format_bit_rate(result.get("fabric_bits_per_s"))
    flat = format_bit_rate(result["flat_ring_bits_per_s"])
    hierarchical = format_bit_rate(result["hierarchical_bits_per_s"])
    verdict = UNKNOWN if ok is None else "carries it" if ok else "too slow"
    tone = Tone.PLAIN if ok is None else Tone.GOOD if ok else Tone.BAD
    said = {None: f"Unknown whether {fabric} carries it", True: f"{fabric} carries it", False: f"{fabric} is too slow"}
    facts = Facts(
        "",
        (
            Fact("Fabric", f"{fabric}, {rate}", verdict, tone),
            Fact(
                "Each device moves",
                format_bytes(result["bytes_per_device"]),
                "per AllReduce: 2 (n - 1) / n of the bytes",
            ),
            Fact("Flat ring needs", flat, "from each accelerator's link"),
            Fact("Hierarchical needs", hierarchical, "after reducing inside the node first"),
            Fact("One AllReduce", interval(result["time_s"], format_seconds)),
            Fact(
                "Accelerators",
                format_count(result.get("accelerators")),
                f"{format_count(result.get('ranks_per_node'))} per node",
            ),
        ),
    )
    composed = f"{said[ok]}: {flat} needed per accelerator on a flat ring, {hierarchical} hierarchical, {rate} there"
    return Document(
        str(result["schema"]),
        "AllReduce",
        str(result.get("headline") or composed),
        tone,
        (
            facts,
            _phases(result),
            *notes(result.get("notes", ())),
            *assumptions(result.get("assumptions", ())),
            *warnings(result.get("warnings", ())),
        ),
        footer(result),
    )


def _phases(result: Mapping[str, Any]) -> Block:
    """Return the phases: a breakdown where they follow each other, their times alone where they overlap."""
    terms, total = result.get("terms") or {}, value_of(result["time_s"])
    if total is not None and abs(sum(terms.values()) - total) <= ROUNDING * total:
        return breakdown("Time by term", terms, result["time_s"], format_seconds)
    rows = tuple(Fact(words(name), format_seconds(seconds)) for name, seconds in terms.items())
    return Facts("Time of each phase; they overlap", rows)
