"""The examples that newcomers copy: each reads against the real catalog and means what its comments say."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundplan.catalog.catalog import Catalog, load_catalog
from groundplan.finops.tco.brief import read_tco_brief
from groundplan.workload.brief import read_brief
from groundplan.workload.job import Method
from groundplan.workload.mission import read_mission_brief
from groundplan.workload.pipeline import read_pipeline_brief
from groundplan.workload.service_brief import kind_of, read_serving_brief

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in EXAMPLES.glob("*/brief.yaml")))
def test_every_example_reads(folder: str, catalog: Catalog) -> None:
    path = EXAMPLES / folder / "brief.yaml"
    if kind_of(path) == "mission":
        assert read_mission_brief(path, catalog).mission.models
        return
    if kind_of(path) == "pipeline":
        assert read_pipeline_brief(path, catalog).stages
        return
    if kind_of(path) == "serve":
        service = read_serving_brief(path, catalog)
        assert service.traffic.rate_per_s > 0
        assert service.candidates.accelerators
        return
    if kind_of(path) == "tco":
        assert read_tco_brief(path, catalog).accelerators
        return
    brief = read_brief(path, catalog)
    assert brief.job.tokens > 0
    assert brief.candidates.accelerators


def test_the_guides_example_asks_what_the_guide_asks(catalog: Catalog) -> None:
    brief = read_brief(EXAMPLES / "llm-20b" / "brief.yaml", catalog)
    assert brief.job.model.parameters == 20_554_567_680  # EleutherAI/gpt-neox-20b
    assert (brief.job.tokens, brief.job.sequence, brief.job.global_batch) == (250e9, 2048, 2048)
    assert (brief.goal.deadline_s, brief.goal.budget_usd, brief.goal.max_accelerators) == (259_200, 15_000, 64)
    assert brief.overrides.price_usd_per_accelerator_hour == 3


def test_the_lora_example_passes_three_times_over_its_text(catalog: Catalog) -> None:
    brief = read_brief(EXAMPLES / "llama8b-lora-l4" / "brief.yaml", catalog)
    assert brief.job.method is Method.LORA
    assert brief.job.tokens == 3 * 200e6 / 4
