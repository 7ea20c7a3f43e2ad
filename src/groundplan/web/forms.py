"""The form of a question: an input for each of its fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundplan.questions.question import Field, Question

SHOWN = 7  # inputs before "more"
SHORT = 3  # letters of a name that is written in capitals: TP, PP
UPPER = {"lora": "LoRA", "kv": "KV", "mtbf": "MTBF", "ttft": "TTFT", "tpot": "TPOT"}


@dataclass(frozen=True, slots=True)
class Input:
    """An input of a form. `kind`: ``text``, ``area``, ``choice`` or ``switch``; `table` names a list of suggestions."""

    key: str
    label: str
    help: str
    kind: str
    value: str
    usual: str
    choices: tuple[str, ...]
    table: str
    needed: bool


@dataclass(frozen=True, slots=True)
class Form:
    """The inputs people set first, and the others."""

    first: tuple[Input, ...]
    more: tuple[Input, ...]
    files: tuple[Input, ...]  # those that a file can be sent for

    @property
    def is_open(self) -> bool:
        """Whether one of the others is set."""
        return any(one.value for one in self.more)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables of the catalog that inputs suggest from."""
        return tuple(dict.fromkeys(one.table for one in (*self.first, *self.more) if one.table))


def form_of(question: Question, values: Mapping[str, str], prefix: str = "") -> Form:
    """Return the form of a question, filled with what is given; keys begin with `prefix`."""
    defaults = question.defaults()
    inputs = [_input(field, values, defaults, prefix) for field in question.fields]
    files = [
        one for one, field in zip(inputs, question.fields, strict=True) if field.is_file or field.names == "models"
    ]
    return Form(tuple(inputs[:SHOWN]), tuple(inputs[SHOWN:]), tuple(files))


def _input(field: Field, values: Mapping[str, str], defaults: Mapping[str, Any], prefix: str) -> Input:
    default = defaults.get(field.name)
    kind = "switch" if field.is_switch else "choice" if field.choices else "text"
    usual = "" if default is None or default is False else str(default)
    label = label_of(field)
    return Input(
        prefix + field.key, label, field.help, kind, values.get(field.key, ""), usual, field.choices, field.names,
        field.needed,
    )  # fmt: skip


def label_of(field: Field) -> str:
    """Return what a field is called on a page.

    >>> label_of(Field("kv_precision", "--kv-precision", "P", "")), label_of(Field("tp", "--tp", "N", ""))
    ('KV precision', 'TP')
    """
    words = [UPPER.get(word, word) for word in field.key.split("-")]
    if len(words) == 1 and len(words[0]) <= SHORT:
        return words[0].upper()
    return " ".join([words[0][0].upper() + words[0][1:], *words[1:]])
