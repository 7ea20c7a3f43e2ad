"""Reading a brief: what it means, what is assumed where it is silent, and that nothing stays open."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from groundplan.errors import InputError
from groundplan.finops.tco.brief import TcoSections
from groundplan.workload.batch import friendly_sequences
from groundplan.workload.brief import read_brief, read_brief_text
from groundplan.workload.job import Brief, Method, Objective, TrainingJob
from groundplan.workload.model import TransformerModel
from groundplan.workload.pipeline import PipelineSections
from groundplan.workload.schema import BriefSections, MissionSections, Section
from groundplan.workload.service_schema import ServingSections
from workload.brief_catalog import small_catalog

DAY = date(2026, 1, 31)
GUIDE = """
train:
  model: {parameters: 20B}
  dataset: {size: 1 TB, kind: text}
  sequence_length: 2048
  global_batch: 4M tokens
goal: {deadline: 3 d, budget: 15000 USD, max_accelerators: 64}
candidates:
  accelerators: [A100-SXM-80, h100-sxm]
  providers: AWS, lambda
  purchase: [on-demand, spot]
overrides:
  price: 3 USD per accelerator hour
  layout: {tp: 8, zero: 1, recompute: selective}
"""


def read(text: str, *sets: str) -> Brief:
    return read_brief_text(text, small_catalog(), sets=sets, as_of=DAY)


def said(brief: Brief) -> TrainingJob:
    """The job, whoever said it: an assumption that is written out counts as the user's word when read again."""
    dataset = brief.job.dataset
    return replace(brief.job, dataset=dataset and replace(dataset, sample_bytes_source=""))


def assumed(brief: Brief) -> dict[str, object]:
    return {a.name: a.value for a in brief.assumptions}


def test_the_guides_scenario() -> None:
    brief = read(GUIDE)
    job = brief.job
    assert job.model.parameters == pytest.approx(20e9, rel=0.001)
    assert job.tokens == 250e9  # 1 TB at 4 bytes per token
    assert job.sequence == 2048
    assert job.global_batch == 2048  # 4M tokens, as people mean it: 4 Mi
    assert brief.goal.deadline_s == 259_200 and brief.goal.budget_usd == 15_000
    assert brief.goal.max_accelerators == 64 and brief.goal.minimize is Objective.COST
    assert brief.candidates.accelerators == ("a100-sxm-80", "h100-sxm")
    assert brief.candidates.providers == ("aws", "lambda")
    assert brief.candidates.purchase == ("on_demand", "spot")
    assert brief.overrides.price_usd_per_accelerator_hour == 3
    assert (brief.overrides.tp, brief.overrides.zero, brief.overrides.recompute) == (8, 1, "selective")
    assert brief.as_of == "2026-01-31"
    assert {"bytes_per_token", "global_batch", "model"} <= set(assumed(brief))


@pytest.mark.parametrize(
    "text",
    [
        GUIDE,
        "train: {model: llama-3.1-8b, tokens: 15T}",
        "train: {model: llama-3.1-8b, dataset: {samples: 50k, sample_size: 2 kB, epochs: 3}, lora: {rank: 64}}",
        "train: {model: llama-3.1-8b, dataset: {size: 3 GB, compression: 2.5, format: jsonl}, tokens: 7e9}",
        "train: {model: resnet-50, dataset: {samples: 1.28M, epochs: 90}}",
        "train: {model: llama-3.1-8b, tokens: 123456789, precision: [fp8, bf16]}\ngoal: {deadline: 1h1m1s}",
    ],
)
def test_the_resolved_brief_means_the_same_and_leaves_nothing_open(text: str) -> None:
    first = read(text)
    again = read(yaml.safe_dump(json.loads(json.dumps(first.resolved))))
    assert said(again) == said(first)
    assert (again.goal, again.candidates, again.overrides) == (first.goal, first.candidates, first.overrides)
    assert again.resolved == first.resolved


def test_defaults_are_recorded() -> None:
    brief = read("train: {model: llama-3.1-8b, tokens: 1T}")
    assert brief.job.method is Method.PRETRAIN and brief.job.optimizer == "adamw" and brief.job.precisions == ()
    assert assumed(brief)["sequence_length"] == brief.job.sequence == 4096
    assert assumed(brief)["global_batch"] == brief.job.global_batch == 512  # 2M tokens, GPT-3 6.7B and 13B
    assert brief.candidates.purchase == ("on_demand",)
    train = brief.resolved["train"]
    assert isinstance(train, dict) and train["optimizer"] == "adamw" and train["sequence_length"] == 4096


def test_nothing_is_assumed_where_the_brief_speaks() -> None:
    brief = read(
        "train: {model: llama-3.1-8b, sequence_length: 8192, global_batch: 256,"
        " dataset: {size: 8 TB, kind: tokens, bytes_per_token: 4}}"
    )
    assert brief.assumptions == ()
    assert brief.job.tokens == 2e12


def test_lora_is_the_method_where_adapters_are_given() -> None:
    brief = read("train: {model: llama-3.1-8b, tokens: 10M, lora: {rank: 8, targets: attention}}")
    assert brief.job.method is Method.LORA
    assert brief.job.lora is not None and (brief.job.lora.rank, brief.job.lora.targets) == (8, "attention")
    assert read("train: {model: llama-3.1-8b, tokens: 10M, method: qlora}").job.lora is not None


