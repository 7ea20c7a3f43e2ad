"""A command of each question: its flags are the question's fields."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from groundplan.cli.asked import Answer, Asked
from groundplan.errors import InputError
from groundplan.questions.question import Field, Question

Ask = Callable[..., Answer]
"""(question, what the flags said, asked, flags of its own) -> answer."""


def ask(question: Question, given: Mapping[str, object], asked: Asked) -> Answer:
    """Ask a question with what the flags said."""
    from groundplan.catalog.catalog import load_catalog

    return question.ask(given, load_catalog(), asked.sets, asked.as_of_text)


def command_of(question: Question, ask: Ask = ask) -> Callable[..., Answer]:
    """Return the body of a command that asks a question; `answers` makes a command of it."""
    taken = list(inspect.signature(ask, eval_str=True).parameters.values())[3:]
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in taken]

    def command(asked: Asked, **flags: Any) -> Answer:
        given = {field.name: _value(field, flags[field.name]) for field in question.fields}
        return ask(question, given, asked, **{parameter.name: flags[parameter.name] for parameter in own})

    parameters = [*map(_parameter, question.fields), *own]
    asked = inspect.Parameter("asked", inspect.Parameter.KEYWORD_ONLY, annotation=Asked)
    command.__name__ = question.name
    command.__doc__ = "\n\n".join(filter(None, (question.summary, question.details)))
    command.__signature__ = inspect.Signature([*parameters, asked])  # type: ignore[attr-defined]
    return command


def _parameter(field: Field) -> inspect.Parameter:
    kind = bool | None if field.is_pair or field.is_switch else str if field.needed else str | None
    option = typer.Option(field.flag, metavar=field.metavar or None, help=field.help, show_default=False)
    default = inspect.Parameter.empty if field.needed else None
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
    )


def _value(field: Field, given: Any) -> Any:
    if isinstance(given, str) and not given.strip():
        raise InputError(f"{field.flag} is empty", "give it a value, or leave it out")
    if field.is_pair:
        return None if given is None else field.choices[0 if given else 1]
    return given or None if field.is_switch else given
