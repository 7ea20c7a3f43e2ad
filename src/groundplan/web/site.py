"""What every page has: the catalog, the frame around it, the files beside it."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.errors import GroundplanError
from groundplan.questions import calculators, serving
from groundplan.questions.question import Question
from groundplan.render.charts import available, bundle
from groundplan.render.document import Chart, ChartKind, Document
from groundplan.render.writers import html
from groundplan.render.writers.escaping import escaped
from groundplan.web.answers import Answers
from groundplan.web.asking import answer_to
from groundplan.web.jobs.store import Store
from groundplan.web.plans import NAME, plan_of
from groundplan.web.uploads.store import Uploads

QUESTIONS: tuple[Question, ...] = (
    calculators.MEMORY,
    calculators.TRAIN,
    serving.SERVE,
    serving.SIMULATE,
    calculators.ALLREDUCE,
    calculators.STORAGE,
    calculators.CHECKPOINT,
    calculators.COST,
)
TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
SHADES = {"light": "#1b1f24", "dark": "#e6edf3"}  # of the ink of charts
BUNDLE = "vega.js"
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages refer to; its address changes with its content."""

    content: bytes
    media_type: str

    @property
    def version(self) -> str:
        """Hash of the content."""
        return hashlib.sha256(self.content).hexdigest()[:12]


class Site:
    """The pages' frame.

    Parameters
    ----------
    catalog : Catalog
    lake : str, optional
        Where the accounts lie.
    jobs : Path
        Folder of the long questions and of the files that people send.
    budgets : Path, optional
        File of budgets that are held against the accounts.
    """

    def __init__(self, catalog: Catalog, lake: str | None, jobs: Path, budgets: Path | None = None) -> None:
        self.catalog = catalog
        self.lake = lake
        self.budgets = budgets
        self.answers = Answers(jobs)
        self.jobs = Store(jobs)
        self.uploads = Uploads(jobs)
        self._templates = Environment(
            loader=PackageLoader("groundplan.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.globals.update(
            version=__version__,
            catalog_version=catalog.version,
            site_pages=self.pages,
            static=self.address_of,
            bundle=self.bundle_address,
        )

    def answer(self, question: Question, values: Mapping[str, str]) -> Mapping[str, Any]:
        """Return the answer to a question, as `answer_to`; a chart, a report or a second reader finds it computed."""
        return self.answers.ask(question.name, values, lambda: answer_to(question, values, self.catalog, self.uploads))

    def plan(self, values: Mapping[str, str]) -> Mapping[str, Any]:
        """Return the plan of a brief, as `plan_of`; its charts and its report find it computed."""
        return self.answers.ask(NAME, values, lambda: plan_of(values, self.catalog))

    @cached_property
    def pages(self) -> tuple[tuple[str, str], ...]:
        """Path and name of the pages that every page leads to."""
        asked = tuple((f"/{question.name}", question.title) for question in QUESTIONS)
        accounts = (("/explorer", "Accounts"),) if self.lake else ()
        return (
            ("/plan", "Plan"),
            *asked,
            *accounts,
            ("/guide", "Guide"),
            ("/catalog", "Catalog"),
            ("/accuracy", "Accuracy"),
        )

    @cached_property
    def assets(self) -> Mapping[str, Asset]:
        """Name -> file."""
        places = [
            *files("groundplan.web").joinpath("static").iterdir(),
            files("groundplan.render.writers") / "page.css",
        ]
        return {
            place.name: Asset(place.read_bytes(), TYPES[place.name.rpartition(".")[2]])
            for place in places
            if place.name.rpartition(".")[2] in TYPES
        }

    @cached_property
    def _addresses(self) -> dict[str, str]:
        return {name: f"/static/{name}?v={asset.version}" for name, asset in self.assets.items()}

    def address_of(self, name: str) -> str:
        """Return the address of a file that pages refer to."""
        return self._addresses[name]

    @property
    def bundle_address(self) -> str:
        """The address of the script that draws charts; empty without what it takes."""
        return f"/static/{BUNDLE}?v={version('vl-convert-python')}" if available() else ""

    def asset(self, request: Request) -> Response:
        """Answer with a file that pages refer to."""
        name = request.path_params["name"]
        if name == BUNDLE:
            return self._bundle(request)
        asset = self.assets.get(name)
        if asset is None:
            return Response(status_code=404)
        return Response(asset.content, media_type=asset.media_type, headers={"Cache-Control": FOREVER})

    def _bundle(self, request: Request) -> Response:
        """Answer with the script that draws charts, which other pages than those with charts never ask for."""
        headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(_packed_bundle(), media_type=TYPES["js"], headers=headers | {"Content-Encoding": "gzip"})
        return Response(bundle(), media_type=TYPES["js"], headers=headers)

    def html(self, template: str, status: int = 200, **context: Any) -> HTMLResponse:
        """Return a page or a part of one."""
        return HTMLResponse(self._templates.get_template(template).render(**context), status)

    def document(
        self,
        document: Document,
        *,
        here: str,
        back: str,
        title: str = "",
        charts: str = "",
        query: str = "",
        **tools: str,
    ) -> HTMLResponse:
        """Return a document as a page.

        Parameters
        ----------
        document : Document
        here, back : str
            The page that the navigation marks, and the one to go back to.
        title : str
            In place of the document's own.
        charts, query : str
            Under which address its charts are drawn, for which query.
        **tools : str
            `command`, `report` and `json`: the same as a command, as a file, for a program.
        """
        shown: dict[str, Any] = {"command": "", "report": "", "json": "", **tools}
        blocks = blocks_of(document, charts or here, query)
        title = title or document.title
        return self.html(
            "document.html", here=here, back=back, title=title, document=document, blocks=blocks, error=None, **shown
        )

    def part(self, template: str, **context: Any) -> str:
        """Return a part of a page as text."""
        return self._templates.get_template(template).render(**context)

    def names(self, tables: tuple[str, ...]) -> dict[str, list[str]]:
        """Return table of the catalog -> the names that inputs suggest."""
        return {table: sorted(getattr(self.catalog, table)) for table in tables}


@cache
def _packed_bundle() -> bytes:
    return gzip.compress(bundle().encode())


def blocks_of(document: Document, address: str, query: str) -> Markup:
    """Return the blocks of a document as HTML; charts are pictures at ``address/chart/NAME.svg?query``."""

    def figure(chart: Chart, name: str) -> str:
        if chart.kind is ChartKind.SHARES:  # the table of the same terms has bars
            return ""
        title, source, asked = escaped(chart.title), f"{address}/chart/{name}", escaped(query)
        light, dark = (f"{source}.{shade}.svg?{asked}" for shade in SHADES)
        return (
            f'<figure data-chart="{source}" data-query="{asked}" tabindex="0"><figcaption>{title}</figcaption><picture>'
            f'<source media="(prefers-color-scheme: dark)" srcset="{dark}"><img loading="lazy" alt="" src="{light}">'
            "</picture></figure>"
        )

    return Markup("\n".join(html.blocks(document, figure)))


def query_of(values: Mapping[str, str], prefix: str = "") -> str:
    """Return values as the query of an address."""
    return urlencode({prefix + key: value for key, value in values.items()})


def status_of(error: GroundplanError) -> int:
    """Return the HTTP status of an error: the asker's, or ours."""
    return 422 if error.exit_code == 2 else 500
