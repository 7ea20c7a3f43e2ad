"""A document for a terminal: at most 100 columns, colour only where the caller says there is a terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text
from rich.tree import Tree as Branch

from groundplan.quantities import format_percent
from groundplan.render.document import (
    Block,
    Breakdown,
    Chart,
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

WIDTH = 100
WIDE = 400
BAR = 24
LONGEST_NUMBER = 24
LONGEST_VALUE = 34  # of a value that leaves room for a note beside it
STYLE = {Tone.GOOD: "green", Tone.BAD: "red", Tone.WARN: "yellow", Tone.PLAIN: ""}


def write(document: Document, *, wide: bool = False, colour: bool = False, width: int = WIDTH) -> str:
    """Return the document as text.

    Parameters
    ----------
    document : Document
    wide : bool
        Show every column and row, as wide as they are.
    colour : bool
        Write ANSI colours.
    width : int
        Columns of the terminal; at most 100 of them are used unless `wide`.
    """
    sheet = io.StringIO()
    console = Console(
        file=sheet,
        width=WIDE if wide else min(WIDTH, width),
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    console.print(_text(document.headline, "bold " + STYLE[document.tone]))
    for block in document.blocks:
        shown = _block(block, wide)
        if shown is None:
            continue
        title = getattr(block, "title", "")
        console.print()
        if title:
            console.print(_text(title, "bold"))
        console.print(shown)
    if document.footer:
        console.print()
        console.print(_text(document.footer, "dim"))
    return "\n".join(line.rstrip() for line in sheet.getvalue().splitlines()) + "\n"


def _text(text: str, style: str = "") -> Text:
    """Return plain text: nothing in it is markup or moves the cursor."""
    return Text(one_line(text), style=style.strip())


def _block(block: Block, wide: bool) -> RenderableType | None:
    if isinstance(block, Facts):
        return _facts(block)
    if isinstance(block, Breakdown):
        return _breakdown(block)
    if isinstance(block, Table):
        return _table(block, wide)
    if isinstance(block, Notes):
        return Padding(Group(*(_bullet(item, STYLE[block.tone]) for item in block.items)), (0, 0, 0, 2))
    if isinstance(block, Tree):
        return _branch(block.root, None)
    if isinstance(block, Flow):
        return _flow(block)
    assert isinstance(block, Chart)
    return None


def _flow(block: Flow) -> Grid:
    """Return a line a station: its name, what it is, what goes on to the next."""
    grid = Grid(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for stage, arrow in zip(block.stages, (*block.arrows, ""), strict=True):
        style = STYLE[Tone.WARN if stage.limits else Tone.PLAIN]
        grid.add_row(
            _text(stage.name, style), _text(", ".join(stage.lines), style), _text(arrow and f"-> {arrow}", "dim")
        )
    return grid


def _bullet(item: str, style: str) -> Grid:
    grid = Grid.grid(padding=(0, 1))
    grid.add_column()
    grid.add_column()
    grid.add_row(_text("-", style), _text(item, style))
    return grid


def _facts(block: Facts) -> Grid:
    """Return labels, values and notes as columns; notes follow their values in one column where values are long."""
    grid = Grid(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(min_width=16)
    grid.add_column(overflow="fold")
    together = any(len(fact.value) > LONGEST_VALUE for fact in block.rows)
    if not together:
        grid.add_column(overflow="fold")
    for fact in block.rows:
        value, note = _text(fact.value, STYLE[fact.tone]), _text(fact.note, "dim")
        said = [Text("; ").join([value, note]) if fact.note else value] if together else [value, note]
        grid.add_row(_text("  " + fact.label), *said)
    return grid


def _breakdown(block: Breakdown) -> Grid:
    grid = Grid(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(min_width=28, overflow="fold")
    grid.add_column(justify="right", min_width=12)
    grid.add_column(justify="right", min_width=7)
    grid.add_column()
    for part in block.parts:
        share = "" if part.share is None else format_percent(part.share)
        grid.add_row(_text("  " + part.name), _text(part.text), _text(share), _text(_bar(part.share), "cyan"))
    grid.add_row(_text("  total", "bold"), _text(block.total.partition(" (")[0], "bold"), "", _text(_rest(block.total)))
    return grid


def _rest(total: str) -> str:
    interval = total.partition(" (")[2]
    return f"({interval}" if interval else ""


def _bar(share: float | None) -> str:
    cells = 0.0 if share is None else max(0.0, min(1.0, share)) * BAR
    return "█" * int(cells) + ("▌" if cells - int(cells) >= 0.5 else "")


def _table(block: Table, wide: bool) -> RenderableType:
    kept = [index for index, column in enumerate(block.columns) if wide or not column.detail]
    shown = block.rows if wide or block.brief_rows is None else block.rows[: block.brief_rows]
    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1), header_style="dim")
    for index in kept:
        column = block.columns[index]
        grid.add_column(
            _text(column.name),
            justify="right" if column.right else "left",
            no_wrap=column.right and _widest(block, index) <= LONGEST_NUMBER,
            overflow="fold",
            min_width=min(_widest(block, index), 14),
        )
    for row in shown:
        grid.add_row(*(_text(row[index]) for index in kept))
    if block.total:
        grid.add_row(*(_text(block.total[index], "bold") for index in kept))
    left = len(block.rows) - len(shown)
    hidden = len(block.columns) - len(kept)
    more = " and ".join(part for part in (_more(left, "row"), _more(hidden, "column")) if part)
    body: Sequence[RenderableType] = [grid, _text(f"{more}: --wide", "dim")] if more else [grid]
    return Padding(Group(*body), (0, 0, 0, 2))


def _more(count: int, noun: str) -> str:
    return f"{count} more {noun}{'s' if count > 1 else ''}" if count else ""


def _widest(block: Table, index: int) -> int:
    return max([len(block.columns[index].name), *(len(row[index]) for row in block.rows)])


def _branch(node: Node, parent: Branch | None) -> Branch:
    label = Group(_text(node.text), *(_text(detail, "dim") for detail in node.details))
    branch = Branch(label) if parent is None else parent.add(label)
    for child in node.children:
        _branch(child, branch)
    return branch
