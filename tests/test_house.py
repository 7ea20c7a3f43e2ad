"""The house rules that a reader cannot see at a glance: small files, light imports, lawful laws."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "groundplan"
LONGEST_FILE = 400
HEAVY = {"pydantic", "pandas", "altair", "vl_convert", "narwhals", "typer", "rich", "yaml", "scipy", "torch"}
REFUSED_NAMES = {"utils", "util", "helpers", "common", "manager", "misc"}


def modules_after(statement: str) -> set[str]:
    """Return the top-level packages that a fresh interpreter has loaded after a statement."""
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda file: str(file.relative_to(SOURCE)))
def test_files_are_short_and_named_for_what_they_hold(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    assert file.stem not in REFUSED_NAMES


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {file.parent for file in SOURCE.rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_importing_groundplan_loads_nothing_heavy() -> None:
    assert modules_after("import groundplan") & (HEAVY | {"numpy"}) == set()


def test_laws_need_numpy_only() -> None:
    laws = [f"groundplan.physics.{file.stem}" for file in (SOURCE / "physics").glob("[a-z]*.py")]
    bare = modules_after("import numpy")
    loaded = modules_after(f"import {', '.join(laws)}") - bare
    third_party = {name for name in loaded if name not in sys.stdlib_module_names}
    assert third_party == {"groundplan"}


def test_the_package_is_typed() -> None:
    assert (SOURCE / "py.typed").exists()


def test_help_loads_no_numpy_and_no_models() -> None:
    if not (SOURCE / "cli" / "__init__.py").exists():
        pytest.skip("the command line is not there yet")
    loaded = modules_after("import groundplan.cli")
    assert loaded & {"numpy", "pydantic", "pandas", "altair", "vl_convert"} == set()
