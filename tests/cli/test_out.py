"""--out: never half-written, never someone else's file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from groundplan.cli.delivery import is_ours, write_file
from groundplan.errors import GroundplanError, InputError
from groundplan.render import FORMATS, render
from render.samples import SAMPLES

# One page stands for all: charts are slow to draw.
FILES = [(name, form) for name in SAMPLES for form in FORMATS if form != "html" or name == "plan"]


@pytest.mark.parametrize(("name", "form"), FILES)
def test_a_file_we_wrote_may_be_replaced(tmp_path: Path, name: str, form: str) -> None:
    target = tmp_path / "answer"
    text = render(SAMPLES[name], form)
    write_file(target, text)
    assert is_ours(target)
    write_file(target, text)
    assert target.read_text(encoding="utf-8") == text
    assert [file.name for file in tmp_path.iterdir()] == ["answer"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "my notes on groundplan\n",
        '{"name": "groundplan"}',
        "# groundplanning\n",
        "schema,value\nother,1\n",
        "<html>groundplan</html>",
        "\x00\x01",
        "groundplan is great",
    ],
)
def test_anothers_file_stays_unless_forced(tmp_path: Path, content: str) -> None:
    target = tmp_path / "notes.md"
    target.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="--force"):
        write_file(target, "new\n")
    assert target.read_text(encoding="utf-8") == content
    write_file(target, "new\n", force=True)
    assert target.read_text(encoding="utf-8") == "new\n"


def test_a_folder_or_a_missing_one_or_a_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        write_file(tmp_path, "x")
    with pytest.raises(InputError, match="no folder"):
        write_file(tmp_path / "missing" / "x.json", "x")
    with pytest.raises(InputError, match="regular"):
        write_file(Path(os.devnull), "x", force=True)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "plan.json"
    write_file(target, render(SAMPLES["plan"], "json"))
    before = target.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(GroundplanError, match="No space left"):
        write_file(target, "half")
    assert target.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["plan.json"]


def test_a_link_is_followed_and_the_mode_kept(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    write_file(real, render(SAMPLES["cost"], "json"))
    real.chmod(0o640)
    link.symlink_to(real)
    write_file(link, render(SAMPLES["memory"], "json"))
    assert link.is_symlink()
    assert "groundplan/memory/1" in real.read_text(encoding="utf-8")
    assert real.stat().st_mode & 0o777 == 0o640
