"""What is feasible, what wins, and what would nearly do."""

from __future__ import annotations

import datetime
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from groundplan.catalog.catalog import load_catalog
from groundplan.evidence import Prediction
from groundplan.plan.answer import feasible, limits_of, nearest, pareto_front, ranked
from groundplan.plan.search import search
from groundplan.workload.brief import read_brief
from groundplan.workload.job import Goal, Objective

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/llama8b-lora-l4/brief.yaml"


@cache
def template():
    catalog = load_catalog([])
    return search(read_brief(EXAMPLE, catalog, as_of=datetime.date(2026, 11, 23)), catalog, None).designs[0]


def design(days: float, usd: float | None, accelerators: int = 8):
    cost = None if usd is None else Prediction(usd, usd, usd)
    return replace(
        template(), run_s=Prediction(days * 86400, 0, 0), cost_usd=cost, accelerators=accelerators, instance=f"h{days}"
    )


GOAL = Goal(deadline_s=3 * 86400.0, budget_usd=100.0, minimize=Objective.COST, max_accelerators=16)


def test_every_limit_must_be_kept():
    kept = feasible([design(2, 90), design(4, 50), design(1, 150), design(2, 80, 32)], limits_of(GOAL))
    assert [d.run_s.value for d in kept] == [2 * 86400]


def test_an_unknown_cost_keeps_no_budget():
    assert feasible([design(1, None)], limits_of(GOAL)) == []
    assert len(feasible([design(1, None)], limits_of(replace(GOAL, budget_usd=None)))) == 1


def test_the_objective_ranks():
    slow, fast = design(3, 10), design(1, 20)
    assert ranked([fast, slow], Objective.COST)[0] is slow
    assert ranked([fast, slow], Objective.TIME)[0] is fast


def test_the_front_keeps_what_nothing_beats():
    front = pareto_front(
        [design(1, 100), design(2, 50), design(3, 60), design(4, 50), design(5, 10), design(0.5, None)]
    )
    assert [(d.run_s.value / 86400, d.cost_usd.value) for d in front] == [(1, 100), (2, 50), (5, 10)]


def test_one_limit_is_given_up_where_one_is_enough():
    limits = limits_of(replace(GOAL, max_accelerators=None))
    answers = nearest([design(6, 90), design(2, 130), design(9, 80)], limits, Objective.COST)
    by_constraint = {relaxed.constraint: (d, relaxed) for d, relaxed in answers}
    assert by_constraint["deadline"][1].by == pytest.approx(2.0) and by_constraint["deadline"][1].also == ()
    assert by_constraint["budget"][1].by == pytest.approx(1.3) and by_constraint["budget"][1].also == ()


def test_where_one_is_not_enough_the_fewest_and_least_are():
    limits = limits_of(replace(GOAL, max_accelerators=None))
    ((first, relaxed), _) = nearest([design(6, 300), design(4, 200)], limits, Objective.COST)
    assert first.run_s.value == 4 * 86400
    assert len(relaxed.also) == 1
