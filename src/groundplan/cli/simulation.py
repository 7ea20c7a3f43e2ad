"""The simulations: what happens over time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from groundplan.cli.asked import Answer, Asked
from groundplan.errors import InputError
from groundplan.questions.question import Question


def with_trace(
    question: Question,
    given: Mapping[str, object],
    asked: Asked,
    trace: Annotated[
        Path | None, typer.Option("--trace", metavar="FILE", help="Also write all iterations as a Chrome trace.")
    ] = None,
) -> Answer:
    """Simulate, and write the trace of it where one is asked for."""
    from groundplan.catalog.catalog import load_catalog
    from groundplan.cli.delivery import check_target, write_file
    from groundplan.tasks.simulate_serve import simulate_serve

    if trace is None:
        return question.ask(given, load_catalog(), asked.sets, asked.as_of_text)
    if asked.out is not None and asked.out.resolve() == trace.resolve():
        raise InputError(f"--trace and --out both name {trace}", "name two files")
    check_target(trace, asked.force)
    request = question.request_of(given, asked.sets, asked.as_of_text)
    done = question.answered(lambda: simulate_serve(request, load_catalog(), record=True))
    write_file(trace, json.dumps(done.trace()), asked.force)
    return done.to_dict()
