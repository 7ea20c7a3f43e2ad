"""The decorator that gives every command the options about delivery."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from groundplan.cli.asked import Answer, Asked
from groundplan.cli.progress import shown_progress
from groundplan.errors import InputError, UnknownName

FORMATS = ("table", "json", "csv", "md", "html")
SUFFIXES = {
    ".txt": "table",
    ".json": "json",
    ".csv": "csv",
    ".md": "md",
    ".markdown": "md",
    ".html": "html",
    ".htm": "html",
}
PICTURES = (".svg", ".png")
EXIT_NOT_OK = 3


def _shared_options(
    form: Annotated[
        str | None,
        typer.Option(
            "--format", "-f", metavar="FORM", help="table, json, csv, md or html; else by the suffix of --out."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write to a file in place of standard output.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Also draw its charts: a .svg or .png.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Let --out and --plot replace a file that groundplan did not write.")
    ] = False,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace one value of the input; may be repeated."),
    ] = None,
    wide: Annotated[bool, typer.Option("--wide", help="Show every column and row, as wide as they are.")] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 3 where the answer is no: infeasible, too large, too slow.")
    ] = False,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="Date against which prices age, e.g. 2026-11-23.")
    ] = None,
) -> Asked:
    """Check the options before any work is done."""
    form = form.lower() if form else None
    if form is not None and form not in FORMATS:
        raise UnknownName("format", form, FORMATS)
    form = form or _form_of(out)
    if plot is not None and plot.suffix.lower() not in PICTURES:
        raise InputError(f"--plot {plot} is no picture", f"name a file that ends in {' or '.join(PICTURES)}")
    return Asked(form, out, force, tuple(sets or ()), wide, exit_code, _date(as_of), plot)


def _form_of(out: Path | None) -> str:
    """Return the form that the name of a file asks for; a table where it has no suffix, or is a text."""
    suffix = out.suffix.lower() if out else ""
    if suffix and suffix not in SUFFIXES:
        raise UnknownName("suffix of --out", suffix, SUFFIXES)
    return SUFFIXES.get(suffix, "table")


def _date(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"--as-of {text!r} is no date", "write year-month-day, e.g. 2026-11-23") from None


class OnceCommand(TyperCommand):
    """A command that refuses an option given twice, where only the last would count."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for place, one in enumerate(order):
            if one in order[:place] and not one.multiple and not one.is_eager:
                flag = max(one.opts, key=len)
                raise InputError(f"{flag} is given twice", "give it once")
        return super().parse_args(ctx, args)


def answers(body: Callable[..., Answer], without: Sequence[str] = ()) -> Callable[..., None]:
    """Make a command of a function that takes its own flags and `asked`, and returns an answer.

    The command has the flags of `body` and those every command has, `without` those that say nothing to it; a flag
    of `body` takes the place of a shared one of the same name. It delivers what `body` returns.
    """
    own = [p for p in inspect.signature(body, eval_str=True).parameters.values() if p.name != "asked"]
    left_out = {*without, *(parameter.name for parameter in own)}
    every = inspect.signature(_shared_options, eval_str=True).parameters.values()
    shared = [parameter for parameter in every if parameter.name not in left_out]
    names = {parameter.name for parameter in shared}

    def command(**given: Any) -> None:
        from groundplan.cli.delivery import check_target, deliver, is_ok

        asked = _shared_options(**{name: given.pop(name) for name in names})
        for target in (asked.out, asked.plot):
            if target is not None:
                check_target(target, asked.force)
        with shown_progress():
            answer = body(**given, asked=asked)
        deliver(answer, asked)
        if asked.exit_code and not isinstance(answer, str) and not is_ok(answer):
            raise typer.Exit(EXIT_NOT_OK)

    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*own, *shared)]
    command.__name__, command.__doc__ = body.__name__, body.__doc__
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return command
