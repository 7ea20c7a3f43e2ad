"""Commitments: the programme finds what the closed form and trying everything find, and never more than is billed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundplan.catalog.catalog import load_catalog
from groundplan.finops.recommend.commitments import STAGES, Stage, Term, Usage, best_mix, commitments, hourly_cost
from groundplan.tasks.finops.allocate import AllocateRequest
from groundplan.tasks.finops.lake import import_files
from groundplan.tasks.finops.recommend import RecommendResult, recommend

Bill = Callable[..., Path]
NOW = (Stage(1.0, 1.0),)
BILL = ("BilledCost", "EffectiveCost", "BillingCurrency", "ChargePeriodStart", "ChargePeriodEnd", "ChargeCategory",
        "PricingCategory", "PricingQuantity", "PricingUnit", "ServiceCategory", "ProviderName", "RegionId",
        "SkuPriceDetails", "ResourceId", "CommitmentDiscountId")  # fmt: skip
COMMITTED = "ContractCommitmentId,ContractCommitmentCategory,ContractCommitmentCost,ContractCommitmentPeriodStart,\
ContractCommitmentPeriodEnd,BillingCurrency\n"


def whole(units: list[int]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(units, dtype=np.float64), np.ones(len(units))


@settings(deadline=None)  # the solver is loaded within the first example
@given(st.lists(st.integers(0, 60), min_size=1, max_size=40), st.floats(0.05, 0.95))
def test_one_commitment_is_the_quantile_of_the_newsvendor(units: list[int], share: float) -> None:
    used, weights = whole(units)
    (committed,) = best_mix(used, weights, 2.0, [Term("1", 2.0 * share, False)], NOW).values()
    quantile = np.sort(used)[np.ceil(len(used) * (1.0 - share) - 1e-9).astype(int).clip(1) - 1]
    term = [Term("1", 2.0 * share, False)]
    best = hourly_cost(used, weights, 2.0, term, {"1": float(quantile)})
    assert hourly_cost(used, weights, 2.0, term, {"1": committed}) == pytest.approx(best, rel=1e-9, abs=1e-9)


@settings(deadline=None)  # the solver is loaded within the first example
@given(st.lists(st.integers(0, 6), min_size=1, max_size=8), st.floats(0.3, 0.9), st.floats(0.2, 0.8))
def test_a_mix_of_terms_costs_no_more_than_any_tried_by_hand(units: list[int], one: float, three: float) -> None:
    used, weights = whole(units)
    terms = [Term("1 year", one, False), Term("3 years", three, True)]
    mix = best_mix(used * 5, weights, 1.0, terms)  # all quantiles of all stages are whole: 0.8 x 5 is

    def over_three_years(firm: float) -> float:
        """Return the least cost with a firm commitment: the yearly one of each stage tried in whole steps."""
        return sum(
            stage.weight
            * min(
                hourly_cost(used * 5 * stage.factor, weights, 1.0, terms, {"3 years": firm, "1 year": float(yearly)})
                for yearly in range(31)
            )
            for stage in STAGES
        )

    best = min(over_three_years(float(firm)) for firm in range(31))
    assert over_three_years(mix["3 years"]) == pytest.approx(best, rel=1e-9, abs=1e-9)
    first = min(
        hourly_cost(used * 5, weights, 1.0, terms, {"3 years": mix["3 years"], "1 year": float(y)}) for y in range(31)
    )
    assert hourly_cost(used * 5, weights, 1.0, terms, mix) == pytest.approx(first, rel=1e-9, abs=1e-9)


@settings(deadline=None)  # the solver is loaded within the first example
@given(st.lists(st.integers(0, 9), min_size=2, max_size=30), st.floats(0.1, 0.9), st.floats(0.0, 5.0))
def test_savings_are_never_more_than_what_is_billed_nor_than_the_discount(
    units: list[int], share: float, held: float
) -> None:
    usage = Usage("aws", "r", "big", *whole(units), 3.0)
    found, _ = commitments([usage], {("big", "r"): [Term("1 year", share, False, "list")]}, 30.0, held)
    for row in found:
        assert row.low_usd <= row.high_usd <= usage.spend * (1.0 - share) + 1e-6


def test_what_is_committed_elsewhere_is_taken_off() -> None:
    usage = Usage("aws", "r", "big", *whole([10] * 24), 4.0)
    prices = {("big", "r"): [Term("1 year", 0.5, False, "list")]}
    (plain,), _ = commitments([usage], prices, 30.0)
    (less,), _ = commitments([usage], prices, 30.0, 8.0)  # 8 dollars an hour are 4 units at 2 dollars
    assert plain.high_usd == pytest.approx(10 * 2 * 720) and less.high_usd == pytest.approx(6 * 2 * 720)


@pytest.fixture
def billed(tmp_path: Path, bill: Bill) -> Callable[..., RecommendResult]:
    """Return a function that advises on a bill of some days: 4 machines all day, 6 more from 8 to 20."""

    def advise(days: int, *more: Path) -> RecommendResult:
        rows = []
        for day, hour in product(range(days), range(24)):
            at, until = (
                np.datetime64("2026-05-01T00") + np.timedelta64(day * 24 + hour + more, "h") for more in (0, 1)
            )
            units = 10 if 8 <= hour < 20 else 4
            amount = f"{units * 2}"
            rows.append((amount, amount, "USD", f"{at}:00:00Z", f"{until}:00:00Z", "Usage", "Standard", units, "Hours",
                         "Compute", "AWS", "us-east-1", '{"InstanceType": "own.big"}', f"i-{hour}", ""))  # fmt: skip
        import_files(str(tmp_path / "lake"), [bill("b.csv", rows, BILL), *more])
        return recommend(AllocateRequest(str(tmp_path / "lake")), load_catalog())

    return advise


def _prices(tmp_path: Path) -> Path:
    path = tmp_path / "own.csv"
    path.write_text(
        "provider,region,instance,on_demand_usd_per_hour,reserved_1y_usd_per_hour,reserved_3y_usd_per_hour,date,source\n"
        "aws,us-east-1,own.big,4,2.4,,2026-04-01,quote\n"
    )
    return path


def test_a_price_list_with_terms_commits_to_the_base_and_leaves_the_day_on_demand(
    billed: Callable[..., RecommendResult], tmp_path: Path
) -> None:
    found = billed(30, _prices(tmp_path))
    (row,) = [one for one in found.recommendations if one["kind"] == "commitment"]
    assert "commit to 4 for 1 year" in row["what"] and "quote" in row["evidence"]
    assert float(row["high_usd"]) == pytest.approx(4 * 720 * 2 * 0.4)  # the base at 60 %: half the hours are too few
    assert found.together == {"low_usd": row["low_usd"], "high_usd": row["high_usd"]}


def test_a_commitment_that_no_charge_shows_yet_is_taken_off(
    billed: Callable[..., RecommendResult], tmp_path: Path
) -> None:
    ahead = tmp_path / "commitments.csv"
    hours = 365 * 24
    ahead.write_text(COMMITTED + f"plan,Spend,{2.4 * hours},2026-06-01T00:00:00Z,2027-06-01T00:00:00Z,USD\n")
    (row,) = billed(30, _prices(tmp_path), ahead).recommendations
    assert "commit to 2 for 1 year" in row["what"]  # 2.4 dollars an hour are 2 units at 1.2


@pytest.mark.parametrize(
    ("days", "needs"), [(20, "30 days of bill; the lake has 20.0"), (30, "reserved prices of own")]
)
def test_a_short_bill_or_an_unpriced_type_is_not_judged(
    billed: Callable[..., RecommendResult], days: int, needs: str
) -> None:
    found = billed(days)
    assert not found.recommendations
    assert next(row["needs"] for row in found.not_judged if row["kind"] == "commitment").startswith(needs)
