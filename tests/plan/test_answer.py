"""What is feasible, what wins, and what would nearly do."""

from __future__ import annotations

import datetime
import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.catalog.catalog import load_catalog
from groundplan.evidence import Prediction
from groundplan.plan.answer import feasible, limits_of, nearest, objective_of, pareto_front, ranked
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


DESIGNS = st.lists(
    st.tuples(
        st.integers(1, 12).map(float), st.none() | st.integers(1, 200).map(float), st.sampled_from([1, 8, 16, 32])
    ),
    max_size=12,
).map(lambda rows: [design(*row) for row in rows])


def beats(a, b) -> bool:
    """Whether `a` is at least as fast and as cheap as `b`, and better in one."""
    mine, other = ((d.run_s.value, d.cost_usd.value if d.cost_usd else math.inf) for d in (a, b))
    return mine != other and mine[0] <= other[0] and mine[1] <= other[1]


@given(DESIGNS)
def test_the_front_is_exactly_what_nothing_beats(designs):
    def point(d):
        return d.run_s.value, d.cost_usd.value

    front = [point(d) for d in pareto_front(designs)]
    unbeaten = {point(d) for d in designs if d.cost_usd and not any(beats(other, d) for other in designs)}
    assert len(front) == len(set(front)) and set(front) == unbeaten
    assert front == sorted(front)


@given(DESIGNS, st.sampled_from(Objective))
def test_ranking_keeps_every_design_and_puts_the_best_first(designs, objective):
    order = ranked(designs, objective)
    assert sorted(map(id, order)) == sorted(map(id, designs))
    values = [objective_of(d, objective) for d in order]
    assert values == sorted(values)


@given(DESIGNS)
def test_the_order_of_the_candidates_decides_nothing(designs):
    def keys(found):
        return [(d.run_s.value, d.cost_usd, d.accelerators) for d in found]

    assert keys(ranked(designs, Objective.COST)) == keys(ranked(designs[::-1], Objective.COST))
    assert [d.run_s.value for d in pareto_front(designs)] == [d.run_s.value for d in pareto_front(designs[::-1])]


@given(DESIGNS)
def test_what_is_relaxed_is_the_least_that_must_be(designs):
    """Of the designs that keep all other limits, none misses the relaxed one by less."""
    limits = limits_of(GOAL)
    if feasible(designs, limits):
        return
    for best, relaxed in nearest(designs, limits, Objective.COST):
        limit = next(one for one in limits if one.constraint == relaxed.constraint)
        others = [one for one in limits if one is not limit]
        assert relaxed.by == pytest.approx(relaxed.needed / relaxed.limit)
        keeping = feasible(designs, others)
        assert (relaxed.also == ()) == bool(keeping)
        if keeping:
            assert relaxed.by > 1.0
            assert relaxed.by == min(limit.excess(d) for d in keeping)
            assert feasible([best], others)


def test_no_designs_have_no_nearest():
    assert nearest([], limits_of(GOAL), Objective.COST) == []


def test_a_goal_without_limits_keeps_everything():
    nothing = replace(GOAL, deadline_s=None, budget_usd=None, max_accelerators=None)
    assert limits_of(nothing) == [] and len(feasible([design(1e6, None, 10**6)], [])) == 1


def test_a_limit_met_exactly_is_kept():
    assert len(feasible([design(3, 100, 16)], limits_of(GOAL))) == 1
