"""The linters, the type checker and the layer contracts, as tests: one command proves everything."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(module: str, *command: str) -> None:
    """Run a tool of this interpreter's environment and show what it says when it complains."""
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed; pip install -e '.[test]' installs it")
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing() -> None:
    run("ruff", "-m", "ruff", "check", ".")


def test_the_format_is_ruffs() -> None:
    run("ruff", "-m", "ruff", "format", "--check", ".")


def test_types_are_sound() -> None:
    run("mypy", "-m", "mypy")


def test_data_flows_down_the_house() -> None:
    run("importlinter", "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()")
