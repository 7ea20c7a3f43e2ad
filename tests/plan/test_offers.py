"""What could be rented or bought: hosts that match, how many of them, the best price of each kind."""

from __future__ import annotations

import math

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.errors import InputError
from groundplan.plan.offers import (
    GIVEN,
    LARGEST_CLUSTER,
    OWNED_PROVIDER,
    candidate_hosts,
    clusters,
    ladder,
    node_counts,
    tariffs,
)
from groundplan.workload.brief import read_brief

CATALOG = load_catalog([])
DGX, P5, ALONE = (CATALOG.hosts[name] for name in ("onprem-dgx-h100", "aws-p5-48xlarge", "lambda-2x-h100-sxm"))
TPU = CATALOG.hosts["gcp-ct5lp-hightpu-4t"]


def brief_of(goal: dict | None = None, overrides: dict | None = None, **candidates):
    sections = {
        "train": {"model": "llama-3.1-8b", "tokens": "1B"},
        "candidates": candidates,
        "goal": goal or {},
        "overrides": overrides or {},
        "as_of": "2026-11-23",
    }
    return read_brief(sections, CATALOG)


def hosts_of(**candidates):
    return candidate_hosts(brief_of(**candidates), CATALOG)


def test_hosts_keep_every_wish():
    found = hosts_of(accelerators=["h100-sxm", "a100-sxm-80"], providers=["aws", "lambda"])
    assert {host.provider for host in found} == {"aws", "lambda"}
    assert {host.accelerator for host in found} == {"h100-sxm", "a100-sxm-80"}
    expected = [
        host
        for host in CATALOG.hosts.values()
        if host.provider in ("aws", "lambda") and host.accelerator in ("h100-sxm", "a100-sxm-80")
    ]
    assert found == expected


def test_what_must_be_bought_counts_only_where_it_is_asked_for():
    assert OWNED_PROVIDER not in {host.provider for host in hosts_of(accelerators=["h100-sxm"])}
    assert DGX in hosts_of(accelerators=["h100-sxm"], purchase=["owned"])
    assert DGX in hosts_of(instances=["onprem-dgx-h100"])
    assert {host.provider for host in hosts_of(providers=[OWNED_PROVIDER])} == {OWNED_PROVIDER}


def test_wishes_that_exclude_each_other_name_who_has_the_part():
    with pytest.raises(InputError) as caught:
        hosts_of(accelerators=["tpu-v5p"], providers=["aws"])
    assert "gcp" in caught.value.mend


def test_an_open_brief_leaves_edge_and_announced_parts_out():
    classes = {CATALOG.accelerators[host.accelerator].device_class for host in hosts_of()}
    assert not classes & {"edge", "announced", "unified", "fpga"}


@pytest.mark.parametrize("most", [0, 1, 2, 7, 24, 100, 1000])
def test_the_ladder_is_powers_of_two_and_three_times_them(most):
    """Brute force: numbers with no prime factor but two, and three at most once."""

    def belongs(n: int) -> bool:
        odd = n // (n & -n)
        return odd in (1, 3)

    assert ladder(most) == [n for n in range(1, most + 1) if belongs(n)]


@pytest.mark.parametrize("limit", [8, 24, 64, 1000, None])
def test_counts_reach_the_limit_and_stay_below_it(limit):
    counts = node_counts(P5, brief_of(), limit)
    bound = (limit or LARGEST_CLUSTER) // P5.accelerators
    assert counts == sorted(set(counts))
    assert counts[0] == 1 and counts[-1] == bound


def test_a_host_larger_than_the_limit_is_not_tried():
    assert node_counts(P5, brief_of(), 4) == []


def test_counts_that_no_whole_hosts_make_are_left_out():
    assert node_counts(P5, brief_of(counts=[4, 8, 12, 64]), None) == [1, 8]


def test_hosts_without_a_known_network_stand_alone():
    assert ALONE.nic_bits_per_s is None and ALONE.accelerators == 2
    assert node_counts(ALONE, brief_of(), None) == [1]
    assert node_counts(ALONE, brief_of(counts=[2, 4]), None) == [1]
    assert node_counts(ALONE, brief_of(counts=[4]), None) == []


def test_a_tpu_slice_stays_in_its_pod():
    """256 chips are a whole pod of TPU v5e (Google Cloud TPU documentation)."""
    counts = node_counts(TPU, brief_of(), None)
    assert max(counts) * TPU.accelerators == TPU.scaleup_domain == 256


def test_a_tpu_slice_stays_in_its_pod_whatever_number_is_asked_for():
    assert node_counts(TPU, brief_of(counts=[256, 512]), None) == [64]


def test_clusters_are_whole_hosts_on_the_fabric_asked_for():
    own, asked = next(clusters(P5, CATALOG, [3], None)), next(clusters(P5, CATALOG, [3], "infiniband-ndr"))
    assert own.accelerators == asked.accelerators == 24
    assert (own.fabric.id, asked.fabric.id) == (P5.fabric, "infiniband-ndr")


@pytest.mark.parametrize("name", ["aws-p5-48xlarge", "gcp-a2-ultragpu-4g", "aws-g6-12xlarge"])
def test_the_cheapest_region_of_each_purchase_is_taken(name):
    host, wanted = CATALOG.hosts[name], ["on_demand", "spot", "reserved_1y"]
    for tariff in tariffs(host, brief_of(purchase=wanted), CATALOG):
        known = [price.usd_per_hour for price in CATALOG.prices_of(host.id, option=tariff.option)]
        assert tariff.price is not None and tariff.price.usd_per_hour == min(known)
        assert tariff.option in wanted and tariff.region == tariff.price.region


def test_only_the_regions_asked_for_are_priced():
    regions = sorted({price.region for price in CATALOG.prices_of(P5.id, option="on_demand")})
    dearest = max(CATALOG.prices_of(P5.id, option="on_demand"), key=lambda price: price.usd_per_hour)
    (tariff,) = tariffs(P5, brief_of(regions=[dearest.region]), CATALOG)
    assert len(regions) > 1 and tariff.region == dearest.region
    elsewhere = next(host for host in hosts_of(providers=["gcp"]) if CATALOG.prices_of(host.id))
    assert tariffs(elsewhere, brief_of(regions=[dearest.region]), CATALOG) == []


def test_carbon_prefers_the_cleanest_grid():
    (tariff,) = tariffs(P5, brief_of(goal={"minimize": "carbon"}), CATALOG)
    assert tariff.grid is not None
    grams = [
        grid.carbon_g_per_kwh
        for price in CATALOG.prices_of(P5.id, option="on_demand")
        if (grid := CATALOG.grid_of(P5.provider, price.region)) and grid.carbon_g_per_kwh is not None
    ]
    assert tariff.grid.carbon_g_per_kwh == min(grams)


def test_a_given_price_is_of_each_accelerator_and_says_so():
    (tariff,) = tariffs(P5, brief_of(overrides={"price": "3 USD"}), CATALOG)
    assert tariff.price is not None and tariff.price.source == GIVEN
    assert tariff.price.usd_per_hour == pytest.approx(8 * 3.0)
    assert tariff.price.evidence == "assumed"


def test_an_unknown_price_stays_unknown_and_is_not_free():
    unpriced = [host for host in CATALOG.hosts.values() if not CATALOG.prices_of(host.id)]
    assert unpriced
    for host in unpriced:
        (tariff,) = tariffs(host, brief_of(), CATALOG)
        assert tariff.price is None and tariff.option == "unknown"


def test_no_catalog_price_is_free_or_infinite():
    for price in CATALOG.prices:
        assert 0.0 < price.usd_per_hour < math.inf, price
