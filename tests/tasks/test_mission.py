"""A brief about a mission, from the file to every form: the answer, what lost and why, and what a bad brief is told."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundplan.catalog.catalog import Catalog, load_catalog
from groundplan.cli import main
from groundplan.errors import InputError, UnknownName
from groundplan.tasks.mission import MissionResult, mission
from groundplan.workload.brief import read_brief
from groundplan.workload.mission import MissionBrief, read_mission_brief

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "drone" / "brief.yaml"
SMALL = {
    "models": ["yolo11n", "yolo11s"],
    "devices": ["jetson-orin-nano-super"],
    "precisions": ["fp16"],
    "frames_per_second": 30,
    "flight": "20 min",
    "battery": "50 Wh",
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog([])


def ask(catalog: Catalog, **changes: Any) -> MissionResult:
    given = {key: value for key, value in {**SMALL, **changes}.items() if value is not None}
    brief = read_mission_brief("brief", catalog, text=yaml.safe_dump({"mission": given, "as_of": "2026-11-23"}))
    assert isinstance(brief, MissionBrief)
    return mission(brief, catalog)


@pytest.fixture(scope="module")
def drone(catalog: Catalog) -> MissionResult:
    brief = read_mission_brief("brief", catalog, text=EXAMPLE.read_text(encoding="utf-8"))
    assert isinstance(brief, MissionBrief)
    return mission(brief, catalog)


def test_the_drone_flies(drone: MissionResult) -> None:
    best = drone.recommended
    assert drone.verdict.feasible and best is not None and best.ok and not best.doubts
    assert best.frames_per_s is not None and best.frames_per_s.low >= 30
    assert best.accuracy is not None and best.accuracy.low >= 0.40
    assert best.battery_share is not None and best.battery_share.high <= 0.10
    assert best.device == "jetson-orin-nano-super"
    assert drone.uplink.bytes == 40e6 and drone.uplink.cost_usd == pytest.approx(0.2) and drone.uplink.duration_s == 32


def test_every_option_that_lost_says_why(drone: MissionResult) -> None:
    assert all(option.reason for option in drone.options)
    ssd = [option for option in drone.options if option.model == "ssd-mobilenet-v2"]
    assert ssd and not any(option.ok for option in ssd)
    assert all("accuracy" in option.reason for option in ssd)
    coral = [option for option in drone.options if option.device == "coral-usb" and option.resolution == 640]
    assert all("no published run above 384 pixels" in option.reason for option in coral)
    assert ("Coral USB Accelerator fp16", "does not compute in fp16") in {(r.name, r.reason) for r in drone.rejected}


def test_the_front_gives_accuracy_for_energy(drone: MissionResult) -> None:
    points = [(p.energy_j.value, p.accuracy.value) for p in drone.pareto if p.energy_j and p.accuracy]
    assert len(points) == len(drone.pareto) > 3
    assert points == sorted(points) and [a for _, a in points] == sorted(a for _, a in points)


def test_the_trees_sum(drone: MissionResult) -> None:
    assert drone.recommended is not None
    for option in (drone.recommended, *drone.pareto):
        assert option.latency_s is not None
        parts = option.explain["latency_s"].children
        assert sum(part.value for part in parts) == pytest.approx(option.latency_s.value)


def test_without_a_floor_the_most_accurate_is_taken(catalog: Catalog) -> None:
    best = ask(catalog).recommended
    assert best is not None and best.model == "yolo11s"
    assert ask(catalog, accuracy=0.39).recommended.model == "yolo11n"  # type: ignore[union-attr]


def test_an_accuracy_nothing_reaches_names_what_comes_nearest(catalog: Catalog) -> None:
    result = ask(catalog, accuracy="60 %")
    assert not result.verdict.feasible and result.recommended is None
    assert [option.model for option in result.nearest_feasible] == ["yolo11s"]
    assert "0.47 of 0.6" in result.verdict.headline


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"frames_per_second": 2000}, "frames"),
        ({"latency": "1 ms"}, "latency"),
        ({"battery": "0.5 Wh"}, "battery"),
        ({"ambient": "70 C", "thermal_resistance": 9, "frames_per_second": 100}, "heat"),
        ({"uploads": 1000, "upload_size": "10 MB", "uplink": "1 Mbit/s"}, "uplink"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_limit_can_bind(catalog: Catalog, changes: dict[str, Any], constraint: str) -> None:
    result = ask(catalog, **changes)
    assert not result.verdict.feasible
    assert constraint in {miss.constraint for option in result.options for miss in option.misses}


def test_accuracy_at_another_resolution_is_unknown(catalog: Catalog) -> None:
    assert all(option.accuracy is None for option in ask(catalog, resolution=416).options)
    result = ask(catalog, resolution=416, accuracy=0.3)
    assert not result.verdict.feasible and "published at 640 pixels, not at 416" in result.options[0].reason


def test_quantisation_and_distillation_are_choices(catalog: Catalog) -> None:
    result = ask(catalog, precisions=["int8"], quantisation=["plain", "tuned"], distillation=True, models="yolo11s")
    by_recipe = {o.recipes: o.accuracy.value for o in result.options if o.accuracy}
    assert by_recipe[("plain",)] == pytest.approx(0.470 - 0.038)
    assert by_recipe[("tuned",)] == pytest.approx(0.470 - 0.011)
    assert by_recipe[("tuned", "distilled")] > by_recipe[("tuned",)]


@pytest.mark.parametrize(
    ("changes", "said", "mend"),
    [
        ({"devices": "jetson-orin-nanoo"}, "unknown edge device", "Jetson Orin Nano"),
        ({"models": "yolo12q"}, "unknown model 'yolo12q'", "yolo"),
        ({"battery": "-5 Wh"}, "mission.battery", ""),
        ({"battery_share": "150 %"}, "more than the whole", "40 %"),
        ({"models": "llama-3.1-8b"}, "is a language model", "yolo11n"),
        ({"models": ["yolo11n", "squeezenet"]}, "top-1", "one kind"),
        ({"models": "retinanet"}, "input size are unknown", "forward_flops"),
        ({"precisions": "int4"}, "unknown 'int4'", "int8"),
        ({"power_modes": "16w"}, "unknown '16w'", "15w"),
        ({"quantisation": "tunned"}, "unknown 'tunned'", "tuned"),
        ({"ambient": "300 C"}, "no weather", "degrees"),
        ({"power_modes": "30w"}, "no option is left", "power modes"),
        ({"flight": None}, "'flight' is missing", "add flight"),
        ({"frames_per_secnd": 3}, "unknown key 'frames_per_secnd'", "frames_per_second"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_bad_brief_is_told_what_and_how_to_mend(
    catalog: Catalog, changes: dict[str, Any], said: str, mend: str
) -> None:
    with pytest.raises(InputError) as caught:
        ask(catalog, **changes)
    assert said in caught.value.what
    assert mend.lower() in caught.value.mend.lower()


def test_an_unknown_device_is_an_unknown_name(catalog: Catalog) -> None:
    with pytest.raises(UnknownName) as caught:
        ask(catalog, devices=["hailo-9"])
    assert "hailo-8" in caught.value.nearest


def test_the_resolved_brief_reads_back_to_the_same_answer(catalog: Catalog, drone: MissionResult) -> None:
    again = read_mission_brief("brief", catalog, text=json.dumps(drone.to_dict()["brief"]))
    assert isinstance(again, MissionBrief)
    assert mission(again, catalog).to_dict()["options"] == drone.to_dict()["options"]


def test_a_reader_of_training_briefs_refuses_a_mission(catalog: Catalog) -> None:
    with pytest.raises(InputError, match="asks for a mission"):
        read_brief(EXAMPLE, catalog)


def test_every_form_and_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        assert main(list(arguments)) == 0
        return capsys.readouterr().out

    plan = ("plan", str(EXAMPLE))
    table, wide = run(*plan), run(*plan, "--wide")
    assert table.startswith("Fly ") and "Pareto" in table and max(map(len, table.splitlines())) <= 100
    assert "of battery" in wide and "uplink" in wide
    saved = run(*plan, "--format", "json")
    assert json.loads(saved)["schema"] == "groundplan/mission/1"
    rows = list(csv.DictReader(io.StringIO(run(*plan, "--format", "csv"))))
    assert len(rows) == len(json.loads(saved)["options"]) and rows[0]["ok"] == "true"
    assert run(*plan, "--format", "md").startswith("<!-- groundplan/mission/1")
    assert "<table" in run(*plan, "--format", "html")
    path = tmp_path / "mission.json"
    path.write_text(saved, encoding="utf-8")
    assert run("explain", str(path), "--metric", "latency_s").startswith("latency_s = ")
    assert "energy_j" in run("explain", str(path), "--metric", "energy_j")
    assert main([*plan, "--set", "mission.accuracy=0.9", "--exit-code"]) == 3
    assert capsys.readouterr().out.startswith("Nothing keeps every limit")
    assert run(*plan, "--print-brief").startswith("# groundplan brief\nmission:")
