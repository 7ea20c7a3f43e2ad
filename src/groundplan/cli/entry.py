"""The way in and the way out: run a command, turn every error into two lines and an exit code."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import cast

import typer

from groundplan.cli.app import app
from groundplan.errors import GroundplanError, InputError, UnknownName

USAGE_ERROR = cast("type[Exception]", typer.BadParameter.__mro__[1])  # of whichever click Typer brings
LONGEST_LINE = 300
EXIT_FAILURE = 1
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0 ok, 1 failure, 2 wrong request, 3 not feasible (`--exit-code`)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that knows few characters shows ? for the others
            stream.reconfigure(errors="replace")
    try:
        code = app(args=given, prog_name="groundplan", standalone_mode=False)
    except GroundplanError as error:
        return _say(error, given)
    except USAGE_ERROR as error:
        return _say(_request_error(error), given)
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    except OSError as error:
        return _say(GroundplanError(f"{error.strerror or error}: {error.filename or 'output'}"), given)
    except Exception as error:
        if os.environ.get("GROUNDPLAN_DEBUG") == "1":
            traceback.print_exc()
        where = "run it again with GROUNDPLAN_DEBUG=1 and report what it prints"
        return _say(
            GroundplanError(f"internal error: {type(error).__name__}: {error}", f"please report: {where}"), given
        )
    return code if isinstance(code, int) else 0


def _say(error: GroundplanError, given: Sequence[str]) -> int:
    """Print an error: two lines at most on standard error, and as JSON on standard output where JSON was asked for."""
    what, mend = _one_line(error.what), _one_line(error.mend)
    print(f"error: {what}", file=sys.stderr)
    if mend:
        print(f"  fix: {mend}", file=sys.stderr)
    if _wants_json(given):
        import json

        from groundplan.cli.delivery import abandon_output

        try:
            print(json.dumps({"error": {"what": what, "mend": mend}}, indent=2, ensure_ascii=False), flush=True)
        except BrokenPipeError:
            abandon_output()
    return error.exit_code


def _one_line(text: str) -> str:
    shown = " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())
    return shown if len(shown) <= LONGEST_LINE else shown[: LONGEST_LINE - 3] + "..."


def _wants_json(given: Sequence[str]) -> bool:
    pairs = zip(given, [*given[1:], ""], strict=True)
    return any(
        flag in ("--format=json", "-fjson") or (flag in ("--format", "-f") and value == "json") for flag, value in pairs
    )


def _request_error(error: Exception) -> InputError:
    """Turn a usage error of the argument parser into one of ours, with the nearest flag or command."""
    context = getattr(error, "ctx", None)
    command = getattr(context, "command", None)
    path = getattr(context, "command_path", "groundplan")
    message = str(getattr(error, "format_message", lambda: str(error))())
    if type(error).__name__ == "NoSuchOption":
        names = [name for parameter in getattr(command, "params", ()) for name in _flags(parameter)]
        return UnknownName(f"option of {path}", str(getattr(error, "option_name", "")), [*names, "--help"])
    if message.startswith("No such command"):
        return UnknownName("command", message.split("'")[1], getattr(command, "commands", {}))
    taken = [str(flag) for parameter in getattr(command, "params", ()) for flag in _flags(parameter)]
    extra = message.rpartition("(")[2].rstrip(".)") if "extra argument" in message else ""
    if "--data" in taken and extra:
        return InputError(message.rstrip("."), f"name the file with --data: {path} --data {extra.split()[0]}")
    return InputError(message.rstrip("."), f"see {path} --help")


def _flags(parameter: object) -> list[str]:
    flags = [*getattr(parameter, "opts", ()), *getattr(parameter, "secondary_opts", ())]
    return [flag for flag in flags if flag.startswith("--")]
