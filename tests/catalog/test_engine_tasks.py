"""The tasks catalog list, show and check."""

from __future__ import annotations

import json

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.errors import InputError, UnknownName
from groundplan.tasks.catalog import KINDS, catalog_check, catalog_list, catalog_show


@pytest.fixture(scope="module")
def catalog():
    return load_catalog([])


def test_the_list_counts_every_kind(catalog):
    counts = {row["kind"]: row["rows"] for row in catalog_list(catalog).rows}
    assert tuple(counts) == KINDS
    assert counts["accelerators"] == len(catalog.accelerators) and counts["models"] == len(catalog.models)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_lists_as_plain_json_with_units_in_the_keys(catalog, kind):
    result = catalog_list(catalog, kind).to_dict()
    assert result["schema"] == "groundplan/catalog-list/1" and result["kind"] == kind
    assert json.loads(json.dumps(result)) == result


def test_text_narrows_the_list(catalog):
    assert {row["id"] for row in catalog_list(catalog, "accelerators", "h 100").rows} == {
        "h100-sxm",
        "h100-pcie",
        "h100-nvl",
    }
    assert catalog_list(catalog, "accelerators", "no such thing").rows == ()


def test_a_row_shows_the_source_of_each_attribute(catalog):
    shown = catalog_show(catalog, "H100").to_dict()
    assert (shown["kind"], shown["id"]) == ("accelerators", "h100-sxm")
    assert shown["attributes"]["peak_bf16"] == {
        "value": 989e12,
        "unit": "FLOP/s",
        "evidence": "datasheet",
        "source": "NVIDIA H100 datasheet",
        "note": "",
    }


def test_any_kind_is_shown_by_what_people_type(catalog):
    shown = {name: catalog_show(catalog, name).kind for name in ("NDR", "s3", "lion", "EPYC 9654", "aws us-east-1")}
    assert shown == {
        "NDR": "fabrics",
        "s3": "storage",
        "lion": "optimizers",
        "EPYC 9654": "cpus",
        "aws us-east-1": "grids",
    }


def test_a_model_shows_its_size(catalog):
    if "llama-3.1-8b" not in catalog.models:
        pytest.skip("no model rows here")
    shown = catalog_show(catalog, "meta-llama/Llama-3.1-8B").to_dict()
    assert shown["kind"] == "models" and shown["parameters"] == shown["active_parameters"] == 8_030_261_248
    assert shown["architecture"]["layers"] == 32


def test_a_path_to_a_config_is_a_model(catalog, tmp_path):
    config = {"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12, "vocab_size": 50257}
    config["n_positions"] = 1024
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert catalog_show(catalog, str(tmp_path / "config.json")).parameters == 124_439_808


def test_unknown_names_get_the_nearest(catalog):
    with pytest.raises(UnknownName) as caught:
        catalog_show(catalog, "infiniband-ndx")
    assert "infiniband-ndr" in caught.value.nearest
    with pytest.raises(UnknownName):
        catalog_show(catalog, "H100", kind="optimizers")
    with pytest.raises(UnknownName):
        catalog_list(catalog, "accelerator")
    with pytest.raises(InputError):
        catalog_show(catalog, " ")


def test_the_check_is_clean_and_finds_what_a_user_breaks(catalog, tmp_path):
    assert catalog_check(catalog).problems == ()
    (tmp_path / "rows.yaml").write_text(
        "accelerators:\n  odd: {like: h100-sxm, peak_bf16: 1 TFLOP/s, tdp: 90000 W, aliases: H200, source: me}\n"
    )
    problems = "\n".join(catalog_check(load_catalog([tmp_path])).problems)
    assert "odd tdp: 90000 is above" in problems
    assert "odd: sustained bf16 is above its peak" in problems
    assert "'h200' means" in problems
