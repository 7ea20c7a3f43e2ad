"""View of `finops jobs`: what is behind an owner's row."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from groundplan.render.document import Column, Document, Fact, Facts, Table, Tone
from groundplan.render.phrases import money
from groundplan.render.views.parts import footer

PARTS = (
    ("jobs_usd", "Jobs"),
    ("idle_usd", "Held by no job"),
    ("other_usd", "Other charges"),
    ("divided_usd", "Its part of shared and idle cost"),
)


def document(result: Mapping[str, Any]) -> Document:
    """Return the parts of the row, then every job."""
    currency, jobs = result["currency"], result["jobs"]
    days = f"{result['start'] or 'the first day'} to before {result['end'] or 'the last'}"
    parts = [(name, result[key]) for key, name in PARTS if key == "jobs_usd" or Decimal(result[key])]
    facts = Facts(
        "",
        (
            Fact("Period", days),
            *(Fact(name, money(amount, currency)) for name, amount in parts),
            Fact("Sum", money(result["cost_usd"], currency), result["column"]),
        ),
    )
    columns = (
        *(Column(name) for name in ("job", "user", "start")),
        *(Column(name, right=True) for name in ("hours", "GPUs", "cost", "useful")),
        Column("name", detail=True),
    )
    cells = tuple(
        (
            row["job"], row["user"], row["start"].replace("T", " "), f"{row['hours']:,.1f}", str(row["gpus"]),
            money(row["cost_usd"], currency),
            "unknown" if row["useful"] is None else f"{100 * row['useful']:.0f} %", row["name"],
        )
        for row in jobs
    )  # fmt: skip
    rest = result["rest"]
    if rest["jobs"]:
        amount = money(rest["cost_usd"], currency)
        cells = (*cells, (f"({rest['jobs']:,} more)", "", "", "", "", amount, "", ""))
    count = len(jobs) + rest["jobs"]
    total = ("sum", "", "", "", "", money(result["jobs_usd"], currency), "", "")
    blocks = (facts, Table("Jobs", columns, cells, total=total, brief_rows=30)) if jobs else (facts,)
    headline = f"{result['owner']}: {money(result['cost_usd'], currency)}, {count:,} job{'s' if count != 1 else ''}"
    title = f"Jobs of {result['by']} {result['owner']}"
    return Document(result["schema"], title, headline, Tone.PLAIN, blocks, footer(result, predicts=False))
