"""A command of each question: its flags are the question's fields."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from groundplan.cli.asked import Answer, Asked
from groundplan.questions.question import Field, Question


def command_of(question: Question) -> Callable[..., Answer]:
    """Return the body of a command that asks a question; `answers` makes a command of it."""

    def command(asked: Asked, **given: Any) -> Answer:
        values = {field.name: _value(field, given[field.name]) for field in question.fields}
        return question.ask(values, asked.sets, asked.as_of_text)

    parameters = [_parameter(field) for field in question.fields]
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
    if field.is_pair:
        return None if given is None else field.choices[0 if given else 1]
    return given or None if field.is_switch else given
