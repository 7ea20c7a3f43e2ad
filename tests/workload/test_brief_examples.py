"""The examples that newcomers copy: each reads against the real catalog and means what its comments say."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundplan.catalog.catalog import Catalog, load_catalog
from groundplan.workload.brief import read_brief
from groundplan.workload.job import Method

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


MISSIONS = {"drone"}


@pytest.mark.parametrize("folder", sorted({path.parent.name for path in EXAMPLES.glob("*/brief.yaml")} - MISSIONS))
def test_every_example_reads(folder: str, catalog: Catalog) -> None:
    brief = read_brief(EXAMPLES / folder / "brief.yaml", catalog)
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
