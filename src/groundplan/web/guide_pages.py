"""The guide: our text with live calculators inside, a glossary, and a search over both."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cached_property, partial
from html import escape
from importlib.resources import files
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from groundplan.errors import GroundplanError, InputError, UnknownName
from groundplan.questions.question import Question
from groundplan.render.views import document_of
from groundplan.web.asking import command_line
from groundplan.web.forms import label_of
from groundplan.web.site import QUESTIONS, Site, query_of

HERE = "/guide"
NUMBER = re.compile(r"^\d+-")
AROUND = 90  # letters of a text around what was searched


@dataclass(frozen=True, slots=True)
class Section:
    """One section: its name in addresses, its title, its Markdown."""

    name: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Live:
    """A question inside the text, with its answer's first line."""

    question: Question
    values: dict[str, str]
    said: str
    is_error: bool

    @property
    def inputs(self) -> list[tuple[str, str, str]]:
        """Key, label and value of what can be changed in place."""
        return [(key, label_of(self.question.field(key)), value) for key, value in self.values.items()]

    @property
    def command(self) -> str:
        """The command that asks the same."""
        return command_line(self.question, self.values)

    @property
    def query(self) -> str:
        """The same as the query of an address."""
        return query_of(self.values)


class Guide:
    """All sections, in reading order."""

    @cached_property
    def sections(self) -> dict[str, Section]:
        """Name -> section."""
        found = {}
        for place in sorted(files("groundplan.web").joinpath("guide").iterdir(), key=lambda place: place.name):
            name, text = NUMBER.sub("", place.name.removesuffix(".md")), place.read_text(encoding="utf-8")
            found[name] = Section(name, text.partition("\n")[0].removeprefix("# "), text)
        return found

    def section(self, name: str) -> Section:
        """Return a section.

        Raises
        ------
        UnknownName
            There is none of that name.
        """
        if name not in self.sections:
            raise UnknownName("section", name, self.sections)
        return self.sections[name]

    def found(self, words: str) -> list[tuple[Section, str]]:
        """Return sections that hold all words, with the text around the first."""
        wanted = words.lower().split()
        hits = []
        for section in self.sections.values():
            plain = re.sub(r"[*`#>|]+", " ", section.text)
            if wanted and all(word in plain.lower() for word in wanted):
                at = plain.lower().index(wanted[0])
                around = " ".join(plain[max(0, at - AROUND) : at + AROUND].split())
                hits.append((section, around))
        return hits


def routes(site: Site) -> list[BaseRoute]:
    """Return the routes of the guide."""
    guide = Guide()
    return [
        Route(HERE, partial(_first, guide)),
        Route(f"{HERE}/search", partial(_search, site, guide)),
        Route(f"{HERE}/{{name}}", partial(_section, site, guide)),
    ]


def asked_in(line: str) -> tuple[Question, dict[str, str]]:
    """Return the question and the values of a command line as the text has it.

    Raises
    ------
    InputError, UnknownName
        It asks no question, or with flags that there are not.
    """
    name, *words = shlex.split(line)
    by_name = {question.name: question for question in QUESTIONS}
    if name not in by_name:
        raise UnknownName("question", name, by_name)
    question, values = by_name[name], {}
    rest = iter(words)
    for flag in rest:
        pair = next((field for field in question.fields if field.is_pair and flag in field.flag.split("/")), None)
        if pair is not None:
            values[pair.key] = pair.choices[pair.flag.split("/").index(flag)]
            continue
        if not flag.startswith("--"):
            raise InputError(f"{flag!r} is no flag", "write --key value")
        field = question.field(flag.removeprefix("--"))
        values[field.key] = "yes" if field.is_switch else next(rest, "")
    return question, values


def html_of(section: Section, site: Site) -> Markup:
    """Return a section as HTML; a fenced block `ask` becomes a live calculator."""
    marked = MarkdownIt("commonmark", {"html": False}).enable("table")

    def fence(renderer: RendererHTML, tokens: Any, index: int, options: Any, env: Any) -> str:
        token = tokens[index]
        if token.info.strip() != "ask":
            return f"<pre><code>{escape(token.content)}</code></pre>\n"
        question, values = asked_in(token.content.strip())
        return site.part("live.html", live=_live(question, values, site), number=index)

    marked.add_render_rule("fence", fence)
    written = marked.render(section.text)
    return Markup(
        written.replace("<table>", '<div class="scroll" tabindex="0"><table>').replace("</table>", "</table></div>")
    )


def _live(question: Question, values: dict[str, str], site: Site) -> Live:
    try:
        document = document_of(site.answer(question, values))
    except GroundplanError as error:
        return Live(question, values, error.what, is_error=True)
    return Live(question, values, document.headline, is_error=False)


def _first(guide: Guide, request: Request) -> Response:
    return RedirectResponse(f"{HERE}/{next(iter(guide.sections))}", 303)


def _section(site: Site, guide: Guide, request: Request) -> Response:
    section = guide.section(request.path_params["name"])
    names = list(guide.sections)
    at = names.index(section.name)
    return site.html(
        "guide.html", here=HERE, title=section.title, sections=guide.sections.values(), own=section.name,
        article=html_of(section, site), before=guide.sections.get(names[at - 1]) if at else None,
        after=guide.sections.get(names[at + 1]) if at + 1 < len(names) else None, words="", hits=None,
    )  # fmt: skip


def _search(site: Site, guide: Guide, request: Request) -> Response:
    words = request.query_params.get("words", "")[:200]
    return site.html(
        "guide.html", here=HERE, title="Search", sections=guide.sections.values(), own="", article="", before=None,
        after=None, words=words, hits=guide.found(words),
    )  # fmt: skip
