"""The decision: what is recommended, what lost and why, and what would nearly do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from groundplan.catalog.catalog import Catalog
from groundplan.estimate.results import DesignResult, Relaxed
from groundplan.plan.answer import Binding, Limit, feasible, limits_of, nearest, objective_of, pareto_front, ranked
from groundplan.plan.offers import LARGEST_CLUSTER
from groundplan.plan.scoring import MemoryShortfall, reassess
from groundplan.plan.search import Found, Rejected, search
from groundplan.quantities import format_bytes, format_count, format_seconds, format_usd
from groundplan.workload.job import Brief, Objective

ALTERNATIVES = 6
"""Alternatives shown, each of another instance, purchase or precision."""
WIDER_COUNTS = 4
"""Larger numbers of accelerators tried where the number asked for is not enough."""
TOKEN_MARGIN = 0.995
"""Fewer tokens than a limit allows exactly, so that start-up and rounding keep inside it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to a brief."""

    feasible: bool
    headline: str
    binding: Binding
    recommended: DesignResult | None
    alternatives: tuple[DesignResult, ...]
    nearest_feasible: tuple[DesignResult, ...]
    pareto: tuple[DesignResult, ...]
    rejected: tuple[Rejected, ...]
    candidates: int
    fitting: int
    scored: int


def decide(brief: Brief, catalog: Catalog) -> Decision:
    """Search, and settle what to say."""
    found = search(brief, catalog, brief.goal.max_accelerators)
    limits = limits_of(brief.goal)
    good = ranked(feasible(found.designs, limits), brief.goal.minimize)
    if good:
        return _feasible(brief, found, good, limits)
    return _infeasible(brief, catalog, found, limits)


def _feasible(brief: Brief, found: Found, good: list[DesignResult], limits: Sequence[Limit]) -> Decision:
    best, objective = good[0], brief.goal.minimize
    winner = replace(best, reason=f"lowest {objective.value} of {len(good)} designs that keep every limit")
    others = _distinct([*good[1:], *ranked([d for d in found.designs if d not in good], objective)], best)
    alternatives = tuple(replace(d, reason=_why_lost(d, best, limits, objective)) for d in others[:ALTERNATIVES])
    tightest = max(limits, key=lambda limit: limit.excess(best), default=None)
    if tightest is None:
        binding = Binding(
            objective.value, objective_of(best, objective), None, "", f"no limits; least {objective.value}"
        )
    else:
        used = tightest.of(best)
        binding = Binding(
            tightest.constraint,
            used,
            tightest.bound,
            tightest.unit,
            f"{tightest.constraint} is the tightest limit, {tightest.excess(best):.0%} used",
        )
    headline = f"feasible: {_named(best)}, {_totals(best)}"
    return Decision(
        True,
        headline,
        binding,
        winner,
        alternatives,
        (),
        tuple(pareto_front(found.designs)),
        found.rejected,
        found.candidates,
        found.fitting,
        found.scored,
    )


def _infeasible(brief: Brief, catalog: Catalog, found: Found, limits: Sequence[Limit]) -> Decision:
    if not found.designs:
        return _nothing_fits(brief, catalog, found, limits)
    wider = found
    if brief.goal.max_accelerators is not None:
        # What more accelerators would do: the same brief without that limit.
        wider = search(_more(brief, found, limits), catalog, None)
    pairs = _relaxations(brief, catalog, found, wider, limits)
    answers = tuple(replace(design, relaxed=relaxed, reason=_relaxed_text(relaxed)) for design, relaxed in pairs)
    counted = next((limit for limit in limits if limit.constraint == "max_accelerators"), None)
    within = [d for d in found.designs if counted is None or counted.excess(d) <= 1.0]
    best = min(within or found.designs, key=lambda d: (max(limit.excess(d) for limit in limits), d.run_s.value))
    worst = max(limits, key=lambda limit: limit.excess(best))
    binding = Binding(worst.constraint, worst.of(best), worst.bound, worst.unit, worst.text(worst.of(best)))
    headline = f"not feasible: {_named(best)} takes {_totals(best)}; {_shortfall(brief, best)}"
    others = _distinct(ranked(found.designs, brief.goal.minimize), None)
    alternatives = tuple(
        replace(d, reason=_why_lost(d, best, limits, brief.goal.minimize)) for d in others[:ALTERNATIVES]
    )
    return Decision(
        False,
        headline,
        binding,
        None,
        alternatives,
        answers,
        tuple(pareto_front(found.designs)),
        found.rejected,
        found.candidates,
        found.fitting,
        found.scored,
    )


def _more(brief: Brief, found: Found, limits: Sequence[Limit]) -> Brief:
    """Ask for the numbers of accelerators that would keep the deadline at perfect scaling, and a little more."""
    deadline = next((limit for limit in limits if limit.constraint == "deadline"), None)
    allowed = float(brief.goal.max_accelerators or 1)
    needed = min(deadline.excess(d) * d.accelerators for d in found.designs) if deadline else 2.0 * allowed
    least = max(allowed + 1.0, needed)
    fine = sorted({odd << k for odd in (1, 3, 5, 7) for k in range(16)})
    counts = [count for count in fine if least <= count <= min(4.0 * least, LARGEST_CLUSTER)]
    return replace(brief, candidates=replace(brief.candidates, counts=tuple(counts[:WIDER_COUNTS])))


def _relaxations(
    brief: Brief, catalog: Catalog, found: Found, wider: Found, limits: Sequence[Limit]
) -> list[tuple[DesignResult, Relaxed]]:
    """Give up one limit at a time: deadline and budget on what was searched, the number on the wider search, tokens."""
    objective = brief.goal.minimize
    pairs = []
    for design, relaxed in nearest(wider.designs, limits, objective):
        if relaxed.constraint == "max_accelerators":
            pairs.append((design, relaxed))
    pairs += [pair for pair in nearest(found.designs, limits, objective) if pair[1].constraint != "max_accelerators"]
    fewer = _fewer_tokens(brief, catalog, found, limits)
    if fewer is not None:
        pairs.append(fewer)
    return sorted(pairs, key=lambda pair: (len(pair[1].also), pair[1].by if pair[1].by >= 1 else 1 / pair[1].by))


def _fewer_tokens(
    brief: Brief, catalog: Catalog, found: Found, limits: Sequence[Limit]
) -> tuple[DesignResult, Relaxed] | None:
    """Return the design that trains the most tokens within every limit."""
    shares = [
        (
            min(
                (limit.bound / limit.of(d) for limit in limits if limit.constraint in ("deadline", "budget")),
                default=0.0,
            ),
            d,
        )
        for d in found.designs
    ]
    share, design = max(shares, key=lambda pair: (pair[0], -pair[1].accelerators, pair[1].instance))
    tokens = brief.job.tokens * share * TOKEN_MARGIN
    if tokens < brief.job.global_batch * brief.job.sequence:
        return None
    fewer = reassess(design, replace(brief, job=replace(brief.job, tokens=tokens)), catalog)
    while fewer is not None and not feasible([fewer], limits):
        # Start-up does not shrink with the tokens: take a little off until the limits are kept.
        tokens *= 0.98
        if tokens < brief.job.global_batch * brief.job.sequence:
            return None
        fewer = reassess(design, replace(brief, job=replace(brief.job, tokens=tokens)), catalog)
    if fewer is None:
        return None
    return fewer, Relaxed("tokens", brief.job.tokens, tokens, tokens / brief.job.tokens, brief.job.unit)


def _nothing_fits(brief: Brief, catalog: Catalog, found: Found, limits: Sequence[Limit]) -> Decision:
    """No layout fits in memory, or nothing could be scored: name the shortfall and look further out."""
    shortest = min(found.shortfalls, key=lambda s: s.peak_bytes / s.capacity_bytes, default=None)
    answers: tuple[DesignResult, ...] = ()
    if shortest is None:
        binding = Binding("candidates", None, None, "", "; ".join(f"{r.name}: {r.reason}" for r in found.rejected[:3]))
        headline = f"not feasible: no candidate could be scored; {binding.text}"
    else:
        text = _memory_text(shortest)
        binding = Binding("memory", shortest.peak_bytes, shortest.capacity_bytes, "bytes", text)
        headline = f"not feasible: {text}"
        if brief.goal.max_accelerators is not None or brief.candidates.counts:
            open_brief = replace(brief, candidates=replace(brief.candidates, counts=()))
            wider = search(open_brief, catalog, None)
            kept = [limit for limit in limits if limit.constraint != "max_accelerators"]
            pool = feasible(wider.designs, kept) or list(wider.designs)
            if pool:
                design = min(pool, key=lambda d: (d.accelerators, objective_of(d, brief.goal.minimize)))
                allowed = float(brief.goal.max_accelerators or max(brief.candidates.counts))
                relaxed = Relaxed(
                    "max_accelerators",
                    allowed,
                    float(design.accelerators),
                    design.accelerators / allowed,
                    "accelerators",
                    tuple(limit.text(limit.of(design)) for limit in kept if limit.excess(design) > 1.0),
                )
                answers = (replace(design, relaxed=relaxed, reason=_relaxed_text(relaxed)),)
    return Decision(
        False, headline, binding, None, (), answers, (), found.rejected, found.candidates, found.fitting, found.scored
    )


def _memory_text(shortfall: MemoryShortfall) -> str:
    cluster = shortfall.cluster
    short = format_bytes(shortfall.peak_bytes - shortfall.capacity_bytes)
    return (
        f"memory: {short} short on each of {cluster.accelerators} {cluster.accelerator.name} "
        f"({format_bytes(shortfall.peak_bytes)} needed, {format_bytes(shortfall.capacity_bytes)} there), "
        "with the layout that needs least"
    )


def _distinct(designs: Sequence[DesignResult], best: DesignResult | None) -> list[DesignResult]:
    """Keep the best design of each instance, purchase and precision."""
    seen = {_kind(best)} if best is not None else set()
    kept = []
    for design in designs:
        if _kind(design) not in seen:
            seen.add(_kind(design))
            kept.append(design)
    return kept


def _kind(design: DesignResult) -> tuple[str, str, str]:
    return design.instance, design.purchase, design.layout.precision


def _why_lost(design: DesignResult, best: DesignResult, limits: Sequence[Limit], objective: Objective) -> str:
    """Say which limits it misses, or by how much it is behind."""
    missed = [limit.text(limit.of(design)) for limit in limits if limit.excess(design) > 1.0]
    if missed:
        return "misses " + "; ".join(missed)
    mine, winner = objective_of(design, objective), objective_of(best, objective)
    if mine == float("inf"):
        return f"its {objective.value} is unknown"
    if mine <= winner:
        return "keeps the limits the answer above does not" if mine < winner else f"the same {objective.value}"
    behind = mine / winner - 1.0
    if behind < 0.0005:
        return f"practically the same {objective.value}"
    return f"{behind:.0%} more {objective.value}" if behind >= 0.1 else f"{behind:.1%} more {objective.value}"


def _relaxed_text(relaxed: Relaxed) -> str:
    if relaxed.constraint == "tokens":
        text = (
            f"trains {format_count(relaxed.needed)} of {format_count(relaxed.limit)} {relaxed.unit}, within every limit"
        )
    else:
        bound = Limit(relaxed.constraint, relaxed.unit, relaxed.limit, lambda _: 0.0)
        text = bound.text(relaxed.needed).replace(f"{relaxed.constraint}: needs", f"relaxes {relaxed.constraint} to", 1)
        text += f" ({relaxed.by:.3g} x)"
    return text + ("; also misses " + "; ".join(relaxed.also) if relaxed.also else "")


def _named(design: DesignResult) -> str:
    return f"{design.accelerators} x {design.accelerator} ({design.nodes} x {design.instance}, {design.purchase})"


def _totals(design: DesignResult) -> str:
    cost = "at an unknown price" if design.cost_usd is None else f"and costs {format_usd(design.cost_usd.value)}"
    return f"{format_seconds(design.run_s.value)} {cost}"


def _shortfall(brief: Brief, best: DesignResult) -> str:
    """Say what the deadline allows: tokens on this design, and accelerators it would take."""
    deadline = brief.goal.deadline_s
    if deadline is None or best.run_s.value <= deadline:
        return "over budget" if brief.goal.budget_usd is not None else "over a limit"
    tokens = best.tokens * deadline / best.run_s.value
    needed = best.accelerators * best.run_s.value / deadline
    return (
        f"{format_seconds(deadline)} train {format_count(tokens)} {best.unit}, "
        f"or would need about {needed:,.0f} accelerators at this efficiency"
    )
