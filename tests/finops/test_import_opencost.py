"""OpenCost's allocations become charges: they sum to what it said, and carry whose they are."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from groundplan.errors import InputError
from groundplan.finops.lake.lake import Lake
from groundplan.tasks.finops.lake import import_files, quarantine

WINDOW = {"start": "2026-05-01T00:00:00Z", "end": "2026-05-02T00:00:00Z"}


def allocation(total: Any, **told: Any) -> dict[str, Any]:
    """Return one allocation as the API answers it."""
    return {"properties": told, "window": WINDOW, "start": "2026-05-01T06:00:00Z", "end": WINDOW["end"],
            "minutes": 1080, "gpuHours": 18, "gpuCost": 60.25, "cpuCost": 1, "totalCost": total}  # fmt: skip


def answer(path: Path, *windows: Any) -> Path:
    """Write an answer of the API."""
    path.write_text(json.dumps({"code": 200, "data": list(windows)}))
    return path


def test_allocations_sum_to_what_opencost_said_and_carry_their_owner(tmp_path: Path) -> None:
    pod = {
        "cluster": "c1",
        "namespace": "vision",
        "pod": "train-0",
        "node": "gpu-1",
        "labels": {"team": "v", "pod": "x"},
    }
    windows = (
        {"c1/vision/train-0": allocation(61.25, **pod), "__idle__": allocation(0.1 + 0.2, cluster="c1")},
        {"c1/vision/train-0": allocation(10, **pod) | {"window": {}, "start": None, "end": None}},
        {"broken": allocation(None), "odd": 3},
    )
    lake = str(tmp_path / "lake")
    report = import_files(lake, [answer(tmp_path / "a.json", *windows)])
    assert (report.kept, report.quarantined, report.files[0].format) == (2, 3, "OpenCost allocations")
    assert (
        sorted(row.problem for row in quarantine(lake).rows)
        == ["ChargePeriodStart is missing"] + ["totalCost is missing"] * 2
    )
    sql = "SELECT BilledCost, ChargePeriodStart::VARCHAR, ResourceId, Tags, ConsumedQuantity FROM billing ORDER BY 1"
    idle, used = Lake(lake).connect().execute(sql).fetchall()
    assert idle[:3] == (Decimal("0.300000000000000"), "2026-05-01 06:00:00", "c1")
    assert used[2] == "c1/vision/train-0" and used[4] == 18.0
    assert json.loads(used[3]) == {"cluster": "c1", "namespace": "vision", "pod": "x", "team": "v"}


@pytest.mark.parametrize(("inside", "words"), [([], "holds no allocation"), (3, "no list of windows")])
def test_an_answer_without_allocations_is_refused_in_words(tmp_path: Path, inside: Any, words: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"data": inside, "asked": {"window": "1d", "totalCost": True}}))
    with pytest.raises(InputError, match=words):
        import_files(str(tmp_path / "lake"), [path])
