"""The accuracy page says what the code predicts today: text, pictures, and the errors on runs not seen."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.render.charts import available
from groundplan.tasks.validate import PUBLISHED, distinct, read_cases
from groundplan.validation.constants import fitted_constants
from groundplan.validation.fitting import gather
from groundplan.validation.measured import read_measured

ROOT = Path(__file__).parents[1]
MAKE = ROOT / "docs" / "accuracy" / "make.py"
AGAIN = "it is stale: run python docs/accuracy/make.py"


@pytest.fixture(scope="module")
def make() -> ModuleType:
    if not available():
        pytest.skip("pictures need the charts extra")
    spec = importlib.util.spec_from_file_location("make_accuracy", MAKE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_code_says_today(make):
    for path, text in make.pages().items():
        written = path.read_text(encoding="utf-8") if path.exists() else ""
        if path.suffix == ".svg":  # the digest of what it shows: drawing differs between versions of the library
            text, written = text.partition("\n")[0], written.partition("\n")[0]
        assert written == text, f"{path.relative_to(ROOT)}: {AGAIN}"


def test_every_picture_of_the_page_is_there():
    page = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", page)
    assert len(pictures) == 3
    assert all((ROOT / "docs" / picture).is_file() for picture in pictures)


def test_the_errors_on_runs_not_seen_are_of_the_laws_of_today(shared):
    """What the constants gave on all runs when they were fitted is what they give now, within 0.1 %."""
    catalog = load_catalog([])
    runs = [
        run for path in (PUBLISHED / "training.csv", shared / "truth/training_open.csv") for run in read_measured(path)
    ]
    cases = distinct(read_cases(runs, catalog)[0])
    evidence = gather(cases, catalog)
    ours = evidence.seconds(catalog, {one: one.value(catalog) for one in fitted_constants()})
    errors = sorted(abs(100 * (ours / evidence.measured - 1)))
    with (ROOT / "docs/accuracy/held_out.csv").open(encoding="utf-8", newline="") as file:
        (seen,) = [line for line in csv.DictReader(file) if line["name"] == "all, seen"]
    assert len(cases) == int(seen["rows"])
    median = float(errors[len(errors) // 2])
    assert median == pytest.approx(float(seen["median_ape"]), abs=0.1), "the laws moved: calibrate and adopt again"


def test_the_replays_are_predicted_as_the_page_says(shared):
    spec = importlib.util.spec_from_file_location("adopt_replays", ROOT / "docs" / "accuracy" / "adopt_replays.py")
    assert spec is not None and spec.loader is not None
    adopt = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(adopt)
    with adopt.REPLAYS.open(encoding="utf-8", newline="") as file:
        written = list(csv.reader(file))
    assert written == [list(adopt.COLUMNS), *adopt.lines(shared / "truth" / "serving_replays")], (
        "it is stale: run python docs/accuracy/adopt_replays.py and make.py"
    )


NAMES = {"trainium": "Trainium", "tpu": "TPU", "megatron-bridge": "Megatron Bridge", "volta": "V100", "xla": "JAX"}


def test_what_is_far_off_is_said_to_be():
    """Every set beyond 30 % on runs not seen is named among what is known to be wrong."""
    page = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    known = page.partition("## Known to be wrong")[2]
    with (ROOT / "docs/accuracy/held_out.csv").open(encoding="utf-8", newline="") as file:
        far = [line["name"] for line in csv.DictReader(file) if float(line["median_ape"]) > 30.0]
    unnamed = [name for name in far if not any(word in name and said in known for word, said in NAMES.items())]
    assert unnamed == []


def test_the_errors_the_readme_tells_are_those_of_the_runs_not_seen():
    with (ROOT / "docs/accuracy/held_out.csv").open(encoding="utf-8", newline="") as file:
        held_out = {one["name"]: one for one in csv.DictReader(file)}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w-]+ / [^|]+) \| (\d+) \| ([\d.]+) % \| ([\d.]+) % \|$", readme, re.MULTILINE)
    assert len(rows) > 10
    for name, runs, median, p90 in rows:
        one = held_out[name]
        assert (int(runs), float(median), float(p90)) == (
            int(one["rows"]),
            pytest.approx(float(one["median_ape"]), abs=0.051),
            pytest.approx(float(one["p90_ape"]), abs=0.051),
        )


def test_a_wrong_calibration_is_refused_before_any_table_is_touched(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("adopt", ROOT / "docs" / "accuracy" / "adopt.py")
    assert spec is not None and spec.loader is not None
    adopt = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(adopt)
    monkeypatch.setattr(adopt, "DATA", tmp_path)
    monkeypatch.setattr(adopt, "HELD_OUT", tmp_path / "held_out.csv")
    tables = ROOT / "src/groundplan/catalog/data"
    for name in ("architectures.csv", "stacks.csv"):
        (tmp_path / name).write_bytes((tables / name).read_bytes())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    wrong = tmp_path.parent / "wrong.json"
    full = {"schema": adopt.SCHEMA, "refined": False, "constants": [], "sets": [], "held_out": None, "after": None}
    stranger = {"table": "stacks", "row": "nonesuch", "attribute": "launch", "shared": [], "rows": 3}
    for text in ("{", "[]", '{"schema": "groundplan/plan/1"}', json.dumps(full | {"intervals": []})):
        wrong.write_text(text, encoding="utf-8")
        with pytest.raises(SystemExit):
            adopt.main([str(wrong)])
    wrong.write_text(json.dumps(full | {"intervals": [{}], "constants": [stranger]}), encoding="utf-8")
    with pytest.raises(SystemExit, match="has no line for"):
        adopt.main([str(wrong)])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
