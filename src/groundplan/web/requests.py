"""The typed request of a question as a model: what the API and assistants send, and its JSON schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, StrictBool, StrictFloat, StrictInt, create_model
from pydantic import Field as Described

from groundplan.catalog.catalog import Catalog
from groundplan.questions.question import Question
from groundplan.web.asking import LONGEST, given_by
from groundplan.web.uploads.store import Uploads


class Body(BaseModel):
    """A typed request: no other keys, no infinities."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, str_max_length=LONGEST)


class PlanBody(Body):
    """A brief, and what replaces values of it."""

    brief: str | dict[str, Any] = Described(
        description="YAML text, or the same as an object: train, serve, pipeline or mission; goal; candidates."
    )
    set: dict[str, str] = Described(default={}, description="Key of the brief -> value, e.g. goal.deadline: 5 d.")

    def values(self) -> dict[str, str]:
        """Return the brief as text and what replaces its values, as `plan_of` takes them."""
        return {"brief": self.brief if isinstance(self.brief, str) else json.dumps(self.brief), **self.set}


def ask_by_request(
    question: Question, body: BaseModel, catalog: Catalog, uploads: Uploads | None = None
) -> dict[str, Any]:
    """Return the answer to a typed request, by the JSON contract.

    Raises
    ------
    GroundplanError
        What was asked is impossible, or names what is in no catalog.
    """
    fields = {field.name: field for field in question.fields}
    given: Mapping[str, Any] = body.model_dump(exclude_unset=True)
    checked = {
        name: given_by(fields[name], value, catalog, uploads) if name in fields and value is not None else value
        for name, value in given.items()
    }
    with uploads.nameless() if uploads else nullcontext():
        return question.ask(checked, catalog)


def body_of(question: Question) -> type[BaseModel]:
    """Return the model of a question's typed request: numbers in base units, or text with a unit."""
    described = {field.name: field for field in question.fields}
    defaults = question.defaults()
    members: dict[str, Any] = {}
    for member, hint in get_type_hints(question.request_type).items():
        field = described.get(member)
        help_text = field.help if field else None
        members[member] = (_accepted(hint), Described(defaults.get(member, ...), description=help_text))
    model = create_model(question.request_type.__name__, __base__=Body, **members)
    example: Any = {question.field(key).name: value for key, value in question.example.items()}
    model.model_config["json_schema_extra"] = {"examples": [example]}
    return model


def _accepted(hint: Any) -> Any:
    """Return what a field of a typed request accepts."""
    members = set(get_args(hint)) or {hint}
    accepted: Any = dict[str, Any] | str if any("Mapping" in str(one) for one in members) else str
    if float in members:
        accepted = StrictInt | StrictFloat | str
    elif bool in members:
        accepted = StrictBool
    elif int in members:
        accepted = StrictInt | str
    return accepted | None if type(None) in members else accepted
