"""Allocation: against the truth of generated worlds, by hand on small ones, and always to the last digit."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.errors import InputError, UnknownName
from groundplan.finops.allocation import split
from groundplan.finops.world.fleet import WorldSize
from groundplan.finops.world.write import write_world
from groundplan.tasks.finops.allocate import AllocateRequest, AllocateResult, allocate
from groundplan.tasks.finops.lake import import_files, total

from .conftest import COLUMNS

Bill = Callable[..., Path]


@pytest.mark.parametrize("size", [WorldSize(5, 20, 64, 6), WorldSize(6, 14, 40, 3)])
def test_a_generated_world_is_divided_as_it_was_made(tmp_path: Path, size: WorldSize) -> None:
    truth = write_world(size, tmp_path / "w")
    lake = str(tmp_path / "lake")
    report = import_files(lake, [tmp_path / "w" / part for part in ("bill", "jobs", "telemetry")])
    assert report.quarantined == 0 and not report.refused
    found = allocate(AllocateRequest(lake))
    assert Decimal(found.total_usd) == Decimal(truth["total_usd"]) == Decimal(total(lake).total)
    cost = {row["team"]: float(row["cost_usd"]) for row in found.rows}
    for team, usd in truth["teams"].items():
        assert cost[team] == pytest.approx(float(usd), rel=1e-3)
    for state, usd in truth["idle_usd"].items():
        assert float(found.idle_usd[state]) == pytest.approx(float(usd), rel=0.02)
    for row, key in (("(unknown)", "unknown"), ("(shared)", "shared"), ("(unused commitment)", "unused_commitment")):
        assert cost[row] == pytest.approx(float(truth[f"{key}_usd"]), rel=1e-3)


SACCT = "JobID|User|Account|State|Submit|Start|End|AllocTRES|NodeList"
DAY = ("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z")
MORE = (*COLUMNS, "ResourceName", "ChargeCategory", "CommitmentDiscountStatus")


def _node(name: str, cost: str) -> tuple[str, ...]:
    return (cost, cost, "USD", *DAY, f"i-{name}", "", name, "Usage", "")


def _job(number: int, account: str, start: str, end: str, gpus: int, nodes: str) -> str:
    times = f"2026-05-01T00:00:00|2026-05-01T{start}|{end if end == 'Unknown' else '2026-05-01T' + end}"
    return f"{number}|u{number}|{account}|COMPLETED|{times}|gres/gpu={gpus}|{nodes}"


@pytest.fixture
def small(tmp_path: Path, bill: Bill) -> Callable[..., AllocateResult]:
    """Return a function that divides a bill of nodes n1 and n2, four accelerators each, over jobs."""

    def divide(charges: list[Any], jobs: list[str], **asked: Any) -> AllocateResult:
        (tmp_path / "sacct.txt").write_text("\n".join([SACCT, *jobs]) + "\n")
        samples = [
            (f"2026-05-01T{hour:02}:00:00Z", node, str(gpu), 0.0)
            for hour in range(24)
            for node in ("n1", "n2")
            for gpu in range(4)
        ]
        fields = ("timestamp", "Hostname", "gpu", "DCGM_FI_PROF_GR_ENGINE_ACTIVE")
        files = [bill("bill.csv", charges, MORE), bill("dcgm.csv", samples, fields)]
        import_files(str(tmp_path / "lake"), [*files, *([tmp_path / "sacct.txt"] if jobs else [])])
        return allocate(AllocateRequest(str(tmp_path / "lake"), **asked))

    return divide


def _costs(result: AllocateResult) -> dict[str, Decimal]:
    return {row[result.by]: Decimal(row["cost_usd"]) for row in result.rows}


def test_a_node_is_divided_by_accelerator_seconds_and_the_rest_is_idle(small: Callable[..., AllocateResult]) -> None:
    jobs = [
        _job(1, "a", "00:00:00", "12:00:00", 2, "n1"),  # a quarter of n1
        _job(2, "b", "06:00:00", "12:00:00", 8, "n[1-2]"),  # a quarter of each, half of n1 at the same time as job 1
        _job(3, "", "12:00:00", "18:00:00", 4, "n2"),
    ]
    found = small([_node("n1", "96"), _node("n2", "48")], jobs)
    assert _costs(found) == {"a": Decimal(24), "b": Decimal(36), "(unknown)": Decimal(12), "(idle)": Decimal(72)}
    assert found.idle_usd["unallocated"] == "72"
    assert {row["state"]: row["gpu_hours"] for row in found.states}["unmeasured"] == 96  # nothing says what jobs did
    assert sum(row["gpu_hours"] for row in found.states) == 2 * 4 * 24


def test_a_job_that_was_begun_again_is_paid_once(small: Callable[..., AllocateResult]) -> None:
    first, again = (
        _job(1, "a", start, end, 4, "n1") for start, end in (("00:00:00", "06:00:00"), ("08:00:00", "12:00:00"))
    )
    again = again.replace("2026-05-01T00:00:00|", "2026-05-01T07:00:00|", 1)  # the same id, submitted later
    found = small([_node("n1", "24"), _node("n2", "1")], [first, again])
    assert _costs(found) == {"a": Decimal(10), "(idle)": Decimal(15)}


def test_machines_without_telemetry_count_by_the_list_of_machines(tmp_path: Path, bill: Bill) -> None:
    (tmp_path / "sacct.txt").write_text("\n".join([SACCT, _job(1, "a", "00:00:00", "12:00:00", 2, "n1")]) + "\n")
    (tmp_path / "nodes.csv").write_text("gpu_model,gpu_capacity_num,cpu_num,node_name\nA100,4,96,n1\nA100,4,96,n9\n")
    lake = str(tmp_path / "lake")
    import_files(lake, [bill("bill.csv", [_node("n1", "96")], MORE), tmp_path / "sacct.txt", tmp_path / "nodes.csv"])
    found = allocate(AllocateRequest(lake))
    assert _costs(found) == {"a": Decimal(24), "(idle)": Decimal(72)}
    hours = {row["state"]: row["gpu_hours"] for row in found.states if row["gpu_hours"]}
    assert hours == {"unallocated": 72, "unmeasured": 24}


def test_jobs_that_claim_more_than_the_node_has_share_it(small: Callable[..., AllocateResult]) -> None:
    jobs = [_job(1, "a", "00:00:00", "Unknown", 4, "n1"), _job(2, "b", "00:00:00", "Unknown", 4, "n1")]
    found = small([_node("n1", "10"), _node("n2", "1")], jobs)
    assert _costs(found) == {"a": Decimal(5), "b": Decimal(5), "(idle)": Decimal(1)}


def test_what_has_no_node_belongs_to_tags_to_everybody_or_nobody(small: Callable[..., AllocateResult]) -> None:
    def other(cost: str, resource: str, tags: str, category: str = "Usage", status: str = "") -> tuple[str, ...]:
        return (cost, cost, "USD", *DAY, resource, tags, resource, category, status)

    charges = [
        _node("n1", "8"),
        other("4", "bucket", '{"team": "a"}'),
        other("2", "db", '{"Owner": "b", "x": 1}'),
        other("1", "vm", ""),
        other("0.5", "", "", "Tax"),
        other("-0.25", "", "", "Credit"),
        other("3", "", "", "Usage", "Unused"),
    ]
    expected = {"a": Decimal(4), "b": Decimal(2), "(unknown)": Decimal(1), "(shared)": Decimal("0.25"),
                "(unused commitment)": Decimal(3), "(idle)": Decimal(8)}  # fmt: skip
    assert _costs(small(charges, [])) == expected


def test_rules_name_owners_and_divide_what_is_left(small: Callable[..., AllocateResult], tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("tags: {team: squad}\nnames: {alpha: a}\nusers: {u3: c}\nshared: even\nidle: proportional\n")
    charges = [_node("n1", "96"), ("30", "30", "USD", *DAY, "bucket", '{"squad": "alpha"}', "bucket", "Usage", ""),
               ("1", "1", "USD", *DAY, "", "", "", "Tax", "")]  # fmt: skip
    jobs = [_job(1, "a", "00:00:00", "12:00:00", 2, "n1"), _job(3, "", "12:00:00", "18:00:00", 1, "n1")]
    found = small(charges, jobs, rules=rules)  # a: 24 + 30, c: 6; idle 66 at 54 : 6; tax in halves
    assert _costs(found) == {"a": Decimal("113.9"), "c": Decimal("13.1")}
    assert Decimal(found.total_usd) == 127


def test_a_period_is_from_its_first_day_to_before_its_last(small: Callable[..., AllocateResult]) -> None:
    from datetime import datetime

    later = ("7", "7", "USD", "2026-05-02T00:00:00Z", "2026-05-03T00:00:00Z", "i-n1", "", "n1", "Usage", "")
    found = small([_node("n1", "8"), later], [], start=datetime(2026, 5, 2), end=datetime(2026, 5, 3))
    assert found.total_usd == "7"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("teams: {}", "unknown rule 'teams'"),
        ("shared: all", "way to divide shared cost 'all'"),
        ("- a", "holds no rules"),
        ("names: [a]", "names is no mapping"),
        ("tags: {squad: x}", "dimension of tags"),
        ("a: b: c", "cannot be read"),
    ],
)
def test_rules_that_mean_nothing_are_refused(
    small: Callable[..., AllocateResult], tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "rules.yaml").write_text(text)
    with pytest.raises(InputError, match=words):
        small([_node("n1", "8")], [], rules=tmp_path / "rules.yaml")


def test_an_unknown_dimension_names_the_nearest(small: Callable[..., AllocateResult]) -> None:
    with pytest.raises(UnknownName, match="team"):
        small([_node("n1", "8")], [], by="teams")


@given(
    st.decimals("-1e6", "1e6", places=9, allow_nan=False),
    st.dictionaries(st.text(max_size=3), st.decimals("-10", "1e5", places=6, allow_nan=False), min_size=1, max_size=20),
)
def test_parts_of_a_split_sum_to_it_exactly(amount: Decimal, basis: dict[str, Decimal]) -> None:
    assert sum(split(amount, basis).values()) == amount


def test_the_json_is_decimal_strings(small: Callable[..., AllocateResult]) -> None:
    answer = json.loads(json.dumps(small([_node("n1", "8.123456789")], []).to_dict()))
    assert answer["total_usd"] == "8.123456789" and answer["rows"][0]["cost_usd"] == "8.123456789"
