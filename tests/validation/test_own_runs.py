"""A user's own file: what is odd in it is named, never silently read as something else, and never spoils the rest."""

from __future__ import annotations

import csv
import dataclasses
import warnings
from pathlib import Path

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.errors import InputError
from groundplan.render import render
from groundplan.tasks.calibrate import calibrate, catalog_rows
from groundplan.tasks.validate import validate_memory, validate_training

CATALOG = load_catalog([])
RUN = {
    "id": "ok",
    "source": "our cluster",
    "year": "2025",
    "framework": "Megatron Core",
    "model": "llama-3.1-8b",
    "layers": "32",
    "hidden": "4096",
    "ffn": "14336",
    "heads": "32",
    "kv_heads": "8",
    "vocab": "128256",
    "seq_len": "8192",
    "gpu": "H100-SXM",
    "gpus_per_node": "8",
    "n_gpus": "16",
    "intra_node_link": "NVLink4",
    "inter_node_link": "8x400G InfiniBand",
    "tp": "2",
    "pp": "1",
    "zero_or_fsdp": "ZeRO-1",
    "micro_batch": "1",
    "global_batch_seqs": "128",
    "precision": "bf16",
    "recompute": "selective",
    "step_time_s": "7.9",
    "peak_mem_gb": "48",
}


@pytest.fixture()
def saved(tmp_path):
    """Write runs, each a change of `RUN`, and return the file."""

    def save(*changes: dict[str, str], name: str = "runs.csv") -> Path:
        rows = [RUN | {"id": f"r{place}"} | change for place, change in enumerate(changes)]
        path = tmp_path / name
        with path.open("w", encoding="utf-8", newline="") as file:
            out = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
            out.writeheader()
            out.writerows(rows)
        return path

    return save


@pytest.fixture()
def weak_scaling(saved):
    """Four runs of one's own, 8 to 64 devices."""
    return saved(
        *(
            {"n_gpus": str(8 * 2**i), "global_batch_seqs": str(128 * 2**i), "step_time_s": str(14 + i / 10)}
            for i in range(4)
        )
    )


def score(path):
    result = validate_training(CATALOG, path)
    return {row.id: row for row in result.rows}, {row.id: row for row in result.unpredictable}, result


def predicted(saved, **cells):
    rows, _, _ = score(saved(cells))
    return rows["r0"].predicted


def reason(saved, **cells):
    _, unpredictable, _ = score(saved({}, cells))
    return unpredictable["r1"].reason, unpredictable["r1"].mend


@pytest.mark.parametrize(
    "cells",
    [
        {"inter_node_link": "0x400G"},
        {"inter_node_link": "8x400T InfiniBand"},
        {"global_batch_seqs": "0.001"},
        {"micro_batch": "1e-9"},
        {"layers": "1e300"},
        {"layers": "1e12"},
        {"hidden": "2000000000", "ffn": "2000000000", "layers": "2000000000"},
        {"vocab": "1e300"},
        {"step_time_s": "1e300"},
        {"step_time_s": "9" * 5000},
    ],
)
def test_one_odd_row_is_named_and_the_others_stand(saved, cells):
    alone = predicted(saved)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows, unpredictable, result = score(saved({}, cells, {}))
    assert set(unpredictable) == {"r1"} and len(unpredictable["r1"].reason) < 120
    assert rows["r0"].predicted == rows["r2"].predicted == alone
    assert result.overall.median_ape == rows["r0"].ape


def test_a_row_that_no_law_can_hold_does_not_stop_a_refinement(saved):
    good = [{"step_time_s": str(7.0 + i / 10)} for i in range(4)]
    alone = calibrate(CATALOG, saved(*good), refine=True)
    found = calibrate(CATALOG, saved(*good, {"inter_node_link": "0x400G"}, {"layers": "1e300"}), refine=True)
    assert [one.id for one in found.unpredictable] == ["r4", "r5"]
    assert found.after == alone.after
    text = render(found.to_dict(), "table")
    assert "Without a prediction (2)" in text and "2 rows have no prediction" in text


def test_a_peak_that_nothing_has_is_named(saved):
    result = validate_memory(CATALOG, saved({}, {"peak_mem_gb": "1e300"}))
    assert [one.id for one in result.unpredictable] == ["r1"]
    assert result.rows[0].ape < 100


