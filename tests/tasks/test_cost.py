"""The cost calculator: the guide's bill without its error, whole hosts, old prices, bad input."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from groundplan.catalog.catalog import Catalog, load_catalog
from groundplan.catalog.rows import Host, Price
from groundplan.errors import InputError, UnknownName
from groundplan.tasks.cost import CostRequest, cost


def host(name: str, provider: str, accelerators: int) -> Host:
    return Host(
        name,
        name,
        (),
        {},
        provider,
        "a100-sxm-80",
        accelerators,
        accelerators,
        None,
        None,
        None,
        None,
        "none",
        None,
        None,
    )


@pytest.fixture
def catalog() -> Catalog:
    """Two hosts: small ones that cost more for each accelerator, and one of eight that costs less."""
    catalog = load_catalog([])
    catalog.__dict__["hosts"] = {"one": host("one", "small", 1), "eight": host("eight", "big", 8)}
    catalog.__dict__["prices"] = (
        Price("one", "small", "here", "on_demand", 4.0, "2026-11-01", "published", "a price list"),
        Price("eight", "big", "here", "on_demand", 24.0, "2026-01-01", "published", "a price list"),
        Price("eight", "big", "there", "on_demand", 28.0, "", "published", "a price list"),
        Price("eight", "big", "here", "spot", 8.0, "2026-11-20", "published", "a price list"),
    )
    return catalog


A100 = CostRequest(8, 24.0, accelerator="a100-sxm-80", as_of="2026-11-23")


def test_8_gpus_at_3_dollars_round_the_clock(catalog: Catalog) -> None:
    result = cost(CostRequest(8, hours=24.0, price=3.0), catalog)
    assert (result.cost_usd, result.per_day_usd, result.per_month_usd) == (576.0, 576.0, 17_280.0)
    assert result.price.evidence == "assumed" and result.warnings == ()


def test_a_month_does_not_depend_on_the_hours_asked(catalog: Catalog) -> None:
    """The guide multiplies the bill of 24 hours by 720."""
    day, week = (cost(CostRequest(8, hours=hours, price=3.0), catalog) for hours in (24.0, 168.0))
    assert week.cost_usd == 7 * day.cost_usd
    assert week.per_month_usd == day.per_month_usd


def test_scenario_a_of_the_guide(catalog: Catalog) -> None:
    assert cost(CostRequest(64, hours=72.0, price=3.0), catalog).cost_usd == pytest.approx(13_824.0)


def test_the_cheapest_host_is_found(catalog: Catalog) -> None:
    result = cost(A100, catalog)
    assert (result.price.instance, result.price.region, result.cost_usd) == ("eight", "here", 576.0)


def test_hosts_are_sold_whole(catalog: Catalog) -> None:
    result = cost(replace(A100, accelerators=12, provider="big"), catalog)
    assert result.cost_usd == pytest.approx(2 * 24.0 * 24.0)
    assert result.terms == pytest.approx({"compute": 12 * 3.0 * 24, "unused": 4 * 3.0 * 24})
    assert "16 are paid for" in result.headline


def test_a_dearer_small_host_wins_where_a_large_one_would_stand_idle(catalog: Catalog) -> None:
    assert cost(replace(A100, accelerators=2), catalog).price.instance == "one"


def test_the_terms_sum_and_so_does_the_tree(catalog: Catalog) -> None:
    result = cost(replace(A100, accelerators=13, provider="big", hours=7.5), catalog)
    assert math.fsum(result.terms.values()) == pytest.approx(result.cost_usd)
    assert result.price.usd_per_hour * 7.5 == pytest.approx(result.cost_usd)
    assert math.fsum(c.value for c in result.explain["cost_usd"].children) == pytest.approx(result.cost_usd)


def test_spot_and_region_are_kept(catalog: Catalog) -> None:
    assert cost(replace(A100, purchase="spot"), catalog).cost_usd == pytest.approx(8.0 * 24)
    assert cost(replace(A100, region="there"), catalog).cost_usd == pytest.approx(28.0 * 24)


def test_old_and_undated_prices_say_so(catalog: Catalog) -> None:
    old = cost(A100, catalog)
    assert old.price.age_days == 326 and "326 days old" in old.warnings[0]
    assert "no date" in cost(replace(A100, region="there"), catalog).warnings[0]
    assert cost(replace(A100, purchase="spot"), catalog).warnings == ()


def test_the_answer_is_plain_json_with_the_keys_of_the_contract(catalog: Catalog) -> None:
    plain = json.loads(json.dumps(cost(A100, catalog).to_dict(), allow_nan=False))
    assert {"cost_usd", "per_day_usd", "per_month_usd", "terms", "price"} <= set(plain)
    assert plain == cost(A100, catalog).to_dict()


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"accelerators": 0}, "accelerators"),
        ({"hours": -1.0}, "hours"),
        ({"hours": math.nan}, "hours"),
        ({"price": -3.0}, "price"),
        ({"accelerator": None}, "no price"),
        ({"accelerator": "h100-sxm"}, "no host"),
        ({"provider": "nobody"}, "nobody"),
        ({"region": "nowhere"}, "nowhere"),
        ({"as_of": "yesterday"}, "as-of"),
    ],
)
def test_requests_that_cannot_be_priced_are_refused(catalog: Catalog, wrong: dict[str, float], word: str) -> None:
    with pytest.raises(InputError) as caught:
        cost(replace(A100, **wrong), catalog)
    assert word in caught.value.what and caught.value.mend


@pytest.mark.parametrize("wrong", [{"purchase": "sopt"}, {"accelerator": "a1000-sxm"}, {"instance": "eigth"}])
def test_unknown_names_get_the_nearest(catalog: Catalog, wrong: dict[str, str]) -> None:
    with pytest.raises(UnknownName) as caught:
        cost(replace(A100, **wrong), catalog)
    assert caught.value.nearest
