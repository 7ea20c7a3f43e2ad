"""The questions as tools of the Model Context Protocol, so that an assistant plans with real numbers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import mcp.types as mcp
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from pydantic import BaseModel, ValidationError
from pydantic import Field as Described

from groundplan import __version__
from groundplan.catalog.catalog import Catalog, load_catalog
from groundplan.errors import GroundplanError
from groundplan.questions.question import Question
from groundplan.tasks.catalog import KINDS, catalog_list, catalog_show
from groundplan.web.planning import plan_of
from groundplan.web.requests import Body, PlanBody, ask_by_request, body_of
from groundplan.web.site import QUESTIONS

INSTRUCTIONS = (
    "Groundplan answers questions about machine-learning infrastructure: does a model fit, how long a run takes, what "
    "it costs, what network, storage and checkpoints it needs, how fast a service answers. Predictions carry 80 % "
    "intervals; quote them. Quantities are numbers in base units (bytes, seconds, USD) or text with units. What is "
    "unknown is null."
)
LEFT_OUT = ("explain", "course")  # long parts of an answer that an assistant can ask for by the API


class CatalogBody(Body):
    """What to look up in the catalog."""

    kind: str = Described(description=f"One of {', '.join(KINDS)}.")
    name: str | None = Described(default=None, description="One row in full, with the source of each number.")
    search: str | None = Described(default=None, description="Only rows with this text.")


Ask = Callable[[BaseModel], Mapping[str, Any]]


def tools(catalog: Catalog) -> dict[str, tuple[mcp.Tool, type[BaseModel], Ask]]:
    """Return name -> tool, the model of its arguments, and what answers it."""
    found = {question.name: _tool(question, catalog) for question in QUESTIONS}

    def plan(body: BaseModel) -> Mapping[str, Any]:
        assert isinstance(body, PlanBody)
        return plan_of(body.values(), catalog)

    def look_up(body: BaseModel) -> Mapping[str, Any]:
        assert isinstance(body, CatalogBody)
        if body.name is None:
            return catalog_list(catalog, body.kind, body.search).to_dict()
        names = catalog.models if body.kind == "models" else None
        name = body.name if names is None or body.name in names else body.name.replace("/", " ").strip(".~ ")
        return catalog_show(catalog, name, body.kind).to_dict()

    found["plan"] = _described("plan", "One brief in, a costed and checked plan out.", PlanBody), PlanBody, plan
    found["catalog"] = (
        _described("catalog", "What exists, with the source of each number.", CatalogBody),
        CatalogBody,
        look_up,
    )
    return found


def _tool(question: Question, catalog: Catalog) -> tuple[mcp.Tool, type[BaseModel], Ask]:
    model = body_of(question)
    told = " ".join(filter(None, (question.summary, question.details)))
    return _described(question.name, told, model), model, lambda body: ask_by_request(question, body, catalog)


def _described(name: str, told: str, model: type[BaseModel]) -> mcp.Tool:
    return mcp.Tool(name=name, description=told, input_schema=model.model_json_schema())


def server() -> Server[Any]:
    """Return the server with all tools."""
    known = tools(load_catalog())

    async def listed(context: Any, params: Any) -> mcp.ListToolsResult:
        return mcp.ListToolsResult(tools=[tool for tool, _, _ in known.values()])

    async def called(context: Any, params: mcp.CallToolRequestParams) -> mcp.CallToolResult:
        if params.name not in known:
            return _said(f"unknown tool {params.name!r}; there are {', '.join(known)}", is_error=True)
        _, model, ask = known[params.name]
        try:
            answer = await anyio.to_thread.run_sync(lambda: ask(model.model_validate(params.arguments or {})))
        except ValidationError as error:
            wrong = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            return _said("; ".join(wrong), is_error=True)
        except GroundplanError as error:
            return _said(". ".join(filter(None, (error.what, error.mend))), is_error=True)
        short = {key: value for key, value in answer.items() if key not in LEFT_OUT}
        return _said(json.dumps(short, ensure_ascii=False), is_error=False)

    return Server(
        "groundplan", version=__version__, instructions=INSTRUCTIONS, on_list_tools=listed, on_call_tool=called
    )


def _said(text: str, *, is_error: bool) -> mcp.CallToolResult:
    return mcp.CallToolResult(content=[mcp.TextContent(type="text", text=text)], is_error=is_error)


def serve_stdio() -> None:
    """Answer on standard input and output until they close."""

    async def run() -> None:
        own = server()
        async with stdio_server() as (read, write):
            await own.run(read, write, own.create_initialization_options())

    anyio.run(run)


def serve_http(host: str, port: int) -> None:
    """Answer at ``http://HOST:PORT/mcp`` until a signal says to stop."""
    import uvicorn

    print(f"Groundplan for assistants on http://{host}:{port}/mcp", file=sys.stderr, flush=True)
    app = server().streamable_http_app(host=host, stateless_http=True, json_response=True)
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)
