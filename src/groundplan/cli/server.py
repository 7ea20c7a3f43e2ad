"""The servers: pages and the API."""

from __future__ import annotations

from typing import Annotated

import typer

from groundplan.errors import MissingExtra


def server(
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="PORT", help="0 takes a free one.", min=0, max=65535)] = 8700,
    workers: Annotated[int, typer.Option("--workers", metavar="N", help="Processes that answer.", min=1)] = 1,
    lake: Annotated[str | None, typer.Option("--lake", metavar="LAKE", help="Accounts to show.")] = None,
) -> None:
    """Serve the pages and the API.

    On this machine's own address anyone here may ask. Stop it with Ctrl-C.
    """
    try:
        from groundplan.web.serving import Settings, serve
    except ImportError as error:
        raise MissingExtra("the web server", "server") from error
    serve(Settings(host, port, workers, lake))


def mcp(
    http: Annotated[bool, typer.Option("--http", help="Listen on this machine in place of standard input.")] = False,
    port: Annotated[int, typer.Option("--port", metavar="PORT", help="Of --http.", min=1, max=65535)] = 8701,
) -> None:
    """Give assistants the questions as tools (Model Context Protocol).

    On standard input and output, as assistants start it, or over HTTP at /mcp.
    """
    try:
        from groundplan.web.assistant import serve_http, serve_stdio
    except ImportError as error:
        raise MissingExtra("the server for assistants", "mcp") from error
    if http:
        serve_http("127.0.0.1", port)
    else:
        serve_stdio()
