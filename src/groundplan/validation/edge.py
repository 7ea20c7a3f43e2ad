"""Frame times of edge devices: published runs, the constants fitted to them, and errors on runs not seen."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundplan.catalog.catalog import Catalog
from groundplan.catalog.rows import EdgeFamily
from groundplan.errors import MissingExtra
from groundplan.estimate.edge import EdgeDesign, frame_terms, mode_of
from groundplan.evidence import Result
from groundplan.validation.conformal import COVERAGE, conformal_factors
from groundplan.workload.model import SampleModel
from groundplan.workload.models import load_model

PUBLISHED = Path(__file__).parent / "published" / "edge.csv"
TERMS: Mapping[str, str] = {
    "overhead": "overhead_s",
    "compute": "sustained_share",
    "activations": "activation_passes",
    "weight_streaming": "link_bytes_per_s",
    "detection": "detection_s",
}
"""Term of a frame -> the constant it is proportional to, or to the inverse of (shares and rates)."""
INVERSE = frozenset({"sustained_share", "link_bytes_per_s"})
FITTED: Mapping[str, tuple[str, ...]] = {
    "jetson-orin": ("overhead", "compute", "activations"),
    "jetson-maxwell": ("compute",),
    "edgetpu-usb": ("overhead", "compute", "weight_streaming", "detection"),
    "edgetpu-board": ("overhead", "compute", "weight_streaming", "detection"),
    "hailo-8": ("overhead", "compute", "weight_streaming"),
    "hailo-8l": ("overhead", "compute", "weight_streaming"),
    "cortex-a76": ("overhead", "compute"),
    "cortex-a53": ("overhead", "compute"),
}
"""The terms whose constants a family's published runs can tell apart."""
ROBUST = 0.1
"""Relative error from which a run pulls less on the fit: a typo in one table must not bend a family."""

FEWEST_PER_CONSTANT = 3
"""Runs for each constant that a fit needs."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EdgeCase:
    """One published run: what ran, the time between two frames [s], and who says so."""

    design: EdgeDesign
    measured_s: float
    source: str


@dataclass(frozen=True, slots=True)
class EdgeScore(Result):
    """Errors of a family in per cent of the measured time, on runs left out of the fit, by `left_out`."""

    family: str
    rows: int
    left_out: str  # source | model
    median_ape: float
    p90_ape: float
    bias: float
    low: float
    high: float


def read_published(catalog: Catalog, path: Path = PUBLISHED) -> list[EdgeCase]:
    """Return the published runs that come with the product."""
    with path.open(encoding="utf-8", newline="") as file:
        return [_case(line, catalog) for line in csv.DictReader(file)]


def _case(line: Mapping[str, str], catalog: Catalog) -> EdgeCase:
    model = load_model(line["model"], catalog)
    assert isinstance(model, SampleModel)
    # A pipelined chip gives frames faster than the inverse of its latency.
    seconds = 1.0 / float(line["frames_per_s"]) if line["frames_per_s"] else float(line["latency_ms"]) / 1e3
    design = edge_design(line["device"], line["mode"], model, int(line["side"]), line["precision"], catalog)
    return EdgeCase(design, seconds, line["source"])


def edge_design(device: str, mode: str, model: SampleModel, side: int, precision: str, catalog: Catalog) -> EdgeDesign:
    """Return the design of catalog ids; an empty mode is the device's fastest."""
    part = catalog.edge_devices[device]
    return EdgeDesign(part, mode_of(part, mode, catalog), catalog.edge_families[part.family], model, side, precision)


def frame_s(designs: Sequence[EdgeDesign]) -> Array:
    """Return the predicted time between two frames [s]."""
    total: Array = np.sum([*frame_terms(designs).values()], axis=0)
    return total


def fit_family(family: EdgeFamily, cases: Sequence[EdgeCase]) -> EdgeFamily:
    """Return the family with the constants that its runs ask for.

    Notes
    -----
    Minimises the robust sum of squares of ``log(predicted / measured)`` over positive constants.

    Raises
    ------
    MissingExtra
        When SciPy is not installed.
    """
    try:
        from scipy.optimize import least_squares, nnls
    except ImportError as error:
        raise MissingExtra("fitting", "calibrate") from error
    names = FITTED[family.id]
    unit = _with(family, {TERMS[name]: 1.0 for name in names})
    terms = frame_terms([replace(case.design, family=unit) for case in cases])
    slopes = np.column_stack([terms[name] for name in names])
    fixed = np.sum([term for name, term in terms.items() if name not in names], axis=0)
    measured = np.array([case.measured_s for case in cases])
    start, _ = nnls(slopes / measured[:, None], 1.0 - fixed / measured)
    smallest = 1e-6 * np.median(measured) / np.maximum(slopes.mean(axis=0), 1e-30)
    found = least_squares(
        lambda logs: np.log((slopes @ np.exp(logs) + fixed) / measured),
        np.log(np.maximum(start, smallest)),
        loss="soft_l1",
        f_scale=ROBUST,
    )
    sizes = dict(zip(names, np.exp(found.x), strict=True))
    constants = {TERMS[name]: float(1.0 / size if TERMS[name] in INVERSE else size) for name, size in sizes.items()}
    return _with(family, constants)


def _with(family: EdgeFamily, constants: Mapping[str, float]) -> EdgeFamily:
    changed: dict[str, Any] = dict(constants)
    return replace(family, **changed)


def held_out_ratios(family: EdgeFamily, cases: Sequence[EdgeCase]) -> tuple[Array, str]:
    """Return measured over predicted time of every run, each predicted by a fit without its source.

    Where without one source too few runs would be left to fit, the runs are cut into parts by model.
    """
    sources = [case.source for case in cases]
    fewest = min(len(cases) - sources.count(source) for source in sources)
    by = "source" if fewest >= FEWEST_PER_CONSTANT * len(FITTED[family.id]) else "model"
    keys = np.array(sources if by == "source" else [case.design.model.id for case in cases])
    ratios = np.full(len(cases), np.nan)
    for key in dict.fromkeys(keys):
        seen = [case for case, own in zip(cases, keys, strict=True) if own != key]
        if len(seen) < len(FITTED[family.id]):
            continue
        fitted = fit_family(family, seen)
        left = [case for case, own in zip(cases, keys, strict=True) if own == key]
        predicted = frame_s([replace(case.design, family=fitted) for case in left])
        ratios[keys == key] = np.array([case.measured_s for case in left]) / predicted
    return ratios, by


def score_families(cases: Sequence[EdgeCase]) -> list[EdgeScore]:
    """Return the errors of every family that is fitted, on runs not seen."""
    scores: list[EdgeScore] = []
    for name in FITTED:
        own = [case for case in cases if case.design.family.id == name]
        if not own:
            continue
        ratios, by = held_out_ratios(own[0].design.family, own)
        known = ratios[np.isfinite(ratios)]
        if known.size:
            scores.append(_score(name, by, known))
    return scores


def _score(name: str, by: str, ratios: Array) -> EdgeScore:
    errors = 1.0 / ratios - 1.0
    low, high = conformal_factors(ratios, COVERAGE)
    return EdgeScore(
        name,
        len(ratios),
        by,
        float(100.0 * np.median(np.abs(errors))),
        float(100.0 * np.percentile(np.abs(errors), 90)),
        float(100.0 * np.median(errors)),
        low,
        high,
    )
