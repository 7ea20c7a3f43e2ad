"""One quantity, one name, one unit: the parameters of the laws are those of docs/nomenclature.md, and no others."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import groundplan.physics

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<unit>[^|]+) \| (?P<meaning>[^|]+) \|$", re.M)
TEXT = (ROOT / "docs" / "nomenclature.md").read_text(encoding="utf-8")
LISTED = [match["name"] for match in ROW.finditer(TEXT)]
ENDINGS = {"_s": "s", "_bytes": "bytes", "_bytes_per_s": "bytes/s", "_flops_per_s": "FLOP/s", "_w": "W", "_j": "J"}


def laws() -> Iterator[tuple[str, list[str]]]:
    """Yield every public function of the physics room with the names of its parameters."""
    folder = Path(groundplan.physics.__file__).parent
    for file in sorted(folder.glob("[a-z]*.py")):
        module = import_module(f"groundplan.physics.{file.stem}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if not name.startswith("_") and function.__module__ == module.__name__:
                yield f"{file.stem}.{name}", list(inspect.signature(function).parameters)


@pytest.mark.parametrize(("law", "parameters"), [*laws()], ids=[law for law, _ in laws()])
def test_every_parameter_of_a_law_is_listed(law: str, parameters: list[str]) -> None:
    assert [name for name in parameters if name not in LISTED] == []


def test_every_listed_name_is_used() -> None:
    used = {name for _, parameters in laws() for name in parameters}
    assert sorted(set(LISTED) - used) == []


def test_a_name_is_listed_once() -> None:
    assert len(LISTED) == len(set(LISTED))


def test_the_ending_of_a_name_is_its_unit() -> None:
    for row in ROW.finditer(TEXT):
        ending = next((e for e in sorted(ENDINGS, key=len, reverse=True) if row["name"].endswith(e)), None)
        if ending and row["name"] not in {"arrival_per_s", "samples_per_s"}:
            assert row["unit"] == ENDINGS[ending], row["name"]
