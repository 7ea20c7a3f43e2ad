"""A document as one self-contained HTML page: its style and charts are in it, it asks the network for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files

from groundplan.errors import MissingExtra
from groundplan.quantities import format_percent
from groundplan.render import charts
from groundplan.render.document import Breakdown, Chart, Document, Facts, Flow, Node, Notes, Table, Tree
from groundplan.render.writers import flow_svg
from groundplan.render.writers.escaping import escaped


def write(document: Document) -> str:
    """Return the page; every text of the document is escaped."""
    style = files("groundplan.render.writers").joinpath("page.css").read_text(encoding="utf-8")
    tone = f" {document.tone.value}" if document.tone else ""
    body = "\n".join(blocks(document, _figure))
    return (
        "<!DOCTYPE html>\n"
        f"<!-- {escaped(document.schema)} -->\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="generator" content="groundplan">\n'
        f"<title>{escaped(document.title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{escaped(document.title)}</h1>\n<p class="headline{tone}">{escaped(document.headline)}</p>\n'
        f"{body}\n</main>\n<footer>{escaped(document.footer)}</footer>\n</body>\n</html>\n"
    )


def blocks(document: Document, figure: Callable[[Chart, str], str]) -> Iterator[str]:
    """Yield the blocks of a document as HTML, every text escaped, without styles or scripts of their own.

    Parameters
    ----------
    document : Document
    figure : callable
        (chart, a name no other chart of the document has) -> its HTML.
    """
    missing = ""
    for index, block in enumerate(document.blocks):
        if isinstance(block, Chart):
            try:
                yield figure(block, f"chart{index}")
            except MissingExtra as error:
                missing = f"{error.what}: {error.mend}"
            continue
        if block.title:
            yield f"<h2>{escaped(block.title)}</h2>"
        yield _block(block)
    if missing:
        yield f'<p class="warn">{escaped(missing)}</p>'


def _figure(chart: Chart, name: str) -> str:
    return f"<figure>\n<figcaption>{escaped(chart.title)}</figcaption>\n{charts.svg(chart, name)}\n</figure>"


def _block(block: Facts | Table | Breakdown | Notes | Tree | Flow) -> str:
    if isinstance(block, Flow):
        return flow_svg.write(block)
    if isinstance(block, Facts):
        return _facts(block)
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Breakdown):
        return _breakdown(block)
    if isinstance(block, Notes):
        items = "\n".join(f"<li>{escaped(item)}</li>" for item in block.items)
        return f'<ul class="{block.tone.value or "notes"}">\n{items}\n</ul>'
    return f'<ul class="tree">\n{_node(block.root)}\n</ul>'


def _facts(block: Facts) -> str:
    rows = "\n".join(
        f'<tr><th scope="row">{escaped(fact.label)}</th><td class="{fact.tone.value}">{escaped(fact.value)}</td>'
        f'<td class="note">{escaped(fact.note)}</td></tr>'
        for fact in block.rows
    )
    return f'<div class="scroll" tabindex="0"><table class="facts"><tbody>\n{rows}\n</tbody></table></div>'


def _table(block: Table) -> str:
    kinds = [' class="number"' if column.right else "" for column in block.columns]
    names = (column.name for column in block.columns)
    head = "".join(f'<th scope="col"{kind}>{escaped(name)}</th>' for name, kind in zip(names, kinds, strict=True))
    rows = [f"<tr>{_cells(row, kinds)}</tr>" for row in block.rows]
    if block.total:
        rows.append(f'<tr class="total">{_cells(block.total, kinds)}</tr>')
    return _framed(head, "\n".join(rows))


def _cells(row: tuple[str, ...], kinds: list[str]) -> str:
    return "".join(f"<td{kind}>{escaped(cell)}</td>" for cell, kind in zip(row, kinds, strict=True))


def _breakdown(block: Breakdown) -> str:
    rows = []
    for part in block.parts:
        share = "" if part.share is None else format_percent(part.share)
        length = 100.0 * max(0.0, min(1.0, part.share or 0.0))
        bar = f'<svg aria-hidden="true"><rect width="{length:.2f}%" height="100%" rx="2"/></svg>'
        cells = f'<td class="number">{escaped(part.text)}</td><td class="number">{escaped(share)}</td>'
        rows.append(f'<tr><td>{escaped(part.name)}</td>{cells}<td class="bar">{bar}</td></tr>')
    rows.append(
        f'<tr class="total"><td>total</td><td class="number">{escaped(block.total)}</td><td></td><td></td></tr>'
    )
    head = '<th scope="col">term</th><th scope="col" class="number">value</th><th scope="col" class="number">share</th>'
    return _framed(head + "<td></td>", "\n".join(rows))


def _framed(head: str, rows: str) -> str:
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></div>'
    )


def _node(node: Node) -> str:
    details = "".join(f'<div class="details">{escaped(detail)}</div>' for detail in node.details)
    children = "\n".join(_node(child) for child in node.children)
    return f"<li>{escaped(node.text)}{details}{f'<ul>{children}</ul>' if children else ''}</li>"
