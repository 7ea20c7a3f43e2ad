"""The AllReduce calculator: the guide's question with the right answer, terms that sum, bad input."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from groundplan.catalog.catalog import Catalog, load_catalog
from groundplan.errors import InputError, UnknownName
from groundplan.tasks.allreduce import AllreduceRequest, allreduce

GUIDE = AllreduceRequest(bytes=20e9, accelerators=64, per_second=1.0, fabric="infiniband-hdr")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog([])


def test_20_gb_on_64_gpus_each_second_is_more_than_hdr_carries_on_a_flat_ring(catalog: Catalog) -> None:
    result = allreduce(GUIDE, catalog)
    assert result.bytes_per_device == pytest.approx(39.375e9)
    assert result.flat_ring_bits_per_s == pytest.approx(315e9)
    assert result.hierarchical_bits_per_s == pytest.approx(35e9)
    assert result.fabric_bits_per_s == 200e9
    assert (result.fabric_ok, result.hierarchical_ok) == (False, True)
    assert "315 Gb/s" in result.headline and "35 Gb/s" in result.headline


def test_ndr_carries_the_flat_ring(catalog: Catalog) -> None:
    assert allreduce(replace(GUIDE, fabric="infiniband-ndr"), catalog).fabric_ok


def test_a_rate_between_what_a_link_has_and_what_messages_reach_does_not_fit(catalog: Catalog) -> None:
    result = allreduce(replace(GUIDE, per_second=190.0 / 315.0), catalog)
    assert result.sustained_bits_per_s < result.flat_ring_bits_per_s < result.fabric_bits_per_s
    assert not result.fabric_ok


@pytest.mark.parametrize("accelerators", [2, 8, 64, 1024])
@pytest.mark.parametrize("fabric", ["ethernet-100", "infiniband-ndr"])
@pytest.mark.parametrize("accelerator", [None, "l4", "h100-sxm"])
def test_the_terms_sum_to_the_time(catalog: Catalog, accelerators: int, fabric: str, accelerator: str | None) -> None:
    result = allreduce(replace(GUIDE, accelerators=accelerators, fabric=fabric, accelerator=accelerator), catalog)
    assert min(result.terms.values()) >= 0.0
    assert math.fsum(result.terms.values()) == pytest.approx(result.time_s.value)
    assert result.time_s.low < result.time_s.value < result.time_s.high


def test_within_one_node_the_fabric_carries_nothing(catalog: Catalog) -> None:
    result = allreduce(replace(GUIDE, accelerators=8, per_second=100.0), catalog)
    assert result.hierarchical_bits_per_s == 0.0
    assert result.terms["between_nodes"] == 0.0
    assert result.fabric_ok and result.hierarchical_ok


def test_eight_h200_reduce_at_the_measured_bus_bandwidth(catalog: Catalog) -> None:
    """nccl-tests on 8 x H200: 367 GB/s bus bandwidth of a ring, which is 2 (n - 1) / n x bytes over the time."""
    result = allreduce(AllreduceRequest(16e9, 8, accelerator="h200-sxm"), catalog)
    assert result.bytes_per_device / result.time_s.value == pytest.approx(367e9, rel=0.05)


def test_a_model_in_half_the_width_is_half_the_bytes(catalog: Catalog) -> None:
    wide = AllreduceRequest(model="llama-2-7b", accelerators=64, dtype="fp32")
    narrow = replace(wide, dtype="bf16")
    assert allreduce(wide, catalog).bytes_per_device == pytest.approx(2 * allreduce(narrow, catalog).bytes_per_device)
    assert allreduce(narrow, catalog).bytes_per_device == pytest.approx(2 * 63 / 64 * 2 * 6_738_415_616)


def test_accumulation_asks_less_of_the_network_in_the_same_time(catalog: Catalog) -> None:
    often, seldom = allreduce(GUIDE, catalog), allreduce(replace(GUIDE, accumulation=4), catalog)
    assert seldom.flat_ring_bits_per_s == pytest.approx(often.flat_ring_bits_per_s / 4)
    assert seldom.time_s == often.time_s


def test_compute_beside_it_hides_most_of_it(catalog: Catalog) -> None:
    alone = allreduce(GUIDE, catalog)
    beside = allreduce(replace(GUIDE, compute_s=10.0), catalog)
    assert alone.exposed_s is None
    assert beside.exposed_s is not None and 0.0 < beside.exposed_s < 0.5 * beside.time_s.value


def test_the_answer_is_plain_json_with_the_keys_of_the_contract(catalog: Catalog) -> None:
    plain = json.loads(json.dumps(allreduce(GUIDE, catalog).to_dict(), allow_nan=False))
    contract = "bytes_per_device flat_ring_bits_per_s hierarchical_bits_per_s time_s fabric_ok fabric fabric_bits_per_s"
    assert set(contract.split()) | {"accelerators", "ranks_per_node", "terms"} <= set(plain)
    assert plain["schema"] == "groundplan/allreduce/1"
    assert set(plain["time_s"]) == {"value", "low", "high"}


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"bytes": -1.0}, "bytes"),
        ({"bytes": math.nan}, "bytes"),
        ({"bytes": None}, "bytes"),
        ({"model": "llama-2-7b"}, "bytes"),
        ({"accelerators": 0}, "accelerators"),
        ({"accelerators": 60}, "nodes of 8"),
        ({"ranks_per_node": 0}, "ranks-per-node"),
        ({"accumulation": 0}, "accumulation"),
        ({"per_second": 0.0}, "per-second"),
        ({"compute_s": -1.0}, "compute"),
    ],
)
def test_sizes_that_cannot_be_are_refused(catalog: Catalog, wrong: dict[str, float], word: str) -> None:
    with pytest.raises(InputError) as caught:
        allreduce(replace(GUIDE, **wrong), catalog)
    assert word in caught.value.what and caught.value.mend


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ({"fabric": "infiniband-hdd"}, "infiniband-hdr"),
        ({"bytes": None, "model": "llama-2-7b", "dtype": "bf6"}, "bf16"),
    ],
)
def test_unknown_names_get_the_nearest(catalog: Catalog, wrong: dict[str, str], nearest: str) -> None:
    with pytest.raises(UnknownName) as caught:
        allreduce(replace(GUIDE, **wrong), catalog)
    assert nearest in caught.value.nearest
