"""Every task as an operation: its typed request and what answers it. The API, jobs and assistants offer the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Described

from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError
from groundplan.finops.money import BILLED, EFFECTIVE
from groundplan.questions.question import Question
from groundplan.tasks.catalog import KINDS, catalog_list, catalog_show
from groundplan.tasks.diff import diff
from groundplan.tasks.explain import explain
from groundplan.web import plans
from groundplan.web.requests import Body, PlanBody, ask_by_request, body_of
from groundplan.web.site import QUESTIONS
from groundplan.web.uploads.store import Uploads

Answer = Mapping[str, Any]
PERIOD = "ISO day, e.g. 2026-07-01."


@dataclass(frozen=True, slots=True)
class Ground:
    """What operations stand on: the catalog, the accounts where there are any, the files that were sent."""

    catalog: Catalog
    lake: str | None = None
    uploads: Uploads | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """A task over the wire. `is_long` ones take minutes and are jobs only; `of_lake` ones need the accounts."""

    name: str
    tag: str
    summary: str
    details: str
    body: type[BaseModel]
    ask: Callable[[Ground, Any], Answer]
    is_long: bool = False
    of_lake: bool = False


class CatalogBody(Body):
    """What to look up in the catalog."""

    kind: Literal[KINDS] = Described(description="The table.")  # type: ignore[valid-type]
    name: str | None = Described(default=None, description="One row in full, with the source of each number.")
    search: str | None = Described(default=None, description="Only rows with this text.")
    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "accelerators", "name": "h100-sxm"}]})


class DiffBody(Body):
    """Two answers of one task."""

    a: dict[str, Any]
    b: dict[str, Any]


class ExplainBody(Body):
    """An answer, and which of its figures to take apart."""

    answer: dict[str, Any]
    metric: str = Described(description="A key of the answer's `explain`, e.g. total_bytes.")


class ValidateBody(Body):
    """What to score, on which measured rows."""

    quantity: Literal["training", "memory", "serving"] = Described(description="What is predicted.")
    data: str | None = Described(default=None, description="upload:HASH/NAME of a CSV; else the published rows.")


class CalibrateBody(Body):
    """What to fit to."""

    data: str | None = Described(default=None, description="upload:HASH/NAME of a CSV; else the published rows.")
    refine: bool = Described(default=False, description="Fit your cluster's efficiency only, on a few runs.")


class TcoBody(Body):
    """A fleet and its assumptions, as the brief of `finops tco`; `null` reads the use from the accounts."""

    brief: dict[str, Any]


class TotalBody(Body):
    """What to add up."""

    column: str = Described(default=BILLED, description="BilledCost, EffectiveCost, ListCost, ...")
    currency: str | None = Described(default=None, description="Convert into it, at the dated rates of the lake.")


class PeriodBody(Body):
    """Which charges."""

    column: str = Described(default=EFFECTIVE, description="BilledCost, EffectiveCost, ListCost, ...")
    start: str | None = Described(default=None, description=f"First day. {PERIOD}")
    end: str | None = Described(default=None, description=f"Day after the last. {PERIOD}")
    currency: str | None = Described(default=None, description="Convert into it, at the dated rates of the lake.")


class VarianceBody(Body):
    """A saved plan, and the run it was for."""

    plan: dict[str, Any]
    run: str = Described(description="Job id, job name or experiment.")
    column: str = Described(default=EFFECTIVE, description="BilledCost, EffectiveCost, ...")
    work: float | None = Described(default=None, description="Tokens or samples really done, where no tracker says.")


def _look_up(ground: Ground, body: CatalogBody) -> Answer:
    if body.name is None:
        return catalog_list(ground.catalog, body.kind, body.search).to_dict()
    name = body.name
    if body.kind == "models" and name not in ground.catalog.models:
        name = name.replace("/", " ").strip(".~ ")  # never a path of this machine
    return catalog_show(ground.catalog, name, body.kind).to_dict()


def _rows_of(ground: Ground, data: str | None) -> tuple[Path, ...]:
    if data is None:
        return ()
    if ground.uploads is None:
        raise InputError("files are read by the server's API only", "leave data out: the published rows are read")
    return (ground.uploads.path_of(data),)


def _validate(ground: Ground, body: ValidateBody) -> Answer:
    from groundplan.tasks.validate import validate_memory, validate_training
    from groundplan.tasks.validate_serving import validate_serving

    tasks = {"training": validate_training, "memory": validate_memory, "serving": validate_serving}
    return tasks[body.quantity](ground.catalog, _rows_of(ground, body.data)).to_dict()


def _calibrate(ground: Ground, body: CalibrateBody) -> Answer:
    from groundplan.tasks.calibrate import calibrate

    return calibrate(ground.catalog, _rows_of(ground, body.data), body.refine).to_dict()


def _tco(ground: Ground, body: TcoBody) -> Answer:
    from groundplan.tasks.finops.tco import TcoRequest, tco

    return tco(TcoRequest(body.brief), ground.catalog).to_dict()


def _total(ground: Ground, body: TotalBody) -> Answer:
    from groundplan.tasks.finops.lake import total

    return total(str(ground.lake), body.column, body.currency).to_dict()


def _units(ground: Ground, body: PeriodBody) -> Answer:
    from groundplan.tasks.finops.units import units

    return units(
        str(ground.lake), ground.catalog, body.column, day_of(body.start), day_of(body.end), body.currency
    ).to_dict()


def _anomalies(ground: Ground, body: TotalBody) -> Answer:
    from groundplan.tasks.finops.anomalies import anomalies

    return anomalies(str(ground.lake), body.column, None, body.currency).to_dict()


def _recommend(ground: Ground, body: PeriodBody) -> Answer:
    from groundplan.tasks.finops.allocate import AllocateRequest
    from groundplan.tasks.finops.recommend import recommend

    asked = AllocateRequest(
        str(ground.lake), "team", body.column, day_of(body.start), day_of(body.end), None, body.currency
    )
    return recommend(asked, ground.catalog).to_dict()


def _variance(ground: Ground, body: VarianceBody) -> Answer:
    from groundplan.tasks.finops.variance import VarianceRequest, variance

    return variance(VarianceRequest(str(ground.lake), body.plan, body.run, body.column, body.work)).to_dict()


def day_of(text: str | None) -> datetime | None:
    """Return a day that was asked for; None where none was.

    Raises
    ------
    InputError
        It is no date.
    """
    if text is None or not text.strip():
        return None
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(f"{text[:40]!r} is no date", "write year-month-day, e.g. 2026-07-01") from None


def _asked(question: Question, ground: Ground, body: BaseModel) -> Answer:
    return ask_by_request(question, body, ground.catalog, ground.uploads)


def _planned(ground: Ground, body: PlanBody) -> Answer:
    return plans.plan_of(body.values(), ground.catalog)


@cache
def operations() -> Mapping[str, Operation]:
    """Return every operation by its name."""
    asked = [
        Operation(one.name, one.title, one.summary, one.details, body_of(one), partial(_asked, one))
        for one in QUESTIONS
    ]
    lake = "Accounts"
    others = [
        Operation(plans.NAME, "Plan", "One brief in, a costed and checked plan out.", "", PlanBody, _planned),
        Operation("catalog", "Catalog", "What exists, with the source of each number.", "", CatalogBody, _look_up),
        Operation("diff", "Answers", "What differs between two answers.", "", DiffBody,
                  lambda ground, body: diff(body.a, body.b).to_dict()),
        Operation("explain", "Answers", "How one figure of an answer was computed.", "", ExplainBody,
                  lambda ground, body: explain(body.answer, body.metric).to_dict()),
        Operation("validate", "Accuracy", "Predictions held against measured runs.", "", ValidateBody, _validate),
        Operation("calibrate", "Accuracy", "The constants that fit measured runs.", "", CalibrateBody, _calibrate,
                  is_long=True),
        Operation("finops/tco", lake, "Own a fleet, rent it, or own its base.", "", TcoBody, _tco),
        Operation("finops/total", lake, "All charges, to the last decimal.", "", TotalBody, _total, of_lake=True),
        Operation("finops/units", lake, "What one run, 1,000 inferences, 1M tokens cost.", "", PeriodBody, _units,
                  of_lake=True),
        Operation("finops/anomalies", lake, "The days that cost what nobody expected.", "", TotalBody, _anomalies,
                  of_lake=True),
        Operation("finops/recommend", lake, "What to do about waste.", "", PeriodBody, _recommend, of_lake=True),
        Operation("finops/variance", lake, "A plan against what its run was billed.", "", VarianceBody, _variance,
                  of_lake=True),
    ]  # fmt: skip
    return {one.name: one for one in (*asked, *others)}
