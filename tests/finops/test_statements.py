"""Statements: their lines sum to what each owner is allocated, and nothing in them runs in a spreadsheet."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from groundplan.errors import InputError
from groundplan.finops.world.fleet import WorldSize
from groundplan.finops.world.write import write_world
from groundplan.render import render
from groundplan.tasks.finops.allocate import AllocateRequest, allocate
from groundplan.tasks.finops.lake import import_files
from groundplan.tasks.finops.statements import ALLOCATED, statements, write_statements


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the lake of a small world, with a job whose name is a formula."""
    folder = tmp_path_factory.mktemp("statements")
    write_world(WorldSize(4, 6, 32, 3), folder / "w")
    sacct = folder / "w/jobs/sacct.txt"
    text = sacct.read_text()
    name = text.splitlines()[1].split("|")[2]
    sacct.write_text(text.replace(f"|{name}|", "|=HYPERLINK(1)|", 1))
    import_files(str(folder / "lake"), [folder / "w" / part for part in ("bill", "jobs", "telemetry")])
    return str(folder / "lake")


def test_lines_sum_to_what_is_allocated(lake: str) -> None:
    cost = {row["team"]: Decimal(row["cost_usd"]) for row in allocate(AllocateRequest(lake)).rows}
    found = statements(AllocateRequest(lake))
    assert {one.owner for one in found} == {team for team in cost if not team.startswith("(")}
    for one in found:
        assert Decimal(one.cost_usd) == cost[one.owner] == sum(Decimal(line["cost_usd"]) for line in one.lines)


def test_the_folder_holds_a_page_and_a_table_for_everyone_and_the_fleet_in_focus_columns(
    lake: str, tmp_path: Path
) -> None:
    report = write_statements(AllocateRequest(lake), tmp_path / "out", render)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(names) == 2 * len(report.statements) + 1 and ALLOCATED in names
    with (tmp_path / "out" / ALLOCATED).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == report.allocated_rows
    states = allocate(AllocateRequest(lake)).states
    assert any(row["AllocatedResourceName"] == "'=HYPERLINK(1)" for row in rows)
    assert sum(Decimal(row["EffectiveCost"]) for row in rows) == sum(Decimal(row["cost_usd"]) for row in states)
    tables = "".join(
        (tmp_path / "out" / name).read_text() for name in names if name[:3].isdigit() and name.endswith(".csv")
    )
    assert "HYPERLINK" in tables and ",=HYPERLINK" not in tables
    with pytest.raises(InputError, match="not empty"):
        write_statements(AllocateRequest(lake), tmp_path / "out", render)


def test_statements_are_of_owners(lake: str) -> None:
    with pytest.raises(InputError, match="owner of statements"):
        statements(AllocateRequest(lake, by="job"))
