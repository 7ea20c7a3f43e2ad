"""The pictures of a document in one file: its charts and what flows through the design, one under the other."""

from __future__ import annotations

import re
import struct
import zlib

from groundplan.errors import InputError
from groundplan.render import charts
from groundplan.render.document import Chart, Document, Flow
from groundplan.render.writers import flow_svg
from groundplan.render.writers.escaping import escaped

FORMS = (".svg", ".png")
INK, SOFT, LINE, BAND, WARN, PAPER = "#1b1f24", "#57606a", "#d0d7de", "#f6f8fa", "#8a5a00", "#ffffff"
STYLE = (
    f"text{{font-family:sans-serif;fill:{INK}}} .title{{font-size:15px;font-weight:600}} .flow text{{font-size:13px}} "
    f".flow .name{{font-weight:600}} .stage rect{{fill:{BAND};stroke:{LINE}}} "
    f".limits rect{{stroke:{WARN};stroke-width:2.5}} .arrow path{{fill:none;stroke:{SOFT};stroke-width:1.5}} "
    f".flow .arrow text{{text-anchor:middle;font-size:11px;fill:{SOFT}}}"
)
MARGIN, TITLE = 20, 28  # px
PER_PIXEL = 2.0  # of a PNG, for sharp print
SIGNATURE = b"\x89PNG\r\n\x1a\n"
MARK = b"Software\0groundplan"
SIZE = re.compile(r'<svg [^>]*?\bwidth="([\d.]+)"[^>]*?\bheight="([\d.]+)"')


def svg(document: Document) -> str:
    """Return all pictures of a document as one SVG.

    Raises
    ------
    InputError
        The document has none.
    MissingExtra
        Charts need what is not installed.
    """
    drawn = [(one.title, _chart(one, f"chart{index}")) if isinstance(one, Chart) else ("", _flow(one))
             for index, one in enumerate(document.blocks) if isinstance(one, Chart | Flow)]  # fmt: skip
    if not drawn:
        raise InputError("this answer has no chart", "leave --plot out, or write it with --out FILE.html")
    sizes = [tuple(map(float, found.groups())) for _, text in drawn if (found := SIZE.search(text))]
    parts, top = [], float(MARGIN)
    for (title, text), (_, height) in zip(drawn, sizes, strict=True):
        if title:
            parts.append(f'<text class="title" x="{MARGIN}" y="{top + 14:g}">{escaped(title)}</text>')
            top += TITLE
        parts.append(text.replace("<svg ", f'<svg x="{MARGIN}" y="{top:g}" ', 1))
        top += height + MARGIN
    width = max(width for width, _ in sizes) + 2 * MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{width:g}" '
        f'height="{top:g}" viewBox="0 0 {width:g} {top:g}"><!-- {document.schema} --><style>{STYLE}</style>'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>{"".join(parts)}</svg>\n'
    )


def png(document: Document) -> bytes:
    """Return all pictures of a document as one PNG that says who made it.

    Raises
    ------
    InputError, MissingExtra
        As `svg`.
    """
    text = svg(document)
    if not charts.available():
        raise charts.missing()
    import vl_convert

    drawn: bytes = vl_convert.svg_to_png(text, scale=PER_PIXEL)
    head = len(SIGNATURE) + 25  # the signature and the IHDR chunk
    chunk = b"tEXt" + MARK
    return drawn[:head] + struct.pack(">I", len(MARK)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + drawn[head:]


def _chart(chart: Chart, name: str) -> str:
    return charts.svg(chart, name).replace(charts.INK, INK)


def _flow(flow: Flow) -> str:
    text = flow_svg.write(flow)
    return text[text.index("<svg ") : text.rindex("</svg>") + len("</svg>")]