@pytest.mark.parametrize(
    ("column", "cell", "same"),
    [
        *(("zero_or_fsdp", cell, "ZeRO-3") for cell in ("ZeRO3", "zero-3", "zero3", "ZeRO 3", "3", "FULL_SHARD")),
        *(("zero_or_fsdp", cell, "ZeRO-2") for cell in ("SHARD_GRAD_OP", "zero2", "stage 2")),
        *(("zero_or_fsdp", cell, "ZeRO-1") for cell in ("distributed optimizer", "optimizer state sharding", "1")),
        *(("zero_or_fsdp", cell, "none") for cell in ("ZeRO-0", "0", "no", "DDP")),
        *(("seq_parallel", cell, "yes") for cell in ("True", "1", "on", "y")),
        *(("seq_parallel", cell, "no") for cell in ("False", "0", "off", "n")),
        *(("recompute", cell, "full") for cell in ("True", "Full", "uniform")),
        *(("recompute", cell, "none") for cell in ("False", "0", "off")),
        *(("recompute", cell, "") for cell in ("unknown", "block", "moe_act, layernorm")),
        *(("inter_node_link", cell, "8x400G InfiniBand") for cell in ("NDR", "8x400G", "8 x 400 Gb/s IB")),
        ("inter_node_link", "HDR", "8x200G InfiniBand"),
        ("inter_node_link", "10GbE", "1x10G Ethernet"),
        ("inter_node_link", "100 Gb/s", "1x100G"),
        ("inter_node_link", "100GbE", "1x100G Ethernet"),
    ],
)
def test_usual_spellings_are_understood(saved, column, cell, same):
    assert predicted(saved, **{column: cell}) == predicted(saved, **{column: same})


def test_the_sharding_and_link_of_a_run_matter(saved):
    assert predicted(saved, zero_or_fsdp="FULL_SHARD") != predicted(saved, zero_or_fsdp="none")
    assert predicted(saved, inter_node_link="10GbE") > 2 * predicted(saved, inter_node_link="100GbE")


def test_hybrid_sharding_is_inside_a_node(saved):
    from groundplan.validation.measured import MeasuredRun
    from groundplan.validation.reading import measured_step_s, read_case

    layout = read_case(MeasuredRun("r", RUN | {"zero_or_fsdp": "HSDP"}), CATALOG, measured_step_s).layout
    assert (layout.zero, layout.shard, layout.dp) == (3, 4, 8)


@pytest.mark.parametrize(
    ("column", "cell", "mend"),
    [
        ("zero_or_fsdp", "bananas", "ZeRO-3"),
        ("zero_or_fsdp", "ZeRO-9", "did you mean"),
        ("zero_or_fsdp", "FULL_SHRD", "FULL_SHARD"),
        ("seq_parallel", "maybe", "yes or no"),
        ("recompute", "selektiv", "did you mean selective"),
        ("inter_node_link", "pigeon", "8x400G InfiniBand"),
        ("inter_node_link", "8x400 InfinBnd?", ""),
    ],
)
def test_a_cell_not_understood_is_no_silence(saved, column, cell, mend):
    if mend:
        said, how = reason(saved, **{column: cell})
        assert said.startswith(column) and mend in how
    else:
        assert predicted(saved, **{column: cell}) == predicted(saved)


@pytest.mark.parametrize("cell", ["FooTorch", ""])
def test_a_framework_not_known_is_said(saved, cell):
    rows, _, result = score(saved({"framework": cell}))
    assert any("stack megatron-core" in said for said in rows["r0"].assumed)
    assert any("framework" in said for said in result.warnings) == bool(cell)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"global_batch_seqs": "127"}, "do not divide"),
        ({"global_batch_seqs": "4"}, "less than one sequence for each of 8 replicas"),
        ({"micro_batch": "4096"}, "more than the 16 sequences of a replica"),
        ({"n_gpus": "17"}, "does not divide 17 devices"),
        ({"pp": "64", "tp": "1", "n_gpus": "64"}, "more than 32 layers"),
        ({"pp": "2", "vpp": "32"}, "more than 32 layers"),
        ({"dp": "3"}, "dp 3 contradicts"),
        ({"n_experts": "8", "top_k": "2", "moe_ffn": "14336", "ep": "3", "model": "x"}, "ep 3 does not divide 8"),
        ({"kv_heads": "7"}, "not divisible by kv_heads 7"),
        ({"params_b": "500"}, "params_b 500 where the sizes make 8.03"),
    ],
)
def test_what_cannot_have_been_is_refused(saved, cells, said):
    assert said in reason(saved, **cells)[0]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"global_batch_seqs": "127", "framework": "llm-foundry (FSDP)"}, "do not divide"),
        ({"vpp": "4"}, "vpp 4 without pipeline stages"),
        ({"pp": "2", "vpp": "3"}, "32 layers uneven over pp 2 x vpp 3"),
        ({"params_b": "12"}, "params_b 12 where the sizes make"),
        ({"n_gpus": "18", "global_batch_seqs": "144"}, "the last node with 2 of 8 devices"),
        ({"ep": "8"}, "ep 8 of a dense model"),
        ({"intra_node_link": "PCIe Gen4"}, "intra_node_link is not read"),
        ({"n_gpus": "8", "tp": "1", "micro_batch": "16", "recompute": "none"}, "does not fit"),
    ],
)
def test_what_is_odd_is_said(saved, cells, said):
    rows, unpredictable, _ = score(saved(cells))
    assert not unpredictable
    assert any(said in one for one in rows["r0"].assumed), rows["r0"].assumed


def test_runs_that_do_not_fit_are_warned_of(saved):
    path = saved(*({"n_gpus": "8", "tp": "1", "micro_batch": "16", "recompute": "none"} for _ in range(3)))
    assert any("predicted not to fit" in said for said in validate_training(CATALOG, path).warnings)


