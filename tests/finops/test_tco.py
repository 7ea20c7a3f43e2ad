"""Own or rent: flows sum, financing is worth what it lends, break-even breaks even, the split is the best there is."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from groundplan.catalog.catalog import load_catalog
from groundplan.cli import main
from groundplan.errors import InputError, UnknownName
from groundplan.finops.lake.lake import Lake
from groundplan.finops.tco.assumptions import rows
from groundplan.finops.tco.brief import TcoBrief, read_tco_brief
from groundplan.finops.tco.compare import Case, swings
from groundplan.finops.tco.demand import Usage, usage_of_lake
from groundplan.finops.tco.flows import CATEGORIES, Drivers, flows, present_usd
from groundplan.finops.world.fleet import WorldSize
from groundplan.finops.world.write import write_world
from groundplan.physics.money import monthly_rate, present_value_usd
from groundplan.render import render
from groundplan.tasks.finops.lake import import_files
from groundplan.tasks.finops.tco import TcoRequest, TcoResult, tco

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "tco" / "brief.yaml"
WRITTEN = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
OPTIONS = ("on_demand", "spot", "reserved_1y", "reserved_3y")


def brief_of(*sets: str) -> TcoBrief:
    return read_tco_brief(deepcopy(WRITTEN), load_catalog(), sets)


def case_of(*sets: str, usage: Usage | None = None) -> Case:
    brief = brief_of(*sets)
    brief = brief if usage is None else replace(brief, usage=usage)
    return Case(brief, brief.values())


@pytest.fixture(scope="module")
def answer() -> TcoResult:
    """Return the answer to the example."""
    return tco(TcoRequest(EXAMPLE))


def test_payments_sum_by_month_by_year_and_in_all(answer: TcoResult) -> None:
    for option in answer.options:
        for table in (option["months"], option["years"]):
            for row in table:
                assert sum(Decimal(row[name]) for name in CATEGORIES) == Decimal(row["total"])
            for name in (*CATEGORIES, "total"):
                whole = option["total_usd"] if name == "total" else option["total"][name]
                assert sum(Decimal(row[name]) for row in table) == Decimal(whole)
        assert [row["month"] for row in option["months"]] == list(range(49))
        assert [row["year"] for row in option["years"]] == list(range(5))


def test_the_present_value_is_that_of_the_payments_shown(answer: TcoResult) -> None:
    for option in answer.options:
        by_hand = sum(float(row["total"]) / 1.08 ** (row["month"] / 12) for row in option["months"])
        assert by_hand == pytest.approx(float(option["npv_usd"]), abs=1.0)


def test_a_year_of_owning_by_hand() -> None:
    case = case_of("tco.utilization=50 %")
    paid = flows(case.brief, case.values, case.on_premise().drivers)
    assert paid["hardware"][0] == pytest.approx(64 * 320_000 * 1.18)
    kw = (512 * (70 + 0.5 * 630) + 64 * 4600) * 1.4 / 1000
    assert paid["power"][1:13].sum() == pytest.approx(kw * 8760 * 0.10)
    assert paid["colocation"][1:13].sum() == pytest.approx((512 * 0.7 + 64 * 4.6) * 150 * 12)
    assert paid["staff"][1:13].sum() == pytest.approx((1 + 512 * 2 / 1000) * 180_000)
    assert paid["maintenance"][1:13].sum() == pytest.approx(64 * 320_000 * 0.05)
    assert paid["residual"][-1] == pytest.approx(-0.1 * paid["hardware"][0])
    assert paid["cloud"].sum() == 0.0


@pytest.mark.parametrize("financing", ["loan", "lease"])
@pytest.mark.parametrize("rate", ["0 %", "8 %"])
@pytest.mark.parametrize("term", [3, 4, 6])
def test_money_lent_at_the_discount_rate_changes_no_present_value(financing: str, rate: str, term: int) -> None:
    sets = (
        f"assumptions.discount_rate={rate}",
        f"assumptions.financing_rate={rate}",
        f"assumptions.financing_years={term}",
    )
    cash, lent = (case_of(f"tco.financing={way}", *sets).on_premise().npv_usd for way in ("cash", financing))
    assert lent == pytest.approx(cash, rel=1e-9)


def test_dear_money_costs_and_cheap_money_saves() -> None:
    cash = case_of().on_premise().npv_usd
    for financing in ("loan", "lease"):
        cheap, dear = (
            case_of(f"tco.financing={financing}", f"assumptions.financing_rate={rate}").on_premise().npv_usd
            for rate in ("5 %", "12 %")
        )
        assert cheap < cash < dear


@pytest.mark.parametrize("option", ["on_demand", "spot"])
def test_at_the_break_even_use_owning_and_renting_cost_the_same(option: str) -> None:
    use = case_of().break_even_utilization(option)
    case = case_of(usage=Usage(np.array([use]), np.array([1.0]), "test"))
    assert case.on_premise().npv_usd == pytest.approx(case.renting(option).npv_usd, rel=1e-9)
    more, less = (case_of(usage=Usage(np.array([use * by]), np.array([1.0]), "test")) for by in (1.01, 0.99))
    assert more.on_premise().npv_usd < more.renting(option).npv_usd
    assert less.on_premise().npv_usd > less.renting(option).npv_usd


def test_owning_is_behind_before_the_break_even_month_and_ahead_from_then_on() -> None:
    case = case_of()
    month = case.break_even_month(case.on_premise(), "on_demand")
    own, rent = (
        np.cumsum(sum(flows(case.brief, case.values, way.drivers).values()))
        for way in (case.on_premise(), case.renting("on_demand"))
    )
    assert month is not None and own[month - 1] > rent[month - 1] and (own[month:] <= rent[month:]).all()
    cheap = case_of("assumptions.on_demand=0.5")
    assert cheap.break_even_month(cheap.on_premise(), "on_demand") is None


@settings(max_examples=60, deadline=None)
@given(
    used=st.lists(st.floats(0, 1), min_size=1, max_size=40),
    price=st.floats(0.3, 9),
    fleet=st.integers(1, 300),
    factor=st.floats(0.5, 1.5),
)
def test_the_split_is_the_best_of_all(used: list[float], price: float, fleet: int, factor: float) -> None:
    usage = Usage(np.sort(used), np.full(len(used), 1 / len(used)), "test")
    sets = (
        f"tco.accelerators={fleet}",
        f"assumptions.on_demand={price}",
        f"assumptions.demand_factor={factor}",
    )
    case = case_of(*sets, usage=usage)
    most = int(fleet * factor // 8) + 2
    brute = min(case.owning("hybrid", hosts).npv_usd for hosts in range(most + 1))
    assert case.hybrid().npv_usd == pytest.approx(brute, rel=1e-9, abs=1e-6)
    committed = min(case._committing("reserved_3y", count).npv_usd for count in range(0, 8 * most + 8, 8))
    assert case.renting("reserved_3y").npv_usd == pytest.approx(committed, rel=1e-9, abs=1e-6)


def test_costs_are_linear_in_what_is_owned_and_rented() -> None:
    case = case_of("tco.financing=loan")
    parts = [Drivers(site=1.0), Drivers(hosts=1.0), Drivers(working=1.0), Drivers(rented={"spot": 1.0})]
    site, host, working, spot = (present_usd(case.brief, case.values, part) for part in parts)
    whole = present_usd(case.brief, case.values, Drivers(1.0, 7, 33.5, {"spot": 12.25}))
    assert whole == pytest.approx(site + 7 * host + 33.5 * working + 12.25 * spot)


def test_the_hybrid_is_never_dearer_than_all_or_nothing(answer: TcoResult) -> None:
    cost = {row["name"]: float(row["npv_usd"]) for row in answer.options}
    assert cost["hybrid"] <= min(cost["on_premise"], cost["on_demand"])
    assert cost["reserved_3y"] <= cost["on_demand"] and cost["reserved_1y"] <= cost["on_demand"]


COSTS_MORE = ("host_price", "network_share", "storage_share", "spares_share", "idle_power", "host_power", "pue")
COSTS_MORE += ("electricity", "colocation", "staff_base", "staff_per_1000", "salary", "maintenance_share")


@pytest.mark.parametrize("name", COSTS_MORE)
def test_owning_costs_more_where_anything_it_needs_does(name: str) -> None:
    brief = brief_of()
    (one,) = (one for one in brief.assumptions if one.name == name)
    low, high = (Case(brief, brief.values() | {name: end}).on_premise().npv_usd for end in (one.low, one.high))
    assert low < high


def test_dearer_cloud_never_means_to_own_less() -> None:
    hosts = [case_of(f"assumptions.on_demand={price}").hybrid().hosts for price in (1, 2, 3, 4, 6, 9)]
    assert hosts == sorted(hosts) and hosts[0] < hosts[-1]


def test_the_tornado_is_the_comparison_at_the_ends(answer: TcoResult) -> None:
    sizes = [abs(float(row["saved_at_high_usd"]) - float(row["saved_at_low_usd"])) for row in answer.sensitivity]
    assert sizes == sorted(sizes, reverse=True)
    for row in answer.sensitivity:
        case = case_of(f"assumptions.{row['name']}={row['high']}")
        saved = case.renting("on_demand").npv_usd - case.on_premise().npv_usd
        assert float(row["saved_at_high_usd"]) == pytest.approx(saved, abs=0.02), row["name"]
    assert not any(swing.name.startswith("reserved") for swing in swings(brief_of()))


def test_an_assumption_that_turns_the_answer_is_marked() -> None:
    found = tco(TcoRequest(EXAMPLE, ("assumptions.on_demand={value: 6.88, low: 1, high: 7}",)))
    assert [row["name"] for row in found.sensitivity if row["turns"]] == ["on_demand"]


def test_every_number_has_class_and_source(answer: TcoResult) -> None:
    for one in answer.assumptions:
        assert one.source and one.evidence in ("measured", "datasheet", "published", "derived", "assumed")
        assert one.low is not None and one.value is not None and one.high is not None
        assert one.low <= one.value <= one.high
    told = {one.name: one for one in answer.assumptions}
    assert told["on_demand"].value == pytest.approx(55.04 / 8) and told["on_demand"].date == "2026-07-20"
    assert told["busy_power"].evidence == "datasheet"


def test_the_documents_tell_every_assumption() -> None:
    text = (ROOT / "docs" / "brief.md").read_text(encoding="utf-8")
    for row in rows().values():
        (line,) = (line for line in text.splitlines() if line.startswith(f"| `{row.key}` | {row.meaning} |"))
        assert line.endswith(f"| x {row.low:g} to {row.high:g} |")
        assert row.value is None or f"| {row.value:g} |" in line


def test_a_lake_tells_how_much_of_the_fleet_is_held(tmp_path: Path) -> None:
    write_world(WorldSize(8, 10, 40, 3), tmp_path / "w")
    lake = str(tmp_path / "lake")
    import_files(lake, [tmp_path / "w" / part for part in ("jobs", "telemetry")])
    usage, accelerators = usage_of_lake(Lake(lake))
    assert accelerators == 40 and usage.weights.sum() == pytest.approx(1.0)
    (held,) = (
        Lake(lake)
        .connect()
        .execute("""
        WITH span AS (SELECT min(time) AS a, date_trunc('hour', max(time)) AS b FROM telemetry)
        SELECT sum(gpus * greatest(0, epoch(least(coalesce(end_time, b), b) - greatest(start_time, a))))
            / any_value(epoch(b - a) * 40) FROM jobs, span WHERE start_time IS NOT NULL AND gpus > 0""")
        .fetchone()
    )
    assert usage.summary().mean == pytest.approx(held, rel=1e-3)
    written = deepcopy(WRITTEN)
    del written["tco"]["utilization"], written["tco"]["accelerators"]
    found = tco(TcoRequest(written, lake=lake))
    assert found.brief["accelerators"] == 40 and found.utilization.source.startswith("239 hours")


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        (("tco.acelerators=5",), "accelerators"),
        (("assumptions.pu=1.2",), "did you mean pue"),
        (("assumptions.pue=0.9",), "makes no sense"),
        (("assumptions.residual_share=120 %",), "more than the whole"),
        (("assumptions.price_change=-95 %",), "makes no sense"),
        (("assumptions.host_price={low: 1}",), "there is no value"),
        (("assumptions.pue={value: 1.3, low: 1.4}",), "not between"),
        (("assumptions.pue={valu: 1.3}",), "did you mean value"),
        (("assumptions.pue={value: 1.3, date: soon}",), "not a date"),
        (("tco.utilization=[{hours: 50 %, used: 1}]",), "50.0000% of the time"),
        (("tco.utilization=[0.5, 0.6]",), "expected"),
        (("tco.utilization=130 %",), "more than the whole"),
        (("tco.financing=gift",), "unknown 'gift'"),
        (("tco.cloud={host: p5.48xlarge, region: mars}",), "priced: "),
        (("tco.cloud=null",), "nobody says on_demand"),
        (("tco.years=40",), "cannot be compared"),
        (("tco.accelerators=1e15",), "too many"),
        (("assumptions.on_demand=1e308",), "makes no sense"),
        (("assumptions.idle_power=900 W",), "less than idle_power"),
        (("tco.host=DGX H1000",), "DGX H100"),
    ],
)
def test_briefs_that_mean_nothing_are_refused(sets: tuple[str, ...], words: str) -> None:
    with pytest.raises((InputError, UnknownName), match=words):
        brief_of(*sets)


def test_numbers_may_carry_their_units() -> None:
    plain = case_of("tco.years=2", "assumptions.electricity=0.12", "assumptions.salary=1000")
    said = case_of("tco.years=730 d", "assumptions.electricity=0.12 USD/kWh", "assumptions.salary=1k USD/year")
    assert plain.values == said.values and plain.brief.months == said.brief.months == 24


def test_renting_another_accelerator_than_is_owned_is_told() -> None:
    notes = tco(TcoRequest(EXAMPLE, ("tco.cloud={host: p4d.24xlarge}",))).notes
    assert any("in place of h100-sxm" in note for note in notes)
    assert not any("in place of" in note for note in tco(TcoRequest(EXAMPLE)).notes)


def test_where_only_spot_is_priced_and_the_fleet_too_small_nothing_is_firm() -> None:
    given_prices = ("assumptions.spot=2", "assumptions.host_price=1M USD", "assumptions.demand_factor=1.2")
    sets = ("tco.cloud=null", "tco.burst=spot", *given_prices)
    found = tco(TcoRequest(EXAMPLE, sets))
    assert found.best_firm is None
    assert {row["name"] for row in found.options} == {"on_premise", "hybrid", "spot"}
    assert "Cheapest is" in render(found.to_dict(), "table")


def test_a_lake_without_telemetry_is_told_so(tmp_path: Path, bill: Callable[..., Path]) -> None:
    from .conftest import charge

    lake = str(tmp_path / "lake")
    import_files(lake, [bill("a.csv", [charge("1")])])
    with pytest.raises(InputError, match="no hours of a fleet"):
        tco(TcoRequest(EXAMPLE, lake=lake))


def test_an_unused_fleet_costs_and_is_not_owned() -> None:
    found: dict[str, Any] = tco(TcoRequest(EXAMPLE, ("tco.utilization=0 %",))).to_dict()
    by_name = {row["name"]: row for row in found["options"]}
    assert by_name["hybrid"]["owned_hosts"] == 0 and float(by_name["on_premise"]["npv_usd"]) > 0
    assert by_name["on_premise"]["usd_per_used_hour"] is None
    assert "unknown" in render(found, "table")


@pytest.mark.parametrize("form", ["table", "json", "csv", "md", "html"])
def test_every_form_tells_the_verdict(answer: TcoResult, form: str) -> None:
    assert ("19257600.00" if form in ("json", "csv") else "owning 51 servers") in render(answer.to_dict(), form)


def test_present_values_of_the_law_broadcast() -> None:
    paid = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    rates = np.asarray(monthly_rate(np.array([0.05, 0.10])))
    both = np.asarray(present_value_usd(paid, rates))
    assert [float(present_value_usd(paid[i], rates[i])) for i in (0, 1)] == pytest.approx(both.tolist())


def test_the_payments_go_into_a_spreadsheet_as_numbers(answer: TcoResult) -> None:
    lines = list(csv.DictReader(render(answer.to_dict(), "csv").splitlines()))
    assert len(lines) == 6 * 49
    hybrid = [line for line in lines if line["option"] == "hybrid"]
    assert float(hybrid[-1]["residual"]) < 0
    assert sum(Decimal(line["total"]) for line in hybrid) == Decimal(
        next(row["total_usd"] for row in answer.options if row["name"] == "hybrid")
    )


def test_plan_sends_the_question_where_it_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(EXAMPLE)]) == 2
    assert "groundplan finops tco" in capsys.readouterr().err
    assert main(["finops", "tco", str(EXAMPLE), "--format", "json", "--as-of", "2027-06-01"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["as_of"] == "2027-06-01" and "the on_demand price is of 2026-07-20: check it" in found["notes"]
