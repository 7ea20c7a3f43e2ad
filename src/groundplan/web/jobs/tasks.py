"""What a job can be asked: every question and the plan, as a typed request or as the query of a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError

from groundplan.errors import InputError, UnknownName
from groundplan.progress import Progress
from groundplan.questions.question import Question
from groundplan.web import planning
from groundplan.web.asking import answer_to, values_of
from groundplan.web.requests import PlanBody, ask_by_request, body_of
from groundplan.web.site import QUESTIONS, Site

BY_NAME: Mapping[str, Question] = {question.name: question for question in QUESTIONS}
TASKS = (planning.NAME, *BY_NAME)


def values_in(task: str, query: str) -> dict[str, str]:
    """Return what the query of a page gives.

    Raises
    ------
    UnknownName, InputError
        No such task, or no such field of it.
    """
    if task not in TASKS:
        raise UnknownName("task", task, TASKS)
    pairs = parse_qsl(query)
    return planning.values_of(pairs) if task == planning.NAME else values_of(BY_NAME[task], pairs)


def request_in(task: str, request: Any) -> BaseModel:
    """Return the typed request of a task.

    Raises
    ------
    UnknownName, InputError
        No such task, or a request that is none of it.
    """
    if task not in TASKS:
        raise UnknownName("task", task, TASKS)
    model = PlanBody if task == planning.NAME else body_of(BY_NAME[task])
    try:
        return model.model_validate(request)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the request"
        raise InputError(
            f"{where}: {first['msg']}", f"see the request of {task} in the description of the API"
        ) from None


def answer_to_job(task: str, asked: Mapping[str, Any], site: Site, progress: Progress) -> Mapping[str, Any]:
    """Return the answer to what a job asks, as the page or the API gives it at once; a page's is left for it.

    Raises
    ------
    GroundplanError
        What was asked is impossible, or names what is in no catalog.
    """
    progress(0.0, 0.0, "computing")
    if "query" not in asked:
        body = request_in(task, asked["request"])
        if isinstance(body, PlanBody):
            return planning.plan_of(body.values(), site.catalog)
        return ask_by_request(BY_NAME[task], body, site.catalog, site.uploads)
    values = values_in(task, asked["query"])
    if task == planning.NAME:
        answer = planning.plan_of(values, site.catalog)
    else:
        answer = answer_to(BY_NAME[task], values, site.catalog, site.uploads)
    site.answers.leave(task, values, answer)
    return answer
