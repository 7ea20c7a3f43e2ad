"""The storage calculator: MLPerf's rates, language models that hardly read, caches, products, bad input."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from groundplan.catalog.catalog import Catalog, load_catalog
from groundplan.errors import InputError, UnknownName
from groundplan.tasks.storage import StorageRequest, storage

IMAGES = StorageRequest(100, "h100-sxm", "resnet-50")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog([])


@pytest.mark.parametrize(
    ("kind", "low", "high"), [("resnet-50", 18e9, 20e9), ("ResNet50", 18e9, 20e9), ("unet3d", 276e9, 318e9)]
)
def test_a_hundred_h100_by_mlperfs_own_rates(catalog: Catalog, kind: str, low: float, high: float) -> None:
    assert low <= storage(replace(IMAGES, dataset_kind=kind), catalog).read_bytes_per_s <= high


def test_64_a100_read_less_than_a_megabyte_of_text_a_second(catalog: Catalog) -> None:
    assert 0.0 < storage(StorageRequest(64, "a100-sxm-80", "text"), catalog).read_bytes_per_s < 1e6


def test_an_accelerator_that_nobody_measured_reads_text_as_fast_as_it_computes(catalog: Catalog) -> None:
    result = storage(StorageRequest(64, "h200-sxm", "text"), catalog)
    peak = catalog.accelerator("h200-sxm").flops["bf16"]
    assert result.read_bytes_per_s == pytest.approx(64 * 0.4 * peak / (6 * 20e9) * 4)
    assert {"mfu_of_readers", "parameters_of_readers"} <= {a.name for a in result.assumptions}


def test_a_larger_model_reads_slower_and_saves_more(catalog: Catalog) -> None:
    small = storage(StorageRequest(64, "a100-sxm-80", "text", model="llama-2-7b"), catalog)
    large = storage(StorageRequest(64, "a100-sxm-80", "text", model="llama-3.1-405b"), catalog)
    assert large.read_bytes_per_s < small.read_bytes_per_s
    assert large.checkpoint_bytes is not None and large.checkpoint_bytes / 2**30 == pytest.approx(5292, abs=0.5)
    assert large.write_bytes_per_s == pytest.approx(large.checkpoint_bytes / 300.0)


def test_the_checkpoints_of_a_language_model_ask_more_than_its_data(catalog: Catalog) -> None:
    result = storage(StorageRequest(64, "a100-sxm-80", "text", model="llama-2-7b"), catalog)
    assert result.write_bytes_per_s > 100 * result.read_bytes_per_s


@pytest.mark.parametrize(("pinned", "served"), [(False, 0.153), (True, 0.5)])
def test_half_the_data_cached(catalog: Catalog, pinned: bool, served: float) -> None:
    result = storage(replace(IMAGES, cached_fraction=0.5, pinned=pinned), catalog)
    assert result.cache_hit_rate == pytest.approx(served, abs=1e-3)
    assert result.read_bytes_per_s == pytest.approx(
        storage(IMAGES, catalog).read_bytes_per_s * (1 - result.cache_hit_rate)
    )


def test_a_cache_saves_reads_but_no_decoding(catalog: Catalog) -> None:
    plain, cached = storage(IMAGES, catalog), storage(replace(IMAGES, cached_fraction=0.9), catalog)
    assert cached.decompress_cores == plain.decompress_cores > 100
    assert storage(replace(IMAGES, dataset_kind="text"), catalog).decompress_cores == 0.0


def test_products_that_do_come_first_cheapest_first(catalog: Catalog) -> None:
    result = storage(replace(IMAGES, dataset_bytes=1e13), catalog)
    assert [p.ok for p in result.products] == sorted((p.ok for p in result.products), reverse=True)
    prices = [p.usd_per_month for p in result.products if p.ok and p.usd_per_month is not None]
    assert prices and prices == sorted(prices)
    assert all(p.reason for p in result.products)
    assert result.warnings == ()


def test_what_cannot_be_sized_is_unknown_and_not_free(catalog: Catalog) -> None:
    result = storage(replace(IMAGES, storage="s3"), catalog)
    assert (result.products[0].provisioned_bytes, result.products[0].usd_per_month) == (None, None)
    assert result.warnings


def test_throughput_sold_with_capacity_sets_the_capacity(catalog: Catalog) -> None:
    answer = storage(replace(IMAGES, dataset_bytes=1e12, storage="fsx-lustre-125"), catalog).products[0]
    assert answer.provisioned_bytes is not None
    assert answer.provisioned_bytes / 2**40 * 125e6 == pytest.approx(18.98e9, rel=0.01)


def test_a_product_too_slow_leaves_accelerators_waiting(catalog: Catalog) -> None:
    result = storage(replace(IMAGES, dataset_kind="unet3d", storage="s3", dataset_bytes=1e13), catalog)
    product = result.products[0]
    assert not product.ok and product.read_bytes_per_s is not None and result.stall_share is not None
    assert 1.0 - result.stall_share == pytest.approx(product.read_bytes_per_s / result.read_bytes_per_s)


def test_many_requests_must_be_open_to_an_object_store(catalog: Catalog) -> None:
    """Little: 19 GB/s in requests of 8 MiB that each take 150 ms."""
    result = storage(replace(IMAGES, storage="s3"), catalog)
    assert result.requests_in_flight == pytest.approx(18.98e9 / 2**23 * 0.15, rel=0.01)


def test_the_answer_is_plain_json_with_the_keys_of_the_contract(catalog: Catalog) -> None:
    plain = json.loads(json.dumps(storage(IMAGES, catalog).to_dict(), allow_nan=False))
    contract = "read_bytes_per_s checkpoint_bytes write_bytes_per_s products requests_in_flight cache_hit_rate"
    assert set(contract.split()) | {"decompress_cores"} <= set(plain)
    product = "id name ok reason provisioned_bytes read_bytes_per_s write_bytes_per_s usd_per_month"
    assert set(plain["products"][0]) == set(product.split())
    assert plain["checkpoint_bytes"] is None


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"accelerators": 0}, "accelerators"),
        ({"samples_per_s": -1.0}, "samples-per-s"),
        ({"sample_bytes": 0.0}, "sample-bytes"),
        ({"dataset_bytes": math.nan}, "dataset-bytes"),
        ({"checkpoint_write_s": 0.0}, "checkpoint-write"),
        ({"cached_fraction": 1.5}, "cached-fraction"),
        ({"accelerator": "l4"}, "not published"),
    ],
)
def test_numbers_that_cannot_be_are_refused(catalog: Catalog, wrong: dict[str, float], word: str) -> None:
    with pytest.raises(InputError) as caught:
        storage(replace(IMAGES, **wrong), catalog)
    assert word in caught.value.what and caught.value.mend


@pytest.mark.parametrize("wrong", [{"dataset_kind": "unet"}, {"accelerator": "h10"}, {"storage": "fsx-lustr"}])
def test_unknown_names_get_the_nearest(catalog: Catalog, wrong: dict[str, str]) -> None:
    with pytest.raises(UnknownName) as caught:
        storage(replace(IMAGES, **wrong), catalog)
    assert caught.value.nearest
