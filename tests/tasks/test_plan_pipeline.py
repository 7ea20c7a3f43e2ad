"""A pipeline of stages: sized for its utilisation, queues that a spike fills, whole times that add up."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.errors import InputError, UnknownName
from groundplan.estimate.inference import batch_s
from groundplan.tasks.plan_pipeline import plan_pipeline
from groundplan.workload.models import load_model
from groundplan.workload.pipeline import read_pipeline_brief

CATALOG = load_catalog([])
ROOT = Path(__file__).resolve().parents[2]
VISION = {"name": "vision", "model": "resnet-50", "accelerator": "t4", "batch": 16}
CAPTION = {
    "name": "caption",
    "model": "llama-3.1-8b",
    "accelerator": "a100-sxm-80",
    "prompt": 64,
    "output": 16,
    "batch": 64,
}


def brief(*stages, **changes):
    section = {"rate": 12, "peak": 3, "spike": "30 s", "stages": list(stages or (VISION, CAPTION)), **changes}
    return read_pipeline_brief({"pipeline": section}, CATALOG)


def test_resnet_on_published_accelerators_is_within_a_third():
    # MLPerf Inference and TensorRT publish about 1,900 images/s in fp16 for a T4 and 11,500 for an A100.
    model = load_model("resnet-50", CATALOG)
    for name, published in (("t4", 1900.0), ("a100-sxm-80", 11_500.0)):
        rate = 128.0 / float(batch_s(model, "fp16", CATALOG.accelerators[name], CATALOG, 128.0))
        assert rate == pytest.approx(published, rel=0.35)


def test_every_stage_is_sized_for_the_utilisation_asked_for():
    answer = plan_pipeline(brief(rate=60), CATALOG)
    for stage in answer.stages:
        needed = 60 / (stage.capacity_per_s * 0.65)
        assert stage.replicas - 1 < needed <= stage.replicas
        assert stage.replicas <= stage.most_replicas
        assert stage.busy_share_steady <= 0.65 + 1e-9


def test_a_whole_pipeline_takes_at_least_its_slowest_stage_and_at_most_all_of_them():
    answer = plan_pipeline(brief(), CATALOG)
    each = [stage.latency_s.mean for stage in answer.stages]
    assert answer.e2e_steady_s.p50 >= max(stage.latency_s.p50 for stage in answer.stages) * 0.8
    assert answer.e2e_steady_s.mean <= 1.2 * sum(each)


def test_one_stage_is_a_service_alone_and_three_are_a_chain():
    assert len(plan_pipeline(brief(CAPTION), CATALOG).stages) == 1
    three = plan_pipeline(brief(VISION, CAPTION, {**CAPTION, "name": "check"}), CATALOG)
    assert [stage.name for stage in three.stages] == ["vision", "caption", "check"]
    assert three.ratio.count(":") == 2


def test_a_higher_spike_makes_a_longer_tail():
    calm, wild = (plan_pipeline(brief(rate=80, peak=peak), CATALOG) for peak in (1.0, 4.0))
    assert wild.e2e_spike_s.p95 > calm.e2e_spike_s.p95


def test_the_cost_of_a_thousand_is_the_hour_over_the_items():
    answer = plan_pipeline(brief(), CATALOG)
    assert answer.usd_per_1000 == pytest.approx(answer.usd_per_hour / 3600 / 12 * 1000)


def test_the_guides_ratio_depends_on_the_work():
    short, long = (plan_pipeline(brief(VISION, {**CAPTION, "output": output}, rate=60), CATALOG) for output in (4, 256))
    share = [a.stages[1].replicas / a.stages[0].replicas for a in (short, long)]
    assert share[1] > 2 * share[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stages": []}, "no stage"),
        ({"stages": [VISION, VISION]}, "one name"),
        ({"peak": 0.5}, "below the steady rate"),
        ({"utilization": 1.0}, "no room for chance"),
        ({"stages": [{**CAPTION, "model": "llama-3.1-405b"}]}, "does not fit|tokens of cache"),
        ({"stages": [{**VISION, "modle": "x"}]}, "modle"),
    ],
)
def test_pipelines_that_cannot_be_are_refused(changes, said):
    with pytest.raises(InputError, match=said):
        plan_pipeline(brief(**changes), CATALOG)


def test_an_unknown_accelerator_brings_the_nearest():
    with pytest.raises(UnknownName):
        brief({**VISION, "accelerator": "t44"})
