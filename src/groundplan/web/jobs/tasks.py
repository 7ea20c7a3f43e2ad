"""What a job can be asked: every operation by its typed request; questions and plans as the query of a page too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError

from groundplan.errors import InputError, UnknownName
from groundplan.questions.question import Question
from groundplan.web import plans
from groundplan.web.asking import answer_to, values_of
from groundplan.web.operations import Ground, Operation, operations
from groundplan.web.site import QUESTIONS, Site

PAGES: Mapping[str, Question] = {question.name: question for question in QUESTIONS}


def operation_of(task: str, lake: str | None) -> Operation:
    """Return the operation of a task.

    Raises
    ------
    UnknownName
        There is no such task on this server.
    """
    known = {name: one for name, one in operations().items() if lake or not one.of_lake}
    if task not in known:
        raise UnknownName("task", task, known)
    return known[task]


def values_in(task: str, query: str) -> dict[str, str]:
    """Return what the query of a page gives.

    Raises
    ------
    UnknownName, InputError
        The task has no page, or no such field.
    """
    pairs = parse_qsl(query)
    if task == plans.NAME:
        return plans.values_of(pairs)
    if task not in PAGES:
        raise UnknownName("page", task, (plans.NAME, *PAGES))
    return values_of(PAGES[task], pairs)


def request_in(operation: Operation, request: Any) -> BaseModel:
    """Return the typed request of an operation.

    Raises
    ------
    InputError
        It is none.
    """
    try:
        return operation.body.model_validate(request)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the request"
        mend = f"see the request of {operation.name} in the description of the API"
        raise InputError(f"{where}: {first['msg']}", mend) from None


def answer_to_job(task: str, asked: Mapping[str, Any], site: Site) -> Mapping[str, Any]:
    """Return the answer to what a job asks, as the page or the API gives it at once; a page's is left for it.

    Raises
    ------
    GroundplanError
        What was asked is impossible, or names what is in no catalog.
    """
    if "query" not in asked:
        operation = operation_of(task, site.lake)
        return operation.ask(Ground(site.catalog, site.lake, site.uploads), request_in(operation, asked["request"]))
    values = values_in(task, asked["query"])
    if task == plans.NAME:
        answer = plans.plan_of(values, site.catalog)
    else:
        answer = answer_to(PAGES[task], values, site.catalog, site.uploads)
    site.answers.leave(task, values, answer)
    return answer
