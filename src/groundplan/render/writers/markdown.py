"""A document as GitHub Markdown. Charts are left out: the tables carry the same numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from groundplan.quantities import format_percent
from groundplan.render.document import (
    Block,
    Breakdown,
    Chart,
    Column,
    Document,
    Facts,
    Flow,
    Node,
    Notes,
    Table,
    Tone,
    Tree,
    one_line,
)

MARK = {Tone.GOOD: "✅ ", Tone.BAD: "❌ ", Tone.WARN: "⚠️ ", Tone.PLAIN: ""}
SPECIAL = re.compile(r"([\\`*\[\]|~#@]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")  # snake_case needs no escape


def write(document: Document) -> str:
    """Return the document as Markdown; every text in it is escaped."""
    lines = [f"<!-- {document.schema} -->", f"# {escape(document.title)}", ""]
    lines += [f"**{MARK[document.tone]}{escape(document.headline)}**", ""]
    for block in document.blocks:
        lines += _block(block)
    if document.footer:
        lines += [f"<sub>{escape(document.footer)}</sub>", ""]
    return "\n".join(lines)


def escape(text: str) -> str:
    """Make text plain in Markdown and in the HTML that Markdown lets through, on one line.

    >>> escape("a|b <i>*x*</i>")
    'a\\\\|b &lt;i&gt;\\\\*x\\\\*&lt;/i&gt;'
    """
    html_safe = " ".join(one_line(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SPECIAL.sub(r"\\\1", html_safe)


def _block(block: Block) -> list[str]:
    if isinstance(block, Facts):
        rows = [(fact.label, MARK[fact.tone] + fact.value, fact.note) for fact in block.rows]
        return [*_heading(block.title), *_table((Column(""), Column(""), Column("")), rows), ""]
    if isinstance(block, Table):
        lines = [*_heading(block.title), *_table(block.columns, block.rows)]
        return [*lines, *([_row(block.total, bold=True)] if block.total else []), ""]
    if isinstance(block, Breakdown):
        parts = [(part.name, part.text, format_percent(part.share)) for part in block.parts]
        columns = (Column("term"), Column("value", right=True), Column("share", right=True))
        return [*_heading(block.title), *_table(columns, parts), _row(("total", block.total, ""), bold=True), ""]
    if isinstance(block, Notes):
        return [*_heading(block.title), *(f"- {MARK[block.tone]}{escape(item)}" for item in block.items), ""]
    if isinstance(block, Tree):
        return [*_heading(block.title), *_nodes(block.root, 0), ""]
    if isinstance(block, Flow):
        pairs = zip(block.stages, (*block.arrows, ""), strict=True)
        rows = [(stage.name, ", ".join(stage.lines), arrow) for stage, arrow in pairs]
        return [*_heading(block.title), *_table((Column("station"), Column("what"), Column("passes on")), rows), ""]
    assert isinstance(block, Chart)
    return []


def _heading(title: str) -> list[str]:
    return [f"## {escape(title)}", ""] if title else []


def _table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row([column.name for column in columns])
    yield "|" + "|".join(" ---: " if column.right else " --- " for column in columns) + "|"
    for row in rows:
        yield _row(row)


def _row(cells: Sequence[str], bold: bool = False) -> str:
    shown = [escape(cell) for cell in cells]
    if bold:
        shown = [f"**{cell}**" if cell else "" for cell in shown]
    return "| " + " | ".join(shown) + " |"


def _nodes(node: Node, depth: int) -> Iterator[str]:
    indent = "  " * depth
    yield f"{indent}- {escape(node.text)}"
    for detail in node.details:
        yield f"{indent}  <br>{escape(detail)}"
    for child in node.children:
        yield from _nodes(child, depth + 1)
