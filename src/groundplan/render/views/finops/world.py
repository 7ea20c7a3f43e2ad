"""View of `finops simulate-world`: where it was written and what is true of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.render.document import Column, Document, Fact, Facts, Table, Tone
from groundplan.render.phrases import money
from groundplan.render.views.parts import footer


def document(result: Mapping[str, Any]) -> Document:
    """Return the truth about a world."""
    truth = result["truth"]
    size = f"{result['gpus']} accelerators, {result['teams']} teams, {result['days']} days"
    facts = Facts(
        "",
        (
            Fact("Folder", result["out"]),
            Fact("Size", size, f"seed {result['seed']}"),
            Fact("Billed", money(truth["total_usd"])),
        ),
    )  # fmt: skip
    teams = tuple((name, money(cost)) for name, cost in truth["teams"].items())
    idle = tuple((state, money(cost)) for state, cost in truth["idle_usd"].items())
    shifts = tuple(
        (row["start"], row["end"], row["cause"], row["where"], row["team"] or "") for row in truth["anomalies"]
    )
    blocks = (
        facts,
        Table("Teams", (Column("team"), Column("cost", right=True)), teams),
        Table("Idle", (Column("state"), Column("cost", right=True)), idle),
        Table("Shifts", tuple(Column(name) for name in ("start", "end", "cause", "where", "team")), shifts),
    )
    headline = f"A world of {money(truth['total_usd'])} written to {result['out']}"
    return Document(result["schema"], "World", headline, Tone.GOOD, blocks, footer(result, predicts=False))
