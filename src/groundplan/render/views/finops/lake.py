"""Views of `finops import`, `finops total` and `finops quarantine`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from groundplan.render.document import Block, Column, Document, Fact, Facts, Notes, Table, Tone
from groundplan.render.phrases import money
from groundplan.render.views.parts import footer


def document(result: Mapping[str, Any]) -> Document:
    """Return what happened to the files, what the charges add up to, or the rows that did not fit."""
    if "by_provider" in result:
        return _total(result)
    return _import(result) if "files" in result else _quarantine(result)


def _import(result: Mapping[str, Any]) -> Document:
    files, refused = result["files"], result["refused"]
    headline = f"{_rows(result['kept'])} imported from {len(files)} file{'s' if len(files) != 1 else ''}"
    if result["already"]:
        headline += f"; {_rows(result['already'])} were there already"
    if result["quarantined"]:
        headline += f"; {_rows(result['quarantined'])} quarantined"
    if refused:
        headline += f"; {len(refused)} file{'s' if len(refused) != 1 else ''} refused"
    columns = (
        Column("file"), Column("format"), Column("into"),
        *(Column(name, right=True) for name in ("read", "kept", "already there", "quarantined")),
        Column("billed", right=True),
    )  # fmt: skip
    cells = tuple(
        (
            PurePath(row["file"]).name,
            row["format"],
            ", ".join(dict.fromkeys(row["datasets"])),
            *(f"{row[key]:,}" for key in ("read", "kept", "already", "quarantined")),
            money(row["sums"]["BilledCost"]["read"]) if "BilledCost" in row["sums"] else "",
        )
        for row in files
    )
    blocks: list[Block] = [Table("Files", columns, cells)]
    problems = [f"{PurePath(row['file']).name}: {problem}" for row in files for problem in row["problems"]]
    if problems:
        blocks.append(Notes("Quarantined (all: groundplan finops quarantine)", tuple(problems), Tone.WARN))
    if refused:
        items = tuple(f"{row['what']}; {row['mend']}" for row in refused)
        blocks.append(Notes("Refused", items, Tone.BAD))
    tone = Tone.WARN if refused or result["quarantined"] else Tone.GOOD
    return Document(result["schema"], "Import", headline, tone, tuple(blocks), footer(result, predicts=False))


def _total(result: Mapping[str, Any]) -> Document:
    amount = money(result["total"], result["currency"])
    facts = Facts(
        "",
        (
            Fact(result["column"], amount, f"exactly {result['total']} {result['currency']}"),
            Fact("Charges", f"{result['rows']:,}"),
            Fact("Quarantined", f"{result['quarantined']:,}", "not in the sum"),
        ),
    )
    columns = (Column("provider"), Column(result["column"], right=True), Column("charges", right=True))
    cells = tuple(
        (row["provider"], money(row["cost"], result["currency"]), f"{row['charges']:,}")
        for row in result["by_provider"]
    )
    headline = f"{amount} over {result['rows']:,} charges"
    table = Table("By provider", columns, cells)
    return Document(result["schema"], "Total", headline, Tone.PLAIN, (facts, table), footer(result, predicts=False))


def _quarantine(result: Mapping[str, Any]) -> Document:
    found = result["rows"]
    columns = (Column("file"), Column("dataset", detail=True), Column("problem"), Column("row", detail=True))
    cells = tuple((PurePath(row["file"]).name, row["dataset"], row["problem"], row["raw"] or "") for row in found)
    headline = f"{_rows(len(found))} quarantined" if found else "Nothing is quarantined"
    blocks = (Table("Rows that did not fit", columns, cells, brief_rows=20),) if found else ()
    return Document(
        result["schema"],
        "Quarantine",
        headline,
        Tone.WARN if found else Tone.GOOD,
        blocks,
        footer(result, predicts=False),
    )


def _rows(count: int) -> str:
    return f"{count:,} row{'s' if count != 1 else ''}"
