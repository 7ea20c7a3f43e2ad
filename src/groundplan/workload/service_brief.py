"""Read a serving brief: YAML or a mapping in, every value in base units, every gap filled and said."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError
from groundplan.quantities import format_exact
from groundplan.workload.brief import read_candidates, read_date
from groundplan.workload.context import check_context, check_generates
from groundplan.workload.model import TransformerModel
from groundplan.workload.models import load_model, model_from_mapping
from groundplan.workload.overrides import apply_sets
from groundplan.workload.reading import Reading
from groundplan.workload.schema import CandidatesSection, OffersSection, validate
from groundplan.workload.service import Limits, ServingBrief, Traffic
from groundplan.workload.service_schema import LimitsSection, ServingSections, TrafficSection
from groundplan.workload.yaml_source import YamlSource, load_yaml, read_text

PROMPT, OUTPUT = 1024, 256
PRECISIONS = ("fp8", "bf16")
ENGINE = "vllm"
PEAK = 2.0
MOST_DEVICES = 8
MOST_PER_S = 1e7
"""Requests a second of one service, beyond which they are a slip."""


KINDS = ("mission", "pipeline", "serve", "tco")


def kind_of(source: str | Path | Mapping[str, Any], text: str | None = None) -> str:
    """Return what a brief asks for by the section it has: `serve`, `pipeline`, `mission`, `tco`, else `train`.

    Raises
    ------
    InputError
        It has two of them.
    """
    data = source if isinstance(source, Mapping) else None
    if data is None:
        data = load_yaml(read_text(Path(source)) if text is None else text, str(source)).data  # type: ignore[arg-type]
    named = [kind for kind in (*KINDS, "train") if kind in data]
    if len(named) > 1:
        raise InputError(f"the brief asks for {' and '.join(named)}, which are two tasks", "write a brief for each")
    return named[0] if named else "train"


def read_serving_brief(
    source: str | Path | Mapping[str, Any],
    catalog: Catalog,
    sets: Sequence[str] = (),
    as_of: datetime.date | None = None,
    text: str | None = None,
) -> ServingBrief:
    """Read a serving brief from a file, a mapping of the same shape, or `text` that `source` labels.

    Raises
    ------
    InputError
        Anything that cannot be understood, with the key and its line.
    """
    if isinstance(source, Mapping):
        return _resolve(apply_sets(YamlSource(dict(source), {}), sets), Path(), catalog, as_of)
    path = Path(source)
    folder = path.parent if text is None else Path()
    yaml = load_yaml(read_text(path) if text is None else text, str(source))
    return _resolve(apply_sets(yaml, sets), folder, catalog, as_of)


def _resolve(source: YamlSource, folder: Path, catalog: Catalog, as_of: datetime.date | None) -> ServingBrief:
    sections: ServingSections = validate(source, ServingSections)
    reading, serve = Reading(source), sections.serve
    model = _model(serve.model, folder, catalog)
    traffic = _traffic(serve.traffic, folder, reading)
    if traffic.requests is None:
        check_context(model, traffic.prompt, traffic.output, catalog)
    engines = reading.names(serve.engine, "serve.engine", partial(catalog.find, "engines")) or (ENGINE,)
    kv = serve.kv_precision or "bf16"
    if serve.engine is None:
        reading.assume("engine", ENGINE, "", "the brief names none (serve.engine)")
    names = serve.precision.split(",") if isinstance(serve.precision, str) else serve.precision
    usual = tuple(dict.fromkeys((*PRECISIONS, model.released_in)))
    precisions = tuple(name.strip() for name in names) if names else usual
    if serve.precision is None:
        reading.assume("precision", ", ".join(usual), "", "the brief names none (serve.precision)")
    date = (as_of or read_date(sections.as_of, reading) or datetime.date.today()).isoformat()
    limits = _limits(serve.limits, reading)
    most = reading.whole(serve.max_devices, "serve.max_devices") or MOST_DEVICES
    budget = reading.number(sections.goal.budget_per_month, "usd", "goal.budget_per_month")
    price = reading.number(sections.overrides.price, "usd_per_hour", "overrides.price")
    candidates = read_candidates(CandidatesSection(**sections.candidates.model_dump()), catalog, reading)
    resolved: dict[str, object] = {
        "serve": {
            "model": serve.model,
            "traffic": _told_traffic(traffic),
            "limits": {name: value for name, value in _plain(limits).items() if value is not None},
            "engine": list(engines),
            "precision": list(precisions),
            "kv_precision": kv,
            "max_devices": most,
        },
        "goal": {"budget_per_month": format_exact(budget, "usd")},
        "candidates": {name: list(getattr(candidates, name)) or None for name in OffersSection.model_fields},
        "overrides": {"price": format_exact(price, "usd_per_hour")},
        "as_of": date,
    }
    return ServingBrief(
        model,
        traffic,
        limits,
        engines,
        precisions,
        kv,
        most,
        budget,
        price,
        candidates,
        date,
        resolved,
        tuple(reading.assumptions),
    )


def _told_traffic(traffic: Traffic) -> dict[str, object]:
    """Return traffic as a brief says it; a trace tells its lengths itself, and its rate where no other is asked for."""
    shared: dict[str, object] = {"peak": traffic.peak, "cached": traffic.cached_fraction}
    if traffic.requests is None:
        return {"rate": traffic.rate_per_s, "prompt": traffic.prompt, "output": traffic.output, **shared}
    paced: dict[str, object] = {"rate": traffic.rate_per_s} if traffic.rate_per_s else {}
    return {"requests": str(traffic.requests.resolve()), **paced, **shared}


def _plain(limits: Limits) -> dict[str, str | float | None]:
    return {
        name.removesuffix("_s"): format_exact(value, "seconds")
        for name, value in (
            ("ttft_p95_s", limits.ttft_p95_s),
            ("tpot_p95_s", limits.tpot_p95_s),
            ("e2e_p95_s", limits.e2e_p95_s),
        )
    }


def _model(value: str | dict[str, Any], folder: Path, catalog: Catalog) -> TransformerModel:
    model = load_model(value, catalog) if isinstance(value, str) else model_from_mapping(value, folder, catalog)
    try:
        return check_generates(model)
    except InputError as error:
        raise InputError(f"serve.model: {error.what}", error.mend) from None


def _traffic(section: TrafficSection, folder: Path, reading: Reading) -> Traffic:
    path = None if section.requests is None else folder / section.requests
    rate = reading.number(section.rate, "per_second", "serve.traffic.rate")
    if rate is None and path is None:
        raise reading.wrong("serve.traffic", "neither a rate nor a trace of requests is given", "add rate: 10")
    if rate is not None and rate > MOST_PER_S:
        raise reading.wrong(
            "serve.traffic.rate", f"{rate:g} requests a second are no service's", f"give at most {MOST_PER_S:g}"
        )
    lengths: dict[str, int] = {}
    for name, usual in (("prompt", PROMPT), ("output", OUTPUT)):
        given = reading.whole(getattr(section, name), f"serve.traffic.{name}")
        if given is not None and path is not None:
            raise reading.wrong(
                f"serve.traffic.{name}", "says nothing beside requests, whose lengths are taken", "leave it out"
            )
        if given is None and path is None:
            reading.assume(name, usual, "tokens", f"the brief does not say (serve.traffic.{name})")
        lengths[name] = given or usual
    peak = reading.number(section.peak, "ratio", "serve.traffic.peak")
    if peak is None:
        reading.assume("peak", PEAK, "", "busiest rate over the mean, the brief does not say (serve.traffic.peak)")
    elif peak < 1.0:
        raise reading.wrong("serve.traffic.peak", f"{peak:g} is below the mean", "give 1 or more, e.g. 3")
    cached = reading.from_zero(section.cached, "fraction", "serve.traffic.cached") or 0.0
    if cached >= 1.0:
        raise reading.wrong("serve.traffic.cached", f"{cached:g} leaves nothing to compute", "give a share below 1")
    return Traffic(rate or 0.0, peak or PEAK, lengths["prompt"], lengths["output"], cached, path)


def _limits(section: LimitsSection, reading: Reading) -> Limits:
    return Limits(
        reading.number(section.ttft_p95, "seconds", "serve.limits.ttft_p95"),
        reading.number(section.tpot_p95, "seconds", "serve.limits.tpot_p95"),
        reading.number(section.e2e_p95, "seconds", "serve.limits.e2e_p95"),
    )
