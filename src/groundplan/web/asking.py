"""From the address of a page to an answer, and back to the command that gives the same."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError, UnknownName
from groundplan.questions.question import Field, Question
from groundplan.web.uploads.store import Uploads, is_upload, name_of
from groundplan.workload.models import SIZE, find_model

LONGEST = 20_000  # characters of one value
LONGEST_NAME = 200
AS_OF = "as-of"
WORDS_FOR_DRAFT = ("head", "ngram")


def values_of(question: Question, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return key -> text of what an address gives, without what is left empty.

    Raises
    ------
    InputError, UnknownName
        No such field, one that is given twice, or a value of absurd length.
    """
    values: dict[str, str] = {}
    for key, text in pairs:
        if key != AS_OF:
            question.field(key)
        if key in values:
            raise InputError(f"{key} is given twice", "give it once")
        if len(text) > LONGEST:
            raise InputError(f"{key} has {len(text):,} characters", f"give at most {LONGEST:,}")
        if text.strip():
            values[key] = text.strip()
    return values


def answer_to(question: Question, values: Mapping[str, str], catalog: Catalog, uploads: Uploads) -> dict[str, Any]:
    """Return the answer to a question asked over the web, by the JSON contract.

    Raises
    ------
    GroundplanError
        What was asked is impossible, names what is in no catalog, or a file of this machine.
    """
    given = {
        field.name: given_by(field, values[field.key], catalog, uploads)
        for field in question.fields
        if field.key in values
    }
    with uploads.nameless():
        return question.ask(given, catalog, as_of=values.get(AS_OF))


def given_by(field: Field, value: Any, catalog: Catalog, uploads: Uploads | None) -> Any:
    """Return the value of a field as the task takes it: a path only of an upload, others would be of this machine.

    Raises
    ------
    InputError, UnknownName
        A path, a model that the catalog does not know, or a mapping that is none.
    """
    if uploads is not None and is_upload(value) and (field.is_file or field.names == "models"):
        return str(uploads.path_of(value))
    if field.is_file:
        raise InputError(
            f"{field.flag} reads a file, and this is not the machine it is on", "send it: upload:HASH/NAME"
        )
    if field.is_switch and isinstance(value, str):
        return is_on(value) or None
    if field.names != "models":
        return value
    if isinstance(value, str) and value.startswith("{"):
        value = _mapping(field, value)
    if isinstance(value, Mapping):
        if "hf_config" in value:
            raise InputError(
                "hf_config names a file, and this is not the machine it is on", "give the sizes themselves"
            )
        return value if set(value) != {"name"} else given_by(field, value["name"], catalog, uploads)
    if len(str(value)) > LONGEST_NAME:
        raise InputError(f"{field.key} has {len(str(value)):,} characters", "give the name of a model")
    known = field.name == "draft" and value in WORDS_FOR_DRAFT
    if not known and not (isinstance(value, str) and (SIZE.fullmatch(value) or _is_row(value, catalog))):
        raise UnknownName("model", str(value), catalog.models)
    return value


def is_on(text: str) -> bool:
    """Say whether the text of a switch turns it on."""
    return text.lower() in ("yes", "true", "on", "1")


def _is_row(name: str, catalog: Catalog) -> bool:
    """Say whether a name is of the catalog and cannot be taken for a path."""
    return (
        not name.endswith(".json") and not name.startswith((".", "/", "~")) and bool(find_model(name, catalog.models))
    )


def _mapping(field: Field, text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"{field.key} begins like JSON and is none", "correct it, or give a name") from None
    if not isinstance(found, dict):
        raise InputError(f"{field.key} is JSON, but no object", "give the sizes by name")
    return found


def command_line(question: Question, values: Mapping[str, str]) -> str:
    """Return the command that gives the same answer."""
    words = ["groundplan", *question.name.split("-")]
    for field in question.fields:
        value = values.get(field.key)
        if value is None:
            continue
        if field.is_pair:
            words.append(field.flag.split("/")[field.choices.index(value)] if value in field.choices else field.flag)
        elif field.is_switch:
            words += [field.flag] * is_on(value)
        else:
            words += [field.flag, name_of(value) if is_upload(value) else value]
    if AS_OF in values:
        words += ["--as-of", values[AS_OF]]
    return shlex.join(words)