def test_ready_tokens_are_as_wide_as_the_vocabulary_needs() -> None:
    dataset = read("train: {model: llama-3.1-8b, tokens: 1T}").job.dataset
    assert dataset is not None and (dataset.kind, dataset.sample_bytes, dataset.bytes) == ("tokens", 4, 4e12)


def test_compressed_text_holds_more_tokens() -> None:
    plain = read("train: {model: llama-3.1-8b, dataset: {size: 1 TB}}").job
    packed = read("train: {model: llama-3.1-8b, dataset: {size: 1 TB, compression: 3}}").job
    assert packed.tokens == 3 * plain.tokens
    assert packed.dataset is not None and packed.dataset.sample_bytes == pytest.approx(4 / 3)


def test_epochs_follow_from_tokens_and_size() -> None:
    dataset = read("train: {model: llama-3.1-8b, dataset: {size: 1 TB}, tokens: 500e9}").job.dataset
    assert dataset is not None and dataset.epochs == 2


def test_images_are_counted_in_samples() -> None:
    brief = read("train: {model: resnet-50, dataset: {samples: 1.28M, epochs: 90}, global_batch: 2048 images}")
    assert brief.job.tokens == pytest.approx(1.28e6 * 90)
    assert (brief.job.sequence, brief.job.global_batch) == (1, 2048)
    assert brief.job.dataset is not None and brief.job.dataset.sample_bytes == 114_660
    assert assumed(brief)["sample_size"] == 114_660


def test_a_model_path_starts_from_the_folder_of_the_brief(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    config = small_catalog().models["llama-3.1-8b"]["config"]
    (folder / "config.json").write_text(json.dumps(config))
    monkeypatch.chdir(tmp_path)
    for model in ("{hf_config: config.json}", "config.json", "./config.json"):
        (folder / "brief.yaml").write_text(f"train: {{model: {model}, tokens: 1T}}")
        found = read_brief("job/brief.yaml", small_catalog()).job.model
        assert isinstance(found, TransformerModel) and found.parameters == 8_030_261_248


def test_flags_override_the_file() -> None:
    brief = read(
        GUIDE, "goal.deadline=5d", "train.global_batch=1024", "candidates.counts=[64, 128]", "goal.minimize=time"
    )
    assert brief.goal.deadline_s == 5 * 86400
    assert (brief.job.global_batch, brief.candidates.counts) == (1024, (64, 128))
    assert brief.goal.minimize is Objective.TIME


def test_flags_make_sections_and_a_later_one_wins() -> None:
    brief = read("train: {model: llama-3.1-8b}", "train.dataset.size=1 TB", "goal.budget=$1k", "goal.budget=$2k")
    assert brief.goal.budget_usd == 2000 and brief.job.tokens == 250e9


def test_a_mapping_is_a_brief_too_and_is_left_as_it_was() -> None:
    mapping = {"train": {"model": "llama-3.1-8b", "tokens": 1e12}, "as_of": "2025-12-24"}
    before = json.dumps(mapping)
    brief = read_brief(mapping, small_catalog(), ["train.tokens=2T"])
    assert (brief.job.tokens, brief.as_of) == (2e12, "2025-12-24")
    assert json.dumps(mapping) == before


def test_the_callers_date_wins_over_the_briefs() -> None:
    text = "{train: {model: llama-3.1-8b, tokens: 1T}, as_of: 2025-01-01}"
    assert read_brief_text(text, small_catalog()).as_of == "2025-01-01"
    assert read_brief_text(text, small_catalog(), as_of=DAY).as_of == "2026-01-31"
    assert read_brief_text("train: {model: llama-3.1-8b, tokens: 1T}", small_catalog()).as_of == str(date.today())


@given(st.integers(1, 10**6))
def test_a_whole_number_of_sequences_is_kept(count: int) -> None:
    assert friendly_sequences(float(count)) == count


@given(st.floats(1, 1e6))
def test_a_token_batch_moves_by_little(wanted: float) -> None:
    assert abs(friendly_sequences(wanted) - wanted) <= max(0.05 * wanted, 0.5)


@given(st.floats(40, 1e6))
def test_a_token_batch_divides_among_devices(wanted: float) -> None:
    taken = friendly_sequences(wanted)
    power = taken & -taken
    assert wanted == int(wanted) or power >= 0.05 * wanted


def test_a_batch_that_divides_exactly_is_taken_exactly() -> None:
    brief = read("train: {model: llama-3.1-8b, tokens: 1T, sequence_length: 1000, global_batch: 3M tokens}")
    assert brief.job.global_batch == 3000
    assert "global_batch" not in assumed(brief)


def test_errors_are_input_errors_when_a_batch_is_below_one_sequence() -> None:
    with pytest.raises(InputError, match="less than one sequence"):
        read("train: {model: llama-3.1-8b, tokens: 1T, sequence_length: 8192, global_batch: 4k tokens}")


def test_every_key_is_documented() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "brief.md").read_text(encoding="utf-8")
    sections = [
        section
        for section in Section.__subclasses__()
        if section not in (BriefSections, ServingSections, PipelineSections, MissionSections, TcoSections)
    ]
    missing = {name for section in sections for name in section.model_fields if f"`{name}`" not in text}
    assert missing == set()
    kinds = (BriefSections, ServingSections, PipelineSections, MissionSections, TcoSections)
    roots = {name for kind in kinds for name in kind.model_fields}
    assert all(f"## {name}" in text for name in roots)
