"""The servers: pages and the API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundplan.errors import MissingExtra


def server(
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="PORT", help="0 takes a free one.", min=0, max=65535)] = 8700,
    workers: Annotated[int, typer.Option("--workers", metavar="N", help="Processes that answer.", min=1)] = 1,
    lake: Annotated[str | None, typer.Option("--lake", metavar="LAKE", help="Accounts to show.")] = None,
    tokens: Annotated[str | None, typer.Option("--tokens", metavar="FILE", help="Who may ask; see token add.")] = None,
    oidc: Annotated[
        str | None, typer.Option("--oidc", metavar="FILE", help="Provider that people log in with.")
    ] = None,
    budgets: Annotated[
        str | None, typer.Option("--budgets", metavar="YAML", help="Budgets to show; see finops check.")
    ] = None,
    audit: Annotated[str | None, typer.Option("--audit", metavar="FILE", help="Log of who asked what.")] = None,
    jobs: Annotated[str | None, typer.Option("--jobs", metavar="DIR", help="Keeps long questions.")] = None,
) -> None:
    """Serve the pages and the API.

    On this machine's own address anyone here may ask; on any other only who has a token. Stop it with Ctrl-C.
    """
    try:
        from groundplan.web.serving import Settings, serve
    except ImportError as error:
        raise MissingExtra("the web server", "server") from error
    serve(Settings(host, port, workers, lake, tokens, audit, jobs, oidc, budgets))


def mcp(
    http: Annotated[bool, typer.Option("--http", help="Listen on this machine in place of standard input.")] = False,
    port: Annotated[int, typer.Option("--port", metavar="PORT", help="Of --http.", min=1, max=65535)] = 8701,
    lake: Annotated[str | None, typer.Option("--lake", metavar="LAKE", help="Accounts to answer from.")] = None,
) -> None:
    """Give assistants the questions as tools (MCP).

    On standard input and output, as assistants start it, or over HTTP at /mcp.
    """
    try:
        from groundplan.web.assistant import serve_http, serve_stdio
    except ImportError as error:
        raise MissingExtra("the server for assistants", "mcp") from error
    if http:
        serve_http("127.0.0.1", port, lake)
    else:
        serve_stdio(lake)


TokenFile = Annotated[Path, typer.Option("--tokens", metavar="FILE", help="File of tokens; only hashes are kept.")]


def token_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is, or what for.")],
    tokens: TokenFile,
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="viewer, editor or admin.")] = "viewer",
    team: Annotated[list[str] | None, typer.Option("--team", metavar="TEAM", help="Whose accounts it sees.")] = None,
    days: Annotated[float, typer.Option("--days", metavar="N", help="Until it expires.")] = 90.0,
) -> None:
    """Make a token and print it; it is shown this once."""
    from groundplan.web.access.tokens import add_token

    typer.echo(add_token(tokens, name, role, team or [], days))


def token_revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the token.")],
    tokens: TokenFile,
) -> None:
    """Take a token back; a running server knows within seconds."""
    from groundplan.web.access.tokens import revoke_token

    revoke_token(tokens, name)
