"""The questions as tools of the Model Context Protocol, so that an assistant plans with real numbers."""

from __future__ import annotations

import json
import sys
from typing import Any

import anyio
import mcp.types as mcp
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from pydantic import ValidationError

from groundplan import __version__
from groundplan.catalog.catalog import load_catalog
from groundplan.errors import GroundplanError
from groundplan.web.operations import Ground, Operation, operations

INSTRUCTIONS = (
    "Groundplan answers questions about machine-learning infrastructure: does a model fit, how long a run takes, what "
    "it costs, what network, storage and checkpoints it needs, how fast a service answers. Predictions carry 80 % "
    "intervals; quote them. Quantities are numbers in base units (bytes, seconds, USD) or text with units. What is "
    "unknown is null."
)
LEFT_OUT = ("explain", "course")  # long parts of an answer that an assistant can ask for by the API


def tools(lake: str | None) -> dict[str, tuple[mcp.Tool, Operation]]:
    """Return name -> tool and the operation that answers it; those of the accounts where there are any."""
    return {name.replace("/", "-"): (_tool(one), one) for name, one in operations().items() if lake or not one.of_lake}


def _tool(one: Operation) -> mcp.Tool:
    told = " ".join(filter(None, (one.summary, one.details)))
    return mcp.Tool(name=one.name.replace("/", "-"), description=told, input_schema=one.body.model_json_schema())


def server(lake: str | None) -> Server[Any]:
    """Return the server with all tools."""
    known, ground = tools(lake), Ground(load_catalog(), lake)

    async def listed(context: Any, params: Any) -> mcp.ListToolsResult:
        return mcp.ListToolsResult(tools=[tool for tool, _ in known.values()])

    async def called(context: Any, params: mcp.CallToolRequestParams) -> mcp.CallToolResult:
        if params.name not in known:
            return _said(f"unknown tool {params.name!r}; there are {', '.join(known)}", is_error=True)
        one = known[params.name][1]
        try:
            answer = await anyio.to_thread.run_sync(
                lambda: one.ask(ground, one.body.model_validate(params.arguments or {}))
            )
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


def serve_stdio(lake: str | None) -> None:
    """Answer on standard input and output until they close."""

    async def run() -> None:
        own = server(lake)
        async with stdio_server() as (read, write):
            await own.run(read, write, own.create_initialization_options())

    anyio.run(run)


def serve_http(host: str, port: int, lake: str | None) -> None:
    """Answer at ``http://HOST:PORT/mcp`` until a signal says to stop."""
    import uvicorn

    print(f"Groundplan for assistants on http://{host}:{port}/mcp", file=sys.stderr, flush=True)
    app = server(lake).streamable_http_app(host=host, stateless_http=True, json_response=True)
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)
