"""Files of measured runs: what their columns mean is written down, and a misspelt one is no silence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.errors import InputError
from groundplan.tasks.calibrate import calibrate
from groundplan.tasks.validate import validate_training
from groundplan.validation.measured import COLUMNS, NEEDED, read_measured

PAGE = (Path(__file__).parents[2] / "docs" / "measurements.md").read_text(encoding="utf-8")
TABLE = re.findall(r"^\| `(\w+)` \| [^|]*\| ([^\n]*)\|$", PAGE, re.MULTILINE)


def test_every_column_is_described_and_the_needed_ones_are_marked():
    assert [name for name, _ in TABLE] == COLUMNS
    assert [name for name, said in TABLE if "**needed**" in said] == list(NEEDED)


def test_a_misspelt_column_is_refused_with_the_right_name(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("layers,hidden,heads,seq_len,gpu,n_gpus,microbatch,step_time_s\n4,64,4,128,H100,1,2,1\n")
    with pytest.raises(InputError, match="'microbatch'") as caught:
        read_measured(path)
    assert "micro_batch" in caught.value.mend


def test_a_column_of_ones_own_is_left_alone(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("layers,hidden,heads,seq_len,gpu,n_gpus,team,step_time_s\n4,64,4,128,H100,1,blue,1\n")
    (run,) = read_measured(path)
    assert run.id == "line 2" and run.text("team") == "blue"


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"step_time_s": "-1"}, "step_time_s is '-1'"),
        ({"gpu": "H200 XYZ"}, "unknown accelerator"),
        ({"n_experts": "8", "top_k": "9"}, "top_k 9 is more than n_experts 8"),
        ({"heads": "0"}, "heads is '0'"),
    ],
)
def test_a_run_that_cannot_have_been_is_named_with_what_would_mend_it(tmp_path, cells, said):
    sizes = {"layers": "4", "hidden": "64", "heads": "4", "seq_len": "128", "gpu": "H100", "n_gpus": "1"}
    run = sizes | {"micro_batch": "1", "step_time_s": "1"} | cells
    path = tmp_path / "runs.csv"
    path.write_text(f"{','.join(run)}\n{','.join(run.values())}\n", encoding="utf-8")
    with pytest.raises(InputError, match=said) as caught:
        validate_training(load_catalog([]), [path])
    assert caught.value.mend


HEADER = "id,layers,hidden,heads,seq_len,gpu,n_gpus,step_time_s"
LINE = "a,4,64,4,128,H100,1,1"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        ((HEADER + "\n" + LINE).replace(",", ";").encode(), "separated by semicolons"),
        ((HEADER + "\n" + LINE).replace(",", "\t").encode(), "separated by tabs"),
        ((HEADER + "\n" + LINE).encode("utf-16"), "UTF-16"),
        (b"PAR1" + bytes(range(256)), "Parquet"),
        ((HEADER + "\n" + LINE).encode("latin-1") + b"\n\xe9", "not in UTF-8"),
        ((HEADER.replace("hidden", "heads") + "\n" + LINE).encode(), "no column hidden"),
        ((HEADER + ",heads\n" + LINE + ",4").encode(), "two columns heads"),
        ((HEADER + "\n" + LINE + ",2,3").encode(), "line 2 has 10 cells, the header 8"),
        ((HEADER + "\n" + LINE + "\n\n" + LINE.replace("a,", "a, b,", 1)).encode(), "line 4 has 9 cells"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path, raw, said):
    path = tmp_path / "runs.csv"
    path.write_bytes(raw)
    with pytest.raises(InputError, match=said) as caught:
        read_measured(path)
    assert caught.value.mend


def test_a_folder_is_no_file_of_runs(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        read_measured(tmp_path)
    with pytest.raises(InputError, match="the empty path names a folder"):
        read_measured(Path(""))


def test_empty_cells_past_the_header_are_no_fault(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text(f"{HEADER}\n{LINE},,\n", encoding="utf-8")
    assert read_measured(path)[0].size("layers") == 4


def test_the_example_of_the_page_is_a_file_that_can_be_used(tmp_path):
    (example,) = re.findall(r"```csv\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "runs.csv"
    path.write_text(example, encoding="utf-8")
    result = validate_training(load_catalog([]), path)
    assert len(result.rows) == 3 and not result.unpredictable and not result.warnings
    assert result.overall.median_ape < 10
    assert calibrate(load_catalog([]), path, refine=True).after.rows == 3
