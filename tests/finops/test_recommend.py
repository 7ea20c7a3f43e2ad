"""Recommendations: the waste that was planted is found with its dollars; where there is none, nothing is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.catalog.catalog import load_catalog
from groundplan.finops.recommend.jobs import idle_limit, spot
from groundplan.finops.recommend.rows import Recommendation, overlapping, together
from groundplan.finops.recommend.runs import repeated
from groundplan.finops.world.fleet import ON_DEMAND, WorldSize, nodes_of
from groundplan.finops.world.write import write_world
from groundplan.tasks.finops.allocate import AllocateRequest
from groundplan.tasks.finops.lake import import_files
from groundplan.tasks.finops.recommend import RecommendResult, recommend

from .conftest import COLUMNS

Bill = Callable[..., Path]
SACCT = "JobID|JobName|User|Account|State|Submit|Start|End|AllocTRES|NodeList|Comment"
FIELDS = ("timestamp", "Hostname", "gpu", "hpc_job", "DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
          "DCGM_FI_DEV_FB_USED")  # fmt: skip


@pytest.fixture
def advised(tmp_path: Path, bill: Bill) -> Callable[..., RecommendResult]:
    """Return a function that advises on one node of 8 at $8 an hour for a day, held by one job of a given activity."""

    def advise(
        engine: Callable[[int], float], state: str = "COMPLETED", starts: tuple[int, ...] = (0,)
    ) -> RecommendResult:
        ends = [f"2026-05-01T{start:02}:00:00" for start in starts[1:]]
        ends.append("Unknown" if state == "RUNNING" else "2026-05-02T00:00:00")
        runs = zip(starts, ends, ["REQUEUED"] * len(starts[1:]) + [state], strict=True)
        times = [(f"2026-05-01T{start:02}:00:00", end, how) for start, end, how in runs]
        jobs = [f"7|train|ann|a|{how}|{at}|{at}|{end}|gres/gpu=8|n1|" for at, end, how in times]
        (tmp_path / "sacct.txt").write_text("\n".join([SACCT, *jobs]) + "\n")
        charges = [
            ("8", "8", "USD", f"2026-05-01T{hour:02}:00:00Z", f"2026-05-01T{hour + 1:02}:00:00Z", "i", "", "n1")
            for hour in range(23)
        ]
        charges.append(("8", "8", "USD", "2026-05-01T23:00:00Z", "2026-05-02T00:00:00Z", "i", "", "n1"))
        samples = [
            (f"2026-05-01T{hour:02}:00:00Z", "n1", str(gpu), "7", engine(hour), 0.5, 30_000)
            for hour in range(24)
            for gpu in range(8)
        ]
        files = [bill("b.csv", charges, (*COLUMNS, "ResourceName")), bill("d.csv", samples, FIELDS)]
        import_files(str(tmp_path / "lake"), [*files, tmp_path / "sacct.txt"])
        return recommend(AllocateRequest(str(tmp_path / "lake")), load_catalog())

    return advise


def test_idle_hours_are_found_with_their_dollars(advised: Callable[..., RecommendResult]) -> None:
    found = advised(lambda hour: 0.95 if hour < 12 else 0.0, state="RUNNING")
    (row,) = found.recommendations
    assert row["kind"] == "idle" and row["command"] == "scancel 7"
    assert float(row["high_usd"]) == pytest.approx(12 * 8 * 30)  # half a day of the node, thirty times
    assert float(row["low_usd"]) == pytest.approx(11 * 8 * 30)  # less an hour's grace of each accelerator


def test_a_job_that_was_begun_again_is_one_job(advised: Callable[..., RecommendResult]) -> None:
    (row,) = advised(lambda hour: 0.95 if hour < 12 else 0.0, starts=(0, 6)).recommendations
    assert float(row["high_usd"]) == pytest.approx(12 * 8 * 30)  # told once, with what both attempts wasted


def test_accelerators_that_are_hardly_used_are_too_many(advised: Callable[..., RecommendResult]) -> None:
    (row,) = advised(lambda hour: 0.15).recommendations
    assert row["kind"] == "right-size" and "2 accelerators in place of 8" in row["what"]
    assert float(row["high_usd"]) == pytest.approx(24 * 8 * 30 * 6 / 8)


def test_a_busy_fleet_is_left_alone_and_what_cannot_be_judged_is_said(advised: Callable[..., RecommendResult]) -> None:
    found = advised(lambda hour: 0.97)
    assert found.recommendations == ()
    unknown = {"spot", "duplicate", "commitment", "off-hours", "storage-tier", "format", "early-stop", "quantise"}
    assert {row["kind"] for row in found.not_judged} == unknown


def test_spot_is_never_recommended_without_checkpoints() -> None:
    prices = [{"share": 0.3, "interruptions": 0.1}]
    job = {"job_id": "1", "on_demand_cost": 1000.0, "gpus": 8.0, "labels": "{}"}
    assert spot([job], prices, 1.0)[0] == []
    (row,), _ = spot([job | {"labels": '{"checkpoint_s": "1800"}'}], prices, 1.0)
    assert 690 < row.high_usd < 700  # 70 % off, less what interruptions set back
    assert spot([job], [], 1.0)[1][0].kind == "spot"
    committed = job | {"labels": '{"checkpoint_s": "1800"}', "on_demand_cost": 0.0}
    assert spot([committed], prices, 1.0)[0] == []  # nothing is saved by leaving what is paid anyway


def test_a_price_list_and_the_spot_advisor_together_tell_of_spot(tmp_path: Path, bill: Bill) -> None:
    columns = (*COLUMNS, "ResourceName", "PricingCategory", "SkuId")
    day = ("USD", "2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", "i", "")
    charges = [
        ("96", "96", *day, node, category, "own.big") for node, category in (("n1", "Standard"), ("n2", "Committed"))
    ]
    samples = [("2026-05-01T00:00:00Z", node, "0", job, 0.95, 0.5, 30_000) for node, job in (("n1", "1"), ("n2", "2"))]
    times = "2026-05-01T00:00:00|2026-05-01T00:00:00|2026-05-02T00:00:00"
    jobs = [f"{at}|w|ann|a|COMPLETED|{times}|gres/gpu=1|n{at}|checkpoint_s=600" for at in (1, 2)]
    (tmp_path / "sacct.txt").write_text("\n".join([SACCT, *jobs]) + "\n")
    (tmp_path / "aws.csv").write_text(
        "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone\n"
        "own.big,H100,1,8,64,,4,1.6,r,r-a\nother,H100,1,8,64,,4,3.9,r,r-a\n"
    )
    (tmp_path / "advisor.csv").write_text(
        "instance_type,region,vcpu,ram_gb,savings_pct_over_ondemand,interruption_freq_last_month\nown.big,r,8,64,60,5-10%\n"
    )
    files = [bill("b.csv", charges, columns), bill("d.csv", samples, FIELDS)]
    import_files(
        str(tmp_path / "lake"), [*files, *(tmp_path / name for name in ("sacct.txt", "aws.csv", "advisor.csv"))]
    )
    found = recommend(AllocateRequest(str(tmp_path / "lake")), load_catalog())
    (row,) = [one for one in found.recommendations if one["kind"] == "spot"]
    assert "1 jobs" in row["what"] and "40% of on demand, 10% are taken back" in row["evidence"]
    assert float(row["high_usd"]) == pytest.approx(0.6 * 96 * 30, rel=1e-3) and float(row["high_usd"]) < 0.6 * 96 * 30


def test_repeats_of_a_finished_configuration_are_counted() -> None:
    (row,) = repeated(
        [{"experiment": "e", "configuration": "abc", "repeats": 2, "cost": 50.0, "jobs": ["1", "2"]}], 2.0
    )
    assert (row.low_usd, row.high_usd) == (0.0, 100.0)


def test_a_world_is_advised_within_its_bill_and_its_base_is_found(tmp_path: Path) -> None:
    size = WorldSize(8, 30, 64, 3)
    truth = write_world(size, tmp_path / "w")
    lake = str(tmp_path / "lake")
    import_files(lake, [tmp_path / "w" / part for part in ("bill", "jobs", "telemetry", "prices")])
    found = recommend(AllocateRequest(lake), load_catalog())
    on_demand = sum(node.purchase == ON_DEMAND for node in nodes_of(size))  # up and billed throughout
    (base,) = [row for row in found.recommendations if row["kind"] == "commitment"]
    assert f"commit to {int(on_demand * 0.8)} for 3 years and {on_demand - int(on_demand * 0.8)} for 1" in base["what"]
    bill = float(truth["total_usd"])
    assert all(0.0 <= float(row["low_usd"]) <= float(row["high_usd"]) < bill for row in found.recommendations)
    counted = [row for row in found.recommendations if row["counted"]]
    assert float(found.together["high_usd"]) == pytest.approx(sum(float(row["high_usd"]) for row in counted), abs=0.1)
    assert float(found.together["high_usd"]) < bill
    left_out = [row for row in found.recommendations if not row["counted"]]
    assert left_out and all(row["overlaps"] for row in left_out)


@given(st.lists(st.tuples(st.floats(0, 100), st.frozensets(st.sampled_from("abcdef"), min_size=1)), max_size=8))
def test_dollars_that_two_recommendations_share_are_counted_once(rows: list[tuple[float, frozenset[str]]]) -> None:
    found = [Recommendation("k", str(at), 0.0, usd, "", "", "", about) for at, (usd, about) in enumerate(rows)]
    taken = together(found)
    named = [name for one in taken for name in one.about]
    assert len(named) == len(set(named))
    for one, others in zip(found, overlapping(found), strict=True):  # what is left out shares dollars with a dearer one
        dearer = [found[at] for at in others if found[at] in taken and found[at].high_usd >= one.high_usd]
        assert one in taken or dearer


def test_an_idle_limit_saves_what_all_jobs_idle_beyond_it() -> None:
    jobs = [{"job_id": "1", "cost": 100.0, "idle_cost": 40.0, "idle_hours": 16.0, "gpus": 8.0}] * 2
    (row,) = idle_limit([*jobs, {"job_id": "2", "cost": 1.0, "idle_cost": 1.0, "idle_hours": 0.5, "gpus": 1.0}], 1.0)
    assert (row.low_usd, row.high_usd) == (40.0, 80.0)  # half of each is the hour that 8 accelerators may have
