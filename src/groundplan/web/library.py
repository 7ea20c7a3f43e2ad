"""The catalog and the accuracy of predictions, as pages."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError, UnknownName
from groundplan.render.document import Document, Table
from groundplan.render.views import document_of
from groundplan.tasks.catalog import KINDS, catalog_list, catalog_show
from groundplan.tasks.validate import validate_memory, validate_training
from groundplan.tasks.validate_serving import validate_serving
from groundplan.web.site import Site, blocks_of

CATALOG, ACCURACY = "/catalog", "/accuracy"
PROOFS: dict[str, Callable[[Catalog], Any]] = {
    "training": validate_training,
    "memory": validate_memory,
    "serving": validate_serving,
}


def routes(site: Site) -> list[BaseRoute]:
    """Return the routes of the catalog and of the accuracy."""
    proofs = cache(partial(_proof, site.catalog))
    return [
        Route(CATALOG, partial(_listing, site)),
        Route(f"{CATALOG}/{{kind}}", partial(_listing, site)),
        Route(f"{CATALOG}/{{kind}}/{{name:path}}", partial(_row, site)),
        Route(ACCURACY, partial(_accuracy, site, proofs)),
        Route(f"{ACCURACY}/{{what}}", partial(_accuracy, site, proofs)),
        Route(f"{ACCURACY}/{{what}}/chart/{{name}}", partial(_chart, proofs)),
    ]


def _listing(site: Site, request: Request) -> Response:
    kind, text = request.path_params.get("kind"), request.query_params.get("search", "").strip()
    document = document_of(catalog_list(site.catalog, kind, text or None).to_dict())
    table = next((block for block in document.blocks if isinstance(block, Table)), None)
    linked = f"{CATALOG}/{kind}" if kind else CATALOG
    return site.html(
        "catalog.html", here=CATALOG, title="Catalog", kinds=KINDS, kind=kind, search=text, table=table, linked=linked,
        headline=document.headline, links=kind not in ("prices", "storage_prices"),
    )  # fmt: skip


def _row(site: Site, request: Request) -> Response:
    kind, name = request.path_params["kind"], request.path_params["name"]
    if kind == "models" and name not in site.catalog.models:  # a name that may be a path is asked of no file
        raise UnknownName("model", name, site.catalog.models)
    if kind not in KINDS:
        raise UnknownName("kind", kind, KINDS)
    document = document_of(catalog_show(site.catalog, _plain(name), kind).to_dict())
    return site.document(document, here=CATALOG, back=f"{CATALOG}/{kind}")


def _plain(name: str) -> str:
    if name.endswith(".json") or name.startswith((".", "/", "~")):
        raise InputError("that is a path, and no name of the catalog", "choose a name from the list")
    return name


def _proof(catalog: Catalog, what: str) -> Document:
    return document_of(PROOFS[what](catalog).to_dict())


def _accuracy(site: Site, proofs: Callable[[str], Document], request: Request) -> Response:
    what = _what(request)
    document = proofs(what)
    return site.html(
        "accuracy.html", here=ACCURACY, title="Accuracy", what=what, proofs=list(PROOFS), document=document,
        blocks=blocks_of(document, f"{ACCURACY}/{what}", ""),
    )  # fmt: skip


def _chart(proofs: Callable[[str], Document], request: Request) -> Response:
    from groundplan.web.pages import chart_of

    return chart_of(proofs(_what(request)), request.path_params["name"])


def _what(request: Request) -> str:
    what = str(request.path_params.get("what", "training"))
    if what not in PROOFS:
        raise UnknownName("proof", what, PROOFS)
    return what
