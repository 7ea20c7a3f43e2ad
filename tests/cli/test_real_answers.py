"""The real tasks through the command line, in every form but the page: what they answer can be shown."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from groundplan.cli import main

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
QUESTIONS = {
    "memory": ["memory", "--model", "llama-2-7b", "--accelerator", "a100-sxm-80"],
    "serve": ["memory", "--model", "llama-2-7b", "--serve", "--batch", "4"],
    "train": [
        "train",
        "--model",
        "llama-2-7b",
        "--accelerator",
        "a100-sxm-80",
        "--accelerators",
        "64",
        "--tokens",
        "1T",
    ],
    "allreduce": ["allreduce", "--bytes", "20GB", "--accelerators", "64", "--fabric", "infiniband-hdr"],
    "storage": ["storage", "--accelerators", "100", "--accelerator", "h100-sxm", "--dataset-kind", "unet3d"],
    "checkpoint": ["checkpoint", "--model", "llama-3.1-405b", "--accelerators", "16384"],
    "cost": ["cost", "--accelerators", "8", "--price", "3", "--hours", "24"],
    "list": ["catalog", "list"],
    "list accelerators": ["catalog", "list", "accelerators"],
    "show": ["catalog", "show", "H100"],
    "show model": ["catalog", "show", "llama-3.1-8b"],
    "plan": ["plan", str(EXAMPLES / "llm-20b" / "brief.yaml"), "--as-of", "2026-11-23"],
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_real_answer_is_shown_in_each_form(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = {}
    for form in ("table", "json", "csv", "md"):
        assert main([*QUESTIONS[name], "--format", form]) == 0, capsys.readouterr().err
        shown[form], err = capsys.readouterr()
        assert err == ""
    assert max(map(len, shown["table"].splitlines())) <= 100
    schema = json.loads(shown["json"])["schema"]
    assert f"<!-- {schema} -->" in shown["md"]
    rows = list(csv.DictReader(io.StringIO(shown["csv"])))
    assert rows and {row["schema"] for row in rows} == {schema}


def test_the_printed_brief_is_a_brief_again(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    brief = EXAMPLES / "llama70b-h100" / "brief.yaml"
    assert main(["plan", str(brief), "--print-brief"]) == 0
    again = tmp_path / "brief.yaml"
    again.write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["plan", str(again), "--print-brief"]) == 0
    assert capsys.readouterr().out == again.read_text(encoding="utf-8")
