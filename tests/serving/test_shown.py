"""What tables say of serving: whole reasons, whose price it is, whole requests, no time of a token never sent."""

from __future__ import annotations

import json

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.cli import main
from groundplan.errors import InputError
from groundplan.tasks.serve import serve
from groundplan.tasks.serve_request import ServeRequest
from groundplan.tasks.simulate_serve import SimulateServeRequest, simulate_serve
from groundplan.workload.mission import read_mission_brief
from groundplan.workload.pipeline import read_pipeline_brief
from groundplan.workload.service_brief import kind_of

CATALOG = load_catalog([])
STAGES = (("see", "resnet-50"), ("look", "vit-b-16"))
SERVING = ["serve", "--model", "llama-3.1-8b"]


def test_reasons_of_a_plan_are_shown_whole(capsys, tmp_path):
    brief = tmp_path / "brief.yaml"
    serve_70b = {"model": "llama-3.1-70b", "traffic": {"rate": 12, "peak": 3}, "limits": {"ttft_p95": "1 ms"}}
    candidates = {"accelerators": ["h100-sxm", "h200-sxm"]}
    brief.write_text(json.dumps({"serve": serve_70b, "candidates": candidates}), encoding="utf-8")
    assert main(["plan", str(brief)]) == 0
    table = capsys.readouterr().out.partition("Nearest to the limits")[2]
    assert "times the" in " ".join(table.split()) and "time " not in table and "time\n" not in table


def test_a_price_says_whose_it_is():
    answer = serve(ServeRequest("llama-3.1-8b", "h100-sxm"), CATALOG)
    price, host = answer.price, CATALOG.hosts[answer.price["instance"]]
    assert price["provider"] == host.provider and price["option"] == "on_demand" and price["source"]
    assert answer.usd_per_hour == pytest.approx(price["hosts"] * price["usd_per_hour"])
    assert any(one.usd_per_hour == price["usd_per_hour"] for one in CATALOG.prices_of(host.id))
    simulated = simulate_serve(SimulateServeRequest("llama-3.1-8b", rate_per_s=5.0, count=10), CATALOG).result
    assert simulated.price == price
    given = serve(ServeRequest("llama-3.1-8b", "h100-sxm", price=2.0), CATALOG)
    assert given.price["source"] == "given with the question" and given.price["instance"] is None


def test_an_unknown_price_says_how_to_give_one(capsys):
    assert main([*SERVING, "--accelerator", "rtx4090"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "no price known; give --price" in shown and "give --price in dollars per accelerator-hour" in shown


def test_requests_at_once_are_whole_and_exact(capsys):
    answer = serve(ServeRequest("llama-3.1-8b", "h200", tp=2), CATALOG)
    assert answer.concurrent_requests == 1024.0
    assert main([*SERVING, "--accelerator", "h200", "--tp", "2"]) == 0
    assert "1,024" in capsys.readouterr().out
    assert serve(ServeRequest("llama-3.1-8b", "h100-sxm"), CATALOG).concurrent_requests % 1 == 0


def test_an_answer_of_one_token_has_no_time_of_the_next(capsys):
    assert main([*SERVING, "--output", "1", "--concurrency", "2"]) == 0
    shown = capsys.readouterr().out
    assert "ms a token" not in shown and "mean after the first" not in shown and "One token" not in shown


def test_a_brief_of_two_tasks_is_told_so():
    with pytest.raises(InputError, match="asks for pipeline and serve, which are two tasks"):
        kind_of({"serve": {}, "pipeline": {}})
    assert [kind_of({kind: {}}) for kind in ("serve", "train", "tco")] == ["serve", "train", "tco"]


def test_an_empty_brief_is_told_how_any_task_starts(capsys, tmp_path):
    (tmp_path / "empty.yaml").write_text("", encoding="utf-8")
    assert main(["plan", str(tmp_path / "empty.yaml")]) == 2
    assert "'serve:'" in capsys.readouterr().err


def test_a_stage_that_cannot_be_is_named_with_its_line():
    stages = [f"    - {{name: {name}, model: {model}, accelerator: l4}}" for name, model in STAGES]
    text = "\n".join(["pipeline:", "  rate: 5", "  stages:", *stages])
    with pytest.raises(InputError, match=r"pipeline\.stages\.1\.model \(line 5\): vit-b-16 in stage look"):
        read_pipeline_brief("brief.yaml", CATALOG, text=text)


def test_a_floor_of_detectors_is_not_held_against_a_classifier():
    mission = {"models": "resnet-50", "frames_per_second": 30, "flight": "20 min"}
    assert read_mission_brief({"mission": mission}, CATALOG)
    with pytest.raises(InputError, match="floor of mAP50-95, and ResNet-50 is scored by top-1"):
        read_mission_brief({"mission": {**mission, "accuracy": 0.4}}, CATALOG)
