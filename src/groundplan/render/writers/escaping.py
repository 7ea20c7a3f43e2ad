"""Text made safe for HTML and SVG."""

from __future__ import annotations

import html

from groundplan.render.document import one_line


def escaped(text: str) -> str:
    """Return text as HTML, on one line.

    >>> escaped("a <b>\\n")
    'a &lt;b&gt;'
    """
    return html.escape(one_line(text), quote=True)
