"""The commands as a user meets them: answers, exit codes, two-line errors, JSON errors, fast help."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from groundplan.cli import main
from groundplan.render import render
from render.samples import INFEASIBLE, MEMORY, PLAN, SAMPLES

COST = ["cost", "--accelerators", "8", "--price", "$3", "--hours", "24"]
COMMANDS = [
    "plan",
    "memory",
    "train",
    "serve",
    "simulate",
    "allreduce",
    "storage",
    "checkpoint",
    "cost",
    "explain",
    "diff",
    "catalog",
    "validate",
    "calibrate",
    "finops",
    "server",
    "mcp",
    "token",
]


class Answers:
    """A task's result that is a given dictionary."""

    def __init__(self, plain: dict[str, Any]) -> None:
        self.plain = plain

    def to_dict(self) -> dict[str, Any]:
        return self.plain


@pytest.fixture()
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    path.write_text(render(PLAN, "json"), encoding="utf-8")
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a wrong request; hold that it is refused in two lines with code 2, and return them."""
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    lines = err.splitlines()
    assert 1 <= len(lines) <= 2
    assert lines[0].startswith("error: ")
    assert all(line.startswith("  fix: ") for line in lines[1:])
    return err


def test_cost_answers_in_json_on_standard_output_alone(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *COST, "--format", "json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert answer["per_day_usd"] == 576.0
    assert answer["per_month_usd"] == 17_280.0


def test_units_are_read_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--bytes", "20 GB", "--accelerators", "64", "--per-second", "1", "--fabric", "infiniband-hdr"]
    code, out, _ = run(capsys, "allreduce", *flags, "-f", "json", "--exit-code")
    assert code == 3, "200 Gb/s does not carry 315 Gb/s"
    assert json.loads(out)["bytes_per_device"] == 39.375e9
    code, out, _ = run(capsys, "checkpoint", "--mtbf", "24 h", "--write", "5min", "--restart", "10 min", "-f", "json")
    assert code == 0
    assert json.loads(out)["interval_s"] / 60 == pytest.approx(117, abs=1)


def test_set_replaces_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, *COST, "--set", "hours=48", "--set", "accelerators=4", "-f", "json")
    assert json.loads(out)["cost_usd"] == 576.0


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str], command: str) -> None:
    code, out, err = run(capsys, command, "--help")
    assert (code, err) == (0, "")
    assert f"groundplan {command}" in out


def test_no_command_shows_the_help_and_version_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys)
    assert code == 0
    assert all(command in out for command in COMMANDS)
    assert "..." not in out.split("Commands:")[1], "each command fits on its line"
    assert run(capsys, "--version")[1].startswith("groundplan ")


def test_a_misspelt_name_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean memory?" in refused(capsys, "memroy")
    assert "--model" in refused(capsys, "memory", "--modle", "x")
    assert "'html'" not in refused(capsys, *COST, "--format", "jsn")
    assert "price" in refused(capsys, *COST, "--set", "prise=3")
    assert "llama-2-7b" in refused(capsys, "memory", "--model", "llama-2-7")


@pytest.mark.parametrize(
    "arguments",
    [
        ["memory"],
        ["memory", "--model"],
        ["cost", "--accelerators", "-8", "--price", "3"],
        ["cost", "--accelerators", "8", "--price", "free"],
        ["cost", "--accelerators", "8.5", "--price", "3"],
        ["allreduce", "--bytes", "20 GPU", "--accelerators", "64"],
        [*COST, "extra"],
        [*COST, "--as-of", "yesterday"],
        [*COST, "--set", "hours"],
        ["plan", "no-such-brief.yaml"],
        ["plan", "."],
        ["explain", "no-such-plan.json", "--metric", "step_s"],
        ["catalog", "lst"],
        ["catalog", "show", "no such thing at all"],
        ["memory", "--model", "."],
    ],
    ids=" ".join,
)
def test_a_wrong_request_is_refused_in_two_lines(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    refused(capsys, *arguments)


def test_an_error_is_also_json_where_json_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    for form in (["--format", "json"], ["--format=json"], ["-f", "json"]):
        code, out, err = run(capsys, "memory", "--model", "llama-2-7", *form)
        assert code == 2
        error = json.loads(out)["error"]
        assert set(error) == {"what", "mend"}
        assert error["what"] in err and error["mend"] in err
    assert "error" in json.loads(run(capsys, "memory", "--modle", "x", "--format", "json")[1])


def test_hostile_input_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    err = refused(capsys, "memory", "--model", "a\nb\x1b[31m" + "x" * 100_000)
    assert "\x1b" not in err
    assert len(err) < 1000


def test_garbage_is_no_saved_plan(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for number, content in enumerate([b"\xff\xfe\x00", b"[" * 100_000, b"{}", b'"x"', b"", b'{"schema": NaN}']):
        path = tmp_path / f"{number}.json"
        path.write_bytes(content)
        refused(capsys, "explain", str(path), "--metric", "step_s")
        refused(capsys, "diff", str(path), str(path))


def test_explain_and_diff_read_saved_plans(capsys: pytest.CaptureFixture[str], saved: Path) -> None:
    code, out, _ = run(capsys, "explain", str(saved), "--metric", "step_s")
    assert code == 0
    assert out.startswith("step_s = 10 s")
    assert "step_s" in refused(capsys, "explain", str(saved), "--metric", "steps")
    assert run(capsys, "diff", str(saved), str(saved), "--exit-code")[:2][0] == 0
    other = saved.with_name("other.json")
    other.write_text(render(INFEASIBLE, "json"), encoding="utf-8")
    code, out, _ = run(capsys, "diff", str(saved), str(other), "--exit-code")
    assert code == 3
    assert "verdict.feasible" in out
    refused(capsys, "diff", str(saved), str(other), "--set", "a=b")


def test_explain_reads_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(render(PLAN, "json").encode())))
    assert run(capsys, "explain", "-", "--metric", "step_s")[0] == 0


@pytest.mark.parametrize(
    ("suffix", "start"), [("html", "<!DOCTYPE"), ("md", "<!--"), ("csv", "schema,"), ("json", "{")]
)
def test_out_infers_the_form_from_the_suffix(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, suffix: str, start: str
) -> None:
    target = tmp_path / f"answer.{suffix}"
    code, out, err = run(capsys, *COST, "--out", str(target))
    assert (code, out) == (0, "")
    assert err.strip().endswith(f"wrote {target}")
    assert target.read_text(encoding="utf-8").startswith(start)


def test_out_refuses_before_any_work(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = tmp_path / "notes.txt"
    target.write_text("mine", encoding="utf-8")
    assert "--force" in refused(capsys, "plan", "no-such-brief.yaml", "--out", str(target))
    assert target.read_text(encoding="utf-8") == "mine"
    assert run(capsys, *COST, "--out", str(target), "--force")[0] == 0


def test_exit_code_is_3_only_when_asked(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import groundplan.tasks.memory as module

    monkeypatch.setattr(module, "memory", lambda request, catalog: Answers(MEMORY))
    assert run(capsys, "memory", "--model", "llama-2-7b")[0] == 0
    assert run(capsys, "memory", "--model", "llama-2-7b", "--exit-code")[0] == 3
    monkeypatch.setattr(module, "memory", lambda request, catalog: Answers(MEMORY | {"fits": True}))
    assert run(capsys, "memory", "--model", "llama-2-7b", "--exit-code")[0] == 0


def test_the_unexpected_is_one_error_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import groundplan.tasks.cost as module

    def break_down(*_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(module, "cost", break_down)
    code, _, err = run(capsys, *COST)
    assert code == 1
    assert err.startswith("error: internal error: ZeroDivisionError: oh\n")
    assert "Traceback" not in err
    monkeypatch.setenv("GROUNDPLAN_DEBUG", "1")
    assert "Traceback" in run(capsys, *COST)[2]


def test_an_interrupt_is_quiet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import groundplan.tasks.cost as module

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "cost", interrupt)
    assert run(capsys, *COST) == (130, "", "")


@pytest.mark.parametrize("name", SAMPLES)
def test_is_ok_reads_every_result(name: str) -> None:
    from groundplan.cli.delivery import is_ok

    assert is_ok(SAMPLES[name]) is (name not in ("infeasible", "memory", "allreduce", "diff"))


def test_a_reader_that_leaves_is_no_error() -> None:
    code = "import sys; from groundplan.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *COST, "--format", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), errors) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "unloaded"),
    [
        (["--help"], {"numpy", "pydantic", "rich", "yaml", "altair", "groundplan.render", "groundplan.tasks"}),
        (["plan", "--help"], {"numpy", "rich", "yaml", "altair", "groundplan.render", "groundplan.tasks"}),
        ([*COST, "-f", "json"], {"rich", "altair", "vl_convert", "pandas"}),
    ],
    ids=["help", "plan help", "cost"],
)
def test_a_command_loads_only_what_it_needs(arguments: list[str], unloaded: set[str]) -> None:
    code = f"import sys; from groundplan.cli import main; main({arguments!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.splitlines()[-1].split()) & unloaded == set()


@pytest.mark.parametrize("command", [("validate", "training"), ("validate", "memory"), ("calibrate",)])
@pytest.mark.parametrize("option", [("--set", "a=b"), ("--exit-code",), ("--as-of", "2026-01-01")])
def test_measured_runs_have_no_options_of_a_plan(capsys, command, option):
    assert "unknown option" in refused(capsys, *command, *option)
    assert option[0] not in run(capsys, *command, "--help")[1]


def test_a_file_without_its_flag_is_told_where_it_belongs(capsys):
    assert "--data runs.csv" in refused(capsys, "validate", "training", "runs.csv")


def test_a_suffix_that_asks_for_no_form_is_refused(capsys, tmp_path):
    assert "unknown suffix of --out '.xyz'" in refused(capsys, *COST, "--out", str(tmp_path / "answer.xyz"))
    assert not (tmp_path / "answer.xyz").exists()
    assert run(capsys, *COST, "--out", str(tmp_path / "answer.xyz"), "--format", "json")[0] == 0


def test_two_answers_do_not_go_into_one_file(capsys, tmp_path):
    target = str(tmp_path / "both.txt")
    assert "both name" in refused(capsys, "calibrate", "--refine", "--data", "x.csv", "--rows", target, "--out", target)


def test_a_terminal_that_knows_few_characters_is_no_error(tmp_path):
    """Every command: what the terminal cannot show becomes a question mark."""
    runs = tmp_path / "runs.csv"
    runs.write_text(
        "id,model,layers,hidden,heads,vocab,seq_len,gpu,n_gpus,micro_batch,step_time_s\n"
        "f\u00fcnf,mod\u00e8le,4,640,10,1000,2048,H100,1,1,1\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "groundplan", "validate", "training", "--data", str(runs)],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"f?nf" in done.stdout
