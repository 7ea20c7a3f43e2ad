"""A serving plan says why each accelerator lost, what lacks where nothing fits, and which sane design is nearest."""

from __future__ import annotations

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.tasks.plan_serving import plan_serving
from groundplan.workload.service_brief import read_serving_brief

CATALOG = load_catalog([])
ACCELERATORS = ["l40s", "a100-sxm-80", "h100-sxm", "h200-sxm", "mi300x"]


def planned(accelerators=ACCELERATORS, **serve):
    asked = {
        "model": "llama-3.1-70b",
        "traffic": {"rate": 12, "peak": 3, "prompt": 1024, "output": 256, "cached": "20 %"},
        "limits": {"ttft_p95": "2 s", "tpot_p95": "50 ms"},
        "kv_precision": "fp8",
        **serve,
    }
    return plan_serving(
        read_serving_brief({"serve": asked, "candidates": {"accelerators": accelerators}}, CATALOG), CATALOG
    )


def test_no_accelerator_vanishes():
    found = planned()
    named = {CATALOG.accelerators[one.accelerator].name for one in (found.recommended, *found.alternatives)}
    lost = {row.name: row.reason for row in found.rejected}
    assert named | set(lost) == {CATALOG.accelerators[name].name for name in ACCELERATORS} and not named & set(lost)
    assert lost and all(
        "times as much by the search" in reason or "times the limit" in reason for reason in lost.values()
    )


def test_what_fits_nowhere_says_how_many_bytes_lack():
    found = planned(["l4", "t4"], model="llama-3.1-405b")
    lost = {row.name: row.reason for row in found.rejected}
    assert lost["NVIDIA L4"] == "llama-3.1-405b in fp8 on 8 needs 53.1 GB of each, 21.3 GB are there"
    assert "NVIDIA L4" in found.verdict.headline and "53.1 GB" in found.verdict.headline
    assert "serve.max_devices" in found.warnings[0]
    assert planned(["l4"], model="llama-3.1-405b", max_devices=32).warnings == ()


@pytest.mark.parametrize("limits", [{"ttft_p95": "1 ms"}, {"tpot_p95": "1 ms"}, {"e2e_p95": "10 ms"}])
def test_the_nearest_is_no_idle_fleet(limits):
    usual, found = planned(), planned(limits=limits)
    assert not found.verdict.feasible and len(found.nearest) == 3
    assert all(one.replicas <= 12 for one in found.nearest)
    cheapest = min(one.usd_per_month for one in found.nearest)
    assert all(one.usd_per_month <= 3 * cheapest for one in found.nearest)
    assert cheapest <= 4 * usual.recommended.usd_per_month
    assert len({(one.accelerator, one.deployment["weights"]) for one in found.nearest}) == 3
    assert "e+" not in found.verdict.headline


def test_the_nearest_are_the_nearest_first():
    found = planned(limits={"tpot_p95": "1 ms"})
    times = [float(one.reason.split(", ")[1].split(" ")[0].replace(",", "")) for one in found.nearest]
    assert times == sorted(times)
