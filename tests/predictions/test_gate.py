"""No prediction moves by more than 1 % unless the changelog says why."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


gate = _load("gate")


@pytest.fixture(scope="module")
def found() -> dict[str, float]:
    return gate.predictions()


def test_no_prediction_moved_without_an_explanation(found):
    changes = gate.moved(gate.accepted()[1], found)
    if changes:
        pytest.fail(
            f"{len(changes)} of {len(found)} predictions moved by more than 1 %:\n{gate.table(changes)}\n\n"
            "Say why in changelog.d/<topic>.accuracy.md, then run\n"
            "python tests/predictions/accept.py --because changelog.d/<topic>.accuracy.md",
            pytrace=False,
        )


def test_the_explanation_is_in_the_changelog():
    fragment, _ = gate.accepted()
    path = ROOT / fragment
    text = path.read_text(encoding="utf-8") if path.is_file() else (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "median error" in text, "the change is told with its measure"


def test_the_canonical_predictions_span_what_users_ask(found):
    assert len(found) >= 200
    quantities = {name.rsplit(".", 1)[1] for name in found}
    assert quantities >= {"step_s", "peak_bytes", "run_s", "mfu", "energy_j", "memory"}
    designs = (Path(__file__).parent / "designs.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert len({line.split(",")[2] for line in designs}) >= 12
    assert len({line.split(",")[6] for line in designs}) >= 6
    assert all(value > 0 for value in found.values())


def test_the_gate_shuts_at_two_per_cent_and_not_at_a_half(found):
    name = next(iter(found))
    assert gate.moved({**found, name: found[name] * 1.005}, found) == []
    ((changed, old, new),) = gate.moved({**found, name: found[name] * 1.02}, found)
    assert changed == name and f"{100 * (new / old - 1):+.1f} %" in gate.table([(changed, old, new)])
    gone = {key: value for key, value in found.items() if key != name}
    assert gate.moved(found, gone) == [(name, found[name], None)]
