"""Frame times of edge devices against published runs: the constants are the fit's, the errors are as told."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from groundplan.catalog.catalog import Catalog, load_catalog
from groundplan.errors import UnknownName
from groundplan.estimate.edge import mode_of
from groundplan.validation.edge import (
    FITTED,
    TERMS,
    EdgeCase,
    EdgeScore,
    edge_design,
    fit_family,
    frame_s,
    read_published,
    score_families,
)
from groundplan.workload.model import SampleModel
from groundplan.workload.models import load_model

MOST: dict[str, tuple[float, float]] = {
    "jetson-orin": (18.0, 28.0),
    "hailo-8l": (8.0, 28.0),
    "edgetpu-board": (15.0, 60.0),
    "edgetpu-usb": (40.0, 180.0),
    "cortex-a53": (20.0, 45.0),
    "cortex-a76": (30.0, 60.0),
    "hailo-8": (55.0, 95.0),
}
"""Median and P90 absolute error [%] on runs not seen that each family stays within."""


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog([])


@pytest.fixture(scope="module")
def cases(catalog: Catalog) -> list[EdgeCase]:
    return read_published(catalog)


@pytest.fixture(scope="module")
def scores(cases: list[EdgeCase]) -> dict[str, EdgeScore]:
    return {score.family: score for score in score_families(cases)}


def test_every_published_run_has_a_source_and_a_prediction(cases: list[EdgeCase]) -> None:
    assert len(cases) > 120 and all(case.source for case in cases)
    assert np.isfinite(frame_s([case.design for case in cases])).all()


@pytest.mark.parametrize("family", FITTED)
def test_the_constants_are_those_of_the_fit(family: str, cases: list[EdgeCase], catalog: Catalog) -> None:
    fitted = fit_family(catalog.edge_families[family], [c for c in cases if c.design.family.id == family])
    for name in FITTED[family]:
        kept, found = getattr(catalog.edge_families[family], TERMS[name]), getattr(fitted, TERMS[name])
        assert found == pytest.approx(kept, rel=0.02), TERMS[name]


@pytest.mark.parametrize("family", MOST)
def test_errors_on_runs_not_seen(family: str, scores: dict[str, EdgeScore], catalog: Catalog) -> None:
    score, (median, p90) = scores[family], MOST[family]
    assert score.median_ape <= median and score.p90_ape <= p90
    kept = catalog.edge_families[family]
    assert (kept.time_low, kept.time_high) == (pytest.approx(score.low, rel=0.02), pytest.approx(score.high, rel=0.02))


def test_the_page_tells_these_errors(scores: dict[str, EdgeScore]) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "edge.md").read_text(encoding="utf-8")
    told = {
        m[1]: (float(m[2]), float(m[3]))
        for m in re.finditer(r"^\| `([\w-]+)` .*\| ([\d.]+) % \| ([\d.]+) % \|", page, re.M)
    }
    assert told == {s.family: (round(s.median_ape, 1), round(s.p90_ape, 1)) for s in scores.values()}


OTHER_MODE = {"Jetson Orin Nano": "15w"}  # boards before the Super release
OTHER_SIZE = re.compile(r"\d+")


def test_the_reference_table(shared: Path, catalog: Catalog) -> None:
    """Every compiled run of a known device and model is predicted; medians by family stay in bounds."""
    errors: dict[str, list[float]] = defaultdict(list)
    with (shared / "facts" / "edge_measured.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            precision = line["precision"].lower()[:4].strip(" (")
            if precision not in ("fp32", "fp16", "int8") or line["runtime"] == "PyTorch":
                continue
            try:
                device = catalog.edge_devices[catalog.find("edge_devices", line["device"])]
                model = load_model(line["model"], catalog)
            except UnknownName:
                continue
            if not isinstance(model, SampleModel) or model.input_side is None or precision not in device.flops:
                continue
            size = OTHER_SIZE.match(line["input"])
            side = int(size[0]) if size and "SSD" not in line["model"] else model.input_side
            mode = mode_of(device, OTHER_MODE.get(line["device"], ""), catalog).mode
            throughput = line["fps_or_throughput"] if device.family in ("hailo-8", "jetson-volta") else ""
            measured = 1.0 / float(throughput) if throughput else float(line["latency_ms"]) / 1e3
            predicted = frame_s([edge_design(device.id, mode, model, side, precision, catalog)])[0]
            errors[device.family].append(abs(float(predicted) / measured - 1.0))
    medians = {family: (len(found), float(np.median(found))) for family, found in errors.items()}
    assert medians["jetson-orin"][0] >= 40 and medians["jetson-orin"][1] < 0.10
    assert medians["edgetpu-board"][1] < 0.15 and medians["edgetpu-usb"][1] < 0.20
    assert medians["cortex-a53"][1] < 0.20
