"""Bad briefs: each gets one line that says what is wrong and where, and one that says how to mend it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.errors import InputError, UnknownName
from groundplan.workload.brief import read_brief, read_brief_text
from workload.brief_catalog import small_catalog

GOOD = "train: {model: llama-3.1-8b, tokens: 1T}\n"
LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


def complaint(text: str, *sets: str) -> InputError:
    with pytest.raises(InputError) as caught:
        read_brief_text(text, small_catalog(), label="brief.yaml", sets=sets)
    error = caught.value
    assert error.exit_code == 2
    assert error.what and error.mend, "says what and how to mend"
    assert "\n" not in error.what + error.mend and len(error.what) < 400 and len(error.mend) < 400
    return error


@pytest.mark.parametrize(
    ("text", "what", "mend"),
    [
        ("train: {model: x\ngoal: y: z", "brief.yaml line 2, column", "correct the YAML"),
        ("train:\n\tmodel: x", "brief.yaml line 2, column 1", "correct the YAML"),
        ("", "brief.yaml is empty", "train:"),
        ("# nothing but a comment\n", "brief.yaml is empty", "train:"),
        ("- train", "a mapping with 'train:'", "examples/"),
        ("just words", "a mapping with 'train:'", "examples/"),
        ("a: 1\n---\nb: 2", "line 2", "correct"),
        ("train: {}\ntrain: {}", "key 'train' is already on line 1", "correct"),
        (GOOD + "goal:\n  deadline: 3 d\n  deadline: 4 d", "key 'deadline' is already on line 3", "correct"),
        ("train: !!python/object/apply:os.system [ls]", "line 1", "correct"),
        ("as_of: 2025-13-45\n" + GOOD, "month must be in 1..12", "quotes"),
        (LAUGHS, "aliases", "write the values out"),
        ("train: &t {model: *t}", "", "write the values out"),
        ("[" * 100_000, "nested", "levels"),
        ("1: 2\n" + GOOD, "key 1 is not a word", "quotes"),
        ("serve: {model: llama-3.1-8b}", "serve (line 1): this brief asks for a service", "train"),
        ("goal: {deadline: 3 d}", "'train' is missing", "add train"),
        ("train: {tokens: 1T}", "train (line 1): 'model' is missing", "add model"),
        (GOOD + "goals: {deadline: 3 d}", "unknown key 'goals' in the brief (line 2)", "did you mean goal?"),
        (GOOD + "goal:\n  dead_line: 3 d", "unknown key 'dead_line' in goal (line 3)", "did you mean deadline?"),
        (
            "train: {model: llama-3.1-8b, tokens: 1T, sequence_length: 4096, document_length: 8192}",
            "8192 tokens are more than the sequence of 4096",
            "write 4096 or less",
        ),
        ("train:\n  modell: llama-3.1-8b", "unknown key 'modell' in train (line 2)", "did you mean model?"),
        (GOOD + "overrides: {layout: {tpp: 8}}", "unknown key 'tpp' in overrides.layout (line 2)", "tp"),
        (GOOD + "goal: 3 d", "goal (line 2): expected a section", "examples/"),
        ("train: llama", "train (line 1): expected a section", "examples/"),
        ("train: {model: [a]}", "train.model (line 1): expected text or a section", "examples/"),
        (
            GOOD + "goal: {max_accelerators: true}",
            "goal.max_accelerators (line 2): expected text or a number",
            "examples/",
        ),
        (GOOD + "candidates: {accelerators: {a: b}}", "expected text or a list", "examples/"),
        (GOOD + "goal: {deadline: 3 dayz}", "goal.deadline (line 2): '3 dayz' is not a duration", "3 d, 36 h, 90 min"),
        (GOOD + "goal: {deadline: 0}", "goal.deadline (line 2): 0 is not more than zero", "3 d"),
        (GOOD + "goal: {budget: -5}", "goal.budget (line 2): -5 is negative", "USD"),
        (GOOD + "goal: {budget: 15000 EUR}", "is not an amount in USD", "15000 USD"),
        (GOOD + "goal: {budget: .inf}", "is not finite", "USD"),
        (
            GOOD + "goal: {minimize: speed}",
            "goal.minimize (line 2): unknown 'speed'",
            "valid: carbon, cost, energy, time",
        ),
        (GOOD + "goal: {max_accelerators: 1.5}", "is not a whole number", "write"),
        (GOOD + "goal: {max_accelerators: 0}", "is too small", "1 or more"),
        (GOOD + "candidates: {purchase: spott}", "unknown 'spott'", "did you mean spot?"),
        (GOOD + "candidates: {providers: [awss]}", "candidates.providers (line 2): unknown 'awss'", "aws"),
        (GOOD + "candidates: {regions: us-east1}", "unknown 'us-east1'", "us-east-1"),
        (GOOD + "overrides: {pue: 0.9}", "overrides.pue (line 2)", "1.2"),
        (GOOD + "overrides: {layout: {zero: 4}}", "no ZeRO stage 4", "0, 1, 2 or 3"),
        (GOOD + "overrides: {layout: {recompute: some}}", "unknown 'some'", "selective"),
        (GOOD + "as_of: yesterday", "as_of (line 2): 'yesterday' is not a date", "2026-01-31"),
        ("train: {model: llama-3.1-8b, tokens: .nan}", "is not finite", "4M tokens"),
        ("train: {model: llama-3.1-8b, tokens: -1}", "train.tokens (line 1): -1 is negative", "4M tokens"),
        ("train: {model: llama-3.1-8b}", "neither tokens nor dataset", "tokens: 250e9"),
        ("train: {model: llama-3.1-8b, dataset: {kind: text}}", "its size is missing", "size: 1 TB"),
        ("train: {model: llama-3.1-8b, dataset: {size: 1 lb}}", "is not a size in bytes", "1 TB"),
        ("train: {model: llama-3.1-8b, dataset: {size: 1 TB, kind: images}}", "is not trained on images", "text"),
        ("train: {model: llama-3.1-8b, dataset: {size: 1 TB, compression: 0.5}}", "is below 1", "e.g. 3"),
        (
            "train: {model: llama-3.1-8b, dataset: {size: 1 TB, epochs: 1}, tokens: 1T}",
            "1,000,000,000,000 tokens are not 1 epochs",
            "not both",
        ),
        ("train: {model: resnet-50, tokens: 1T}", "is trained on samples", "samples"),
        ("train: {model: resnet-50, dataset: {kind: records, samples: 5}}", "size of a record", "sample_size"),
        ("train: {model: resnet-50, dataset: {samples: 5}, lora: {}}", "no layers to adapt", "method: full"),
        ("train: {model: llama-3.1-8b, tokens: 1T, method: full, lora: {}}", "the method is full", "method: lora"),
        ("train: {model: llama-3.1-8b, tokens: 1T, method: sft}", "unknown 'sft'", "qlora"),
        ("train: {model: llama-3.1-8b, tokens: 1T, global_batch: 1.5}", "is not a whole number", "write"),
        ("train: {model: llama-3.1-8b, tokens: 1T, global_batch: 4M bananas}", "unknown unit 'banana'", "sequences"),
    ],
)
def test_one_line_what_one_line_how(text: str, what: str, mend: str) -> None:
    error = complaint(text)
    assert what in error.what
    assert mend in error.mend


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        (GOOD + "candidates: {accelerators: [a100-sxm-800]}", "a100-sxm-80"),
        ("train: {model: llama-3.1-8b, tokens: 1T, optimizer: adamv}", "adamw"),
        ("train: {model: llama-3.1-9b, tokens: 1T}", "llama-3.1-8b"),
    ],
)
def test_unknown_names_get_the_nearest(text: str, nearest: str) -> None:
    error = complaint(text)
    assert isinstance(error, UnknownName)
    assert nearest in error.nearest


@pytest.mark.parametrize(
    "text", ["goal.deadline", "=5d", "goal..deadline=5d", "train.model.layers=3", "goal.deadline=[", "goal.deadine=5 d"]
)
def test_bad_sets(text: str) -> None:
    complaint(GOOD, text)


def test_a_bad_set_is_named_as_one() -> None:
    assert "goal.deadline (--set)" in complaint(GOOD, "goal.deadline=5 dayz").what


@pytest.mark.parametrize(
    "content", [b"\x00\x01\x02\xff" * 100, b"\xff\xfe\x00t", random.Random(1).randbytes(10_000_000)]
)
def test_binary_files(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "brief.yaml"
    file.write_bytes(content)
    with pytest.raises(InputError):
        read_brief(file, small_catalog())


def test_ten_megabytes_of_text_are_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "brief.yaml"
    file.write_bytes(b"a: b\n" * 2_000_000)
    with pytest.raises(InputError, match="larger than 1 MB"):
        read_brief(file, small_catalog())


@pytest.mark.parametrize("path", ["", "missing.yaml", "a\0b", "x" * 5000])
def test_folders_missing_and_impossible_paths(tmp_path: Path, path: str) -> None:
    with pytest.raises(InputError) as caught:
        read_brief(tmp_path / path, small_catalog())
    assert "\n" not in str(caught.value)


@given(st.text(max_size=200))
def test_any_text_is_answered_by_an_input_error(text: str) -> None:
    with pytest.raises(InputError):
        read_brief_text(text, small_catalog())


@given(st.text(max_size=40))
def test_any_deadline_is_read_or_refused_politely(text: str) -> None:
    brief = {"train": {"model": "llama-3.1-8b", "tokens": 1e12}, "goal": {"deadline": text}}
    try:
        deadline = read_brief(brief, small_catalog()).goal.deadline_s
    except InputError:
        return
    assert deadline is not None and deadline > 0
