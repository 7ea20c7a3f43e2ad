"""--plot: every picture of an answer in one whole file, never someone else's; the answer is printed all the same."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytest.importorskip("altair", reason="needs the charts extra")

from groundplan.cli.delivery import is_ours

from .test_commands import run

MEMORY = ("memory", "--model", "llama-3.1-8b", "--tp", "8")
SVG = "{http://www.w3.org/2000/svg}"


def test_charts_and_the_picture_of_a_plan_stand_in_one_svg(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = tmp_path / "train.svg"
    command = (
        "train",
        "--model",
        "llama-3.1-8b",
        "--accelerator",
        "h100-sxm",
        "--accelerators",
        "64",
        "--tokens",
        "1T",
    )
    code, out, err = run(capsys, *command, "--plot", str(target))
    assert (code, err) == (0, f"wrote {target}\n") and out
    root = ET.fromstring(target.read_text())
    pictures = root.findall(f"{SVG}svg")
    assert len(pictures) >= 3 and float(root.attrib["height"]) > 500
    tops = [float(one.attrib["y"]) + float(one.attrib["height"]) for one in pictures]
    assert all(before <= float(after.attrib["y"]) for before, after in zip(tops, pictures[1:], strict=False))
    assert any("flow" in one.attrib.get("class", "") for one in pictures)


def test_a_png_says_who_made_it_and_may_be_replaced(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = tmp_path / "memory.png"
    for _ in range(2):
        assert run(capsys, *MEMORY, "--plot", str(target))[0] == 0
    assert target.read_bytes().startswith(b"\x89PNG") and is_ours(target)
    other = tmp_path / "holiday.png"
    other.write_bytes(b"\x89PNG\r\n\x1a\nsomebody's")
    code, out, err = run(capsys, *MEMORY, "--plot", str(other))
    assert code == 2 and not out and "not written by groundplan" in err


@pytest.mark.parametrize(
    ("command", "name", "words"),
    [
        (MEMORY, "m.pdf", "no picture"),
        (MEMORY, "nowhere/m.svg", "no folder"),
        (("catalog", "list"), "c.svg", "no chart"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: tuple[str, ...], name: str, words: str
) -> None:
    code, out, err = run(capsys, *command, "--plot", str(tmp_path / name))
    assert code == 2 and words in err and err.count("\n") == 2
    assert bool(out) == (words == "no chart")  # an answer that has none is not lost
    assert list(tmp_path.iterdir()) == []
