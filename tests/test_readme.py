"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from groundplan.cli import main

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    command
    for command in re.findall(r"^\| `groundplan ([^`]+)` \|", README, re.MULTILINE)
    if "BRIEF" not in command and ".json" not in command and "--lake" not in command
]
YAML = re.search(r"```yaml\n(hosts:.*?)```", README, re.DOTALL)


def test_the_table_of_commands_was_found():
    assert {command.split()[0] for command in COMMANDS} >= {"memory", "train", "allreduce", "storage", "cost"}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_answers(command, capsys):
    assert main(shlex.split(command)) == 0
    shown = capsys.readouterr()
    assert shown.out.strip() and "error" not in shown.err


def test_the_accounts_can_be_tried_as_shown(monkeypatch, capsys, tmp_path):
    (block,) = re.findall(r"```bash\n(\.venv/bin/groundplan finops.*?)```", README, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    for line in block.strip().splitlines():
        assert main(shlex.split(line)[1:]) == 0
    assert "bought no work" in capsys.readouterr().out


def test_the_python_example_runs(monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    monkeypatch.chdir(ROOT)
    exec(compile(code, "README.md", "exec"), {})
    assert "not feasible" in capsys.readouterr().out


def test_the_rows_of_ones_own_are_known_at_once(monkeypatch, tmp_path, capsys):
    assert YAML is not None
    folder = tmp_path / "groundplan.d"
    folder.mkdir()
    (folder / "rows.yaml").write_text(YAML.group(1), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["cost", "--accelerators", "8", "--instance", "our-h100", "--purchase", "owned", "--hours", "10"]) == 0
    assert "$112" in capsys.readouterr().out
