"""The checkpoint calculator: Daly's and Meta's published numbers, sizes, bad input."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from groundplan.catalog.catalog import Catalog, load_catalog
from groundplan.errors import InputError, UnknownName
from groundplan.evidence import Term
from groundplan.tasks.checkpoint import CheckpointRequest, checkpoint

DALY = CheckpointRequest(write_s=300.0, restart_s=600.0, mtbf_s=86_400.0)
LLAMA = CheckpointRequest("llama-3.1-405b", accelerators=16_384)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog([])


@pytest.mark.parametrize(("mtbf_h", "minutes"), [(24.0, 117), (6.0, 57), (0.25, 9.1)])
def test_dalys_published_intervals(catalog: Catalog, mtbf_h: float, minutes: float) -> None:
    result = checkpoint(replace(DALY, mtbf_s=mtbf_h * 3600), catalog)
    assert round(result.interval_s / 60, 1 if minutes < 10 else 0) == minutes
    assert result.interval_s == result.daly_s
    assert result.young_s == pytest.approx(math.sqrt(2 * 300 * mtbf_h * 3600))


def test_a_405b_checkpoint_is_5292_gib(catalog: Catalog) -> None:
    result = checkpoint(LLAMA, catalog)
    assert result.bytes is not None and result.bytes / 2**30 == pytest.approx(5292, abs=0.5)
    assert result.nodes == 2048
    assert result.mtbf_s / 3600 == pytest.approx(3.1, abs=0.05)


def test_rsc_1_fails_every_1_8_hours_at_16384_gpus(catalog: Catalog) -> None:
    result = checkpoint(replace(LLAMA, failures_per_1000_node_days=6.5), catalog)
    assert result.mtbf_s / 3600 == pytest.approx(1.8, abs=0.05)


def test_saving_beside_training_stalls_less_and_leaves_more(catalog: Catalog) -> None:
    after, beside = checkpoint(LLAMA, catalog), checkpoint(replace(LLAMA, asynchronous=True), catalog)
    assert beside.stall_s < after.stall_s == after.write_s
    assert beside.goodput > after.goodput
    assert beside.interval_s >= beside.write_s


def test_a_slower_product_takes_longer(catalog: Catalog) -> None:
    fast = checkpoint(replace(LLAMA, storage="fsx-lustre-1000"), catalog)
    slow = checkpoint(replace(LLAMA, storage="fsx-lustre-125"), catalog)
    assert slow.write_s == pytest.approx(8 * fast.write_s)
    assert slow.goodput < fast.goodput


def test_smaller_optimizer_states_make_smaller_checkpoints(catalog: Catalog) -> None:
    full, small = checkpoint(LLAMA, catalog), checkpoint(replace(LLAMA, optimizer="adamw-8bit"), catalog)
    assert full.bytes is not None and small.bytes is not None and small.bytes < full.bytes


def test_the_tree_of_goodput_sums(catalog: Catalog) -> None:
    result = checkpoint(replace(LLAMA, asynchronous=True), catalog)
    wall: Term = result.explain["goodput"].children[0]
    assert math.fsum(child.value for child in wall.children) == pytest.approx(wall.value)
    assert result.interval_s / wall.value == pytest.approx(result.goodput)


def test_what_is_assumed_is_said_and_what_is_given_is_not(catalog: Catalog) -> None:
    assert {a.name for a in checkpoint(DALY, catalog).assumptions} == set()
    assert {"failures_per_1000_node_days", "restart_s"} <= {a.name for a in checkpoint(LLAMA, catalog).assumptions}


def test_a_run_that_cannot_save_in_time_never_ends(catalog: Catalog) -> None:
    result = checkpoint(replace(DALY, mtbf_s=0.25), catalog)
    assert result.goodput == 0.0
    assert "never ends" in result.headline


def test_the_answer_is_plain_json_with_the_keys_of_the_contract(catalog: Catalog) -> None:
    plain = json.loads(json.dumps(checkpoint(DALY, catalog).to_dict(), allow_nan=False))
    contract = "bytes write_s stall_s mtbf_s interval_s goodput young_s daly_s nodes"
    assert set(contract.split()) <= set(plain)
    assert plain["bytes"] is None


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"write_s": None}, "neither"),
        ({"write_s": 0.0}, "write"),
        ({"mtbf_s": -1.0}, "mtbf"),
        ({"mtbf_s": math.inf}, "mtbf"),
        ({"restart_s": -1.0}, "restart"),
        ({"mtbf_s": None, "failures_per_1000_node_days": 0.0}, "failures"),
        ({"mtbf_s": None, "failures_per_1000_node_days": 1e-310}, "ever fails"),
        ({"accelerators": 0}, "accelerators"),
        ({"accelerators_per_node": 0}, "accelerators-per-node"),
        ({"asynchronous": True}, "asynchronous"),
        ({"write_s": None, "model": "llama-2-7b", "storage": "vast"}, "write rate"),
    ],
)
def test_numbers_that_cannot_be_are_refused(catalog: Catalog, wrong: dict[str, float], word: str) -> None:
    with pytest.raises(InputError) as caught:
        checkpoint(replace(DALY, **wrong), catalog)
    assert word in caught.value.what and caught.value.mend


@pytest.mark.parametrize("wrong", [{"model": "llama-2-7bb"}, {"storage": "fsx-lustre-12"}, {"optimizer": "adamm"}])
def test_unknown_names_get_the_nearest(catalog: Catalog, wrong: dict[str, str]) -> None:
    with pytest.raises(UnknownName) as caught:
        checkpoint(replace(LLAMA, **wrong), catalog)
    assert caught.value.nearest
