"""Every question is declared as its task takes it."""

from __future__ import annotations

from dataclasses import fields

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.questions import calculators, serving
from groundplan.questions.question import Question

QUESTIONS = [
    value for module in (calculators, serving) for value in vars(module).values() if isinstance(value, Question)
]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_fields_are_those_of_the_request(question: Question) -> None:
    known = {field.name for field in fields(question.request_type)}
    names = [field.name for field in question.fields]
    assert set(names) <= known
    assert len(names) == len(set(names)) == len({field.key for field in question.fields})
    without_default = known - set(question.defaults())
    assert without_default <= {field.name for field in question.fields if field.needed}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_names_are_tables_of_the_catalog_and_choices_hold_the_default(question: Question) -> None:
    catalog = load_catalog([])
    defaults = question.defaults()
    for field in question.fields:
        if field.names:
            assert len(getattr(catalog, field.names)) > 1
        if field.choices and defaults.get(field.name) is not None:
            assert str(defaults[field.name]) in field.choices


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_the_example_is_answered(question: Question) -> None:
    given = {question.field(key).name: value for key, value in question.example.items()}
    answer = question.ask(given, load_catalog([]))
    assert str(answer["schema"]).startswith(f"groundplan/{question.name}/")
