"""The trace of a simulation and its answer go into two files, both of which are checked before it runs."""

from __future__ import annotations

import json

import pytest

from groundplan.cli import main

SIMULATING = ["simulate", "serve", "--model", "llama-3.1-8b", "--tp", "1", "--rate", "5", "--count", "20"]


@pytest.mark.parametrize("name", ["same.json", "./same.json", "inner/../same.json"])
def test_one_file_for_both_is_refused_and_nothing_is_written(capsys, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inner").mkdir()
    assert main([*SIMULATING, "--trace", "same.json", "--out", name]) == 2
    assert "--trace and --out both name same.json" in capsys.readouterr().err
    assert not (tmp_path / "same.json").exists()


@pytest.mark.parametrize("foreign", ["--trace", "--out"])
def test_a_foreign_file_is_refused_before_anything_is_simulated(capsys, tmp_path, monkeypatch, foreign):
    monkeypatch.setattr("groundplan.tasks.simulate_serve.simulate_service", lambda *_, **__: pytest.fail("simulated"))
    files = {"--trace": tmp_path / "trace.json", "--out": tmp_path / "out.json"}
    files[foreign].write_text("mine", encoding="utf-8")
    flags = [str(word) for pair in files.items() for word in pair]
    assert main([*SIMULATING, *flags]) == 2
    assert "was not written by groundplan" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {files[foreign].name}


def test_a_trace_may_be_written_again(tmp_path):
    trace = tmp_path / "trace.json"
    for _ in range(2):
        assert main([*SIMULATING, "--trace", str(trace), "--out", str(tmp_path / "out.json")]) == 0
    assert json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
