"""The generated world: the same bytes for the same seed, and a truth that agrees with its own files."""

from __future__ import annotations

import csv
import gzip
import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from groundplan.errors import InputError
from groundplan.finops.states import State
from groundplan.finops.world.fleet import DAY_S, WorldSize, nodes_of, teams_of
from groundplan.finops.world.work import jobs_of
from groundplan.finops.world.write import write_world

SMALL = WorldSize(seed=3, days=12, gpus=44, teams=5)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, size in (("a", SMALL), ("b", SMALL), ("c", WorldSize(4, 12, 44, 5))):
        write_world(size, tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) == 1 + 1 + 12 + 1 + 1  # bill, jobs, telemetry by day, prices, truth
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
    assert (tmp_path / "a/truth.json").read_bytes() != (tmp_path / "c/truth.json").read_bytes()


def test_the_truth_sums_to_the_bill(tmp_path: Path) -> None:
    truth = write_world(SMALL, tmp_path / "w")
    assert json.loads((tmp_path / "w/truth.json").read_text()) == truth
    billed = effective = Decimal(0)
    for path in (tmp_path / "w/bill").iterdir():
        with gzip.open(path, "rt") as file:
            for row in csv.DictReader(file):
                billed += Decimal(row["BilledCost"])
                effective += Decimal(row["EffectiveCost"])
    assert billed == effective == Decimal(truth["total_usd"])
    owners = sum(map(Decimal, truth["teams"].values()))
    rest = sum(Decimal(truth[key]) for key in ("unknown_usd", "shared_usd", "unused_commitment_usd"))
    idle = Decimal(truth["idle_usd"]["unallocated"])
    assert owners + rest + idle == pytest.approx(effective, abs=Decimal("0.001"))


def test_no_accelerator_is_held_twice_and_every_course_fills_its_job() -> None:
    nodes, teams = nodes_of(SMALL), teams_of(SMALL)
    held: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for job in jobs_of(SMALL, nodes, teams):
        assert job.submit <= job.start < job.end <= SMALL.days * DAY_S
        assert job.course[0][0] == job.start and job.course[-1][1] == job.end
        assert all(one[1] == two[0] for one, two in pairwise(job.course))
        assert job.course[0][2] is State.NO_PROCESS
        for node, slots in job.places:
            for slot in slots:
                held.setdefault((node, int(slot)), []).append((job.start, job.end))
    for spans in held.values():
        assert all(one[1] <= two[0] for one, two in pairwise(sorted(spans)))
    assert np.mean([len(spans) for spans in held.values()]) > 1


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w/mine").write_text("x")
    with pytest.raises(InputError, match="not empty"):
        write_world(SMALL, tmp_path / "w")
    assert [path.name for path in tmp_path.iterdir()] == ["w"]


@pytest.mark.parametrize("size", [{"days": 0}, {"gpus": 7}, {"teams": 0}, {"seed": -1}])
def test_sizes_that_make_no_world_are_refused(size: dict[str, int]) -> None:
    with pytest.raises(InputError):
        WorldSize(**size)