@pytest.mark.parametrize(("column", "cell"), [("ffn", "28672"), ("kv_heads", "32"), ("head_dim", "256")])
def test_the_sizes_of_the_file_win_over_those_of_a_name(saved, column, cell):
    assert predicted(saved, **{column: cell}) > 1.01 * predicted(saved)


def test_measurements_in_another_unit_are_warned_of_and_not_learnt(saved):
    path = saved(*({"step_time_s": str(7900 + i)} for i in range(4)))
    (said,) = (one for one in validate_training(CATALOG, path).warnings if "far off" in one)
    assert "milliseconds?" in said and "r3 (measured 1,1" in said
    with pytest.raises(InputError, match="too far off to learn from") as caught:
        calibrate(CATALOG, path, refine=True)
    assert "milliseconds?" in caught.value.mend


def test_one_slip_among_the_runs_is_named_when_they_are_learnt(saved):
    path = saved(*({"step_time_s": str(7.5 + i / 10)} for i in range(4)), {"step_time_s": "7900"})
    found = calibrate(CATALOG, path, refine=True)
    assert any("far off" in said and "r4" in said for said in found.warnings)


def test_a_repeat_is_said(saved):
    path = saved({}, {}, {"step_time_s": "8.1"}, {"step_time_s": "8.2"})
    (said,) = (one for one in validate_training(CATALOG, path).warnings if "repeat" in one)
    assert "r1" in said and "each counts" in said
    found = calibrate(CATALOG, path, refine=True)
    assert any("repeat" in one and "counts once" in one for one in found.warnings)
    assert found.after.rows == 3


def test_runs_of_other_sizes_or_networks_are_no_repeats(saved):
    path = saved({}, {"ffn": "28672"}, {"inter_node_link": "100GbE"}, {"framework": "FSDP"})
    assert not [one for one in validate_training(CATALOG, path).warnings if "repeat" in one]
    assert calibrate(CATALOG, path, refine=True).after.rows == 4


def test_refining_again_gives_the_same_answer(tmp_path, weak_scaling):
    folder = tmp_path / "groundplan.d"
    folder.mkdir()
    answers = []
    for name in ("ours.yaml", "ours.yaml", "other.yaml"):
        found = calibrate(load_catalog([folder]), weak_scaling, refine=True)
        (folder / name).write_text(catalog_rows(found), encoding="utf-8")
        answers.append(found)
    assert answers[0] == answers[1] == answers[2]
    assert answers[0].after.median_ape < answers[0].before.median_ape
    refined = validate_training(load_catalog([folder]), weak_scaling)
    assert refined.overall.median_ape == pytest.approx(answers[0].after.median_ape, abs=0.01)


def test_rows_of_ones_own_hand_still_count_in_a_refinement(tmp_path, weak_scaling):
    (tmp_path / "hand.yaml").write_text(
        'architectures:\n  hopper: {like: hopper, matmul_share: {value: 0.5, source: "us"}}\n', encoding="utf-8"
    )
    found = calibrate(load_catalog([tmp_path]), weak_scaling, refine=True)
    (share,) = (one for one in found.constants if one.name == "hopper.matmul_share")
    assert share.catalog == 0.5


def test_a_refinement_that_its_interval_does_not_hold_says_so(weak_scaling):
    found = calibrate(CATALOG, weak_scaling, refine=True)
    narrow = dataclasses.replace(found.after, coverage_80=0.25)
    assert found.after.coverage_80 >= 0.65 or any("80 % interval" in said for said in found.warnings)
    from groundplan.tasks.calibrate import _narrow

    assert "only 25%" in _narrow(narrow)[0]


def test_csv_has_a_line_for_each_row(saved):
    result = validate_training(CATALOG, saved({}, {"gpu": "H100-SMX"}, {"step_time_s": "9"})).to_dict()
    lines = list(csv.DictReader(render(result, "csv").splitlines()))
    assert [line["id"] for line in lines] == ["r0", "r2", "r1"]
    assert float(lines[1]["measured"]) == 9.0
    assert float(lines[0]["low"]) <= float(lines[0]["predicted"]) <= float(lines[0]["high"])
    assert "unknown accelerator" in lines[2]["reason"] and lines[2]["predicted"] == ""


def test_a_broken_catalog_of_ones_own_is_no_fault_of_the_data(tmp_path, saved):
    (tmp_path / "bad.yaml").write_text("stacks:\n  fsdp: {like: nonesuch}\n", encoding="utf-8")
    for task in (validate_training, lambda catalog, data: calibrate(catalog, data, refine=True)):
        with pytest.raises(InputError, match=r"bad\.yaml"):
            task(load_catalog([tmp_path]), saved({}, {}, {}))


def test_paths_may_be_text(saved):
    path = saved({})
    assert validate_training(CATALOG, str(path)).rows == validate_training(CATALOG, [str(path)]).rows
    assert "1 measured run:" in validate_training(CATALOG, path).headline
