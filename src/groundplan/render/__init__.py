"""One result, many forms: a view turns the JSON contract into a document, a writer turns a document into text.

>>> from groundplan.render import render
>>> print(render({"schema": "groundplan/diff/1", "rows": []}, "table").splitlines()[0])
No differences
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.errors import UnknownName

FORMATS = ("table", "json", "csv", "md", "html")


def render(
    result: Mapping[str, Any], form: str = "table", *, wide: bool = False, colour: bool = False, width: int = 100
) -> str:
    """Return a result in one of the five forms.

    Parameters
    ----------
    result : mapping
        The JSON contract, as `to_dict()` gives it or as a saved file holds it.
    form : str
        ``table`` (for a terminal), ``json``, ``csv``, ``md`` or ``html``.
    wide, colour, width
        Of the table only: every column and row; ANSI colours; columns of the terminal.

    Raises
    ------
    UnknownName, InputError
        When the form is none of the five, or the mapping no result of Groundplan.
    """
    if form == "json":
        from groundplan.render.writers import json

        return json.write(result)
    if form == "csv":
        from groundplan.render.writers import csv

        return csv.write(result)
    if form not in FORMATS:
        raise UnknownName("format", form, FORMATS)
    from groundplan.render.views import document_of

    document = document_of(result)
    if form == "md":
        from groundplan.render.writers import markdown

        return markdown.write(document)
    if form == "html":
        from groundplan.render.writers import html

        return html.write(document)
    from groundplan.render.writers import terminal

    return terminal.write(document, wide=wide, colour=colour, width=width)
