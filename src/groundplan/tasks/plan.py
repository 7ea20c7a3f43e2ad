"""Task: one brief in, a costed and checked training plan out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.estimate.assumptions import listed
from groundplan.estimate.flops import training_flops_per_token
from groundplan.estimate.results import DesignResult
from groundplan.evidence import Assumption, Result
from groundplan.plan.answer import Binding
from groundplan.plan.decide import decide
from groundplan.plan.search import Rejected
from groundplan.plan.warnings import warnings_of
from groundplan.workload.job import Brief


@dataclass(frozen=True, slots=True)
class Verdict(Result):
    """The first line."""

    feasible: bool
    headline: str
    binding: Binding


@dataclass(frozen=True, slots=True)
class Workload(Result):
    """What is trained."""

    model: str
    parameters: int
    active_parameters: int
    unit: str
    tokens: float
    train_flops: float
    sequence: int
    global_batch: int
    method: str
    optimizer: str


@dataclass(frozen=True, slots=True)
class ParetoPoint(Result):
    """One point of the front of run time against cost."""

    provider: str
    instance: str
    accelerator: str
    accelerators: int
    purchase: str
    run_s: float
    cost_usd: float | None
    energy_j: float | None
    carbon_kg: float | None


@dataclass(frozen=True, slots=True)
class SearchSize(Result):
    """Layouts considered, those that fit in memory, designs scored to the end."""

    candidates: int
    fitting: int
    scored: int


@dataclass(frozen=True, slots=True)
class PlanResult(Result):
    """The answer to a brief; see docs/json.md."""

    schema: str
    tool_version: str
    catalog_version: str
    as_of: str
    verdict: Verdict
    workload: Workload
    goal: Mapping[str, Any]
    recommended: DesignResult | None
    alternatives: tuple[DesignResult, ...]
    nearest_feasible: tuple[DesignResult, ...]
    pareto: tuple[ParetoPoint, ...]
    rejected: tuple[Rejected, ...]
    search: SearchSize
    assumptions: tuple[Assumption, ...]
    warnings: tuple[str, ...]
    brief: Mapping[str, Any]

    def records(self) -> list[dict[str, Any]]:
        """Return one row per design, with its role."""
        roles = {
            "recommended": (self.recommended,) if self.recommended else (),
            "nearest_feasible": self.nearest_feasible,
            "alternative": self.alternatives,
        }
        return [{"role": role, **design.to_dict()} for role, designs in roles.items() for design in designs]


def plan(brief: Brief, catalog: Catalog) -> PlanResult:
    """Search, decide and explain.

    Raises
    ------
    InputError
        When the brief asks for something that cannot be.
    """
    decision = decide(brief, catalog)
    shown = [d for d in (decision.recommended, *decision.nearest_feasible, *decision.alternatives) if d is not None]
    return PlanResult(
        schema="groundplan/plan/1",
        tool_version=__version__,
        catalog_version=catalog.version,
        as_of=brief.as_of,
        verdict=Verdict(decision.feasible, decision.headline, decision.binding),
        workload=workload_of(brief),
        goal={
            "deadline_s": brief.goal.deadline_s,
            "budget_usd": brief.goal.budget_usd,
            "minimize": brief.goal.minimize,
            "max_accelerators": brief.goal.max_accelerators,
        },
        recommended=decision.recommended,
        alternatives=decision.alternatives,
        nearest_feasible=decision.nearest_feasible,
        pareto=tuple(_point(design) for design in decision.pareto),
        rejected=decision.rejected,
        search=SearchSize(decision.candidates, decision.fitting, decision.scored),
        assumptions=listed(brief, shown, catalog),
        warnings=warnings_of(brief, shown, catalog),
        brief=brief.resolved,
    )


def workload_of(brief: Brief) -> Workload:
    """Return what is trained, with the work it takes."""
    job, model = brief.job, brief.job.model
    active = getattr(model, "active_parameters", model.parameters)
    flops = training_flops_per_token(job) * job.tokens
    return Workload(
        model.name,
        model.parameters,
        active,
        job.unit,
        job.tokens,
        flops,
        job.sequence,
        job.global_batch,
        job.method.value,
        job.optimizer,
    )


def _point(design: DesignResult) -> ParetoPoint:
    return ParetoPoint(
        design.provider,
        design.instance,
        design.accelerator,
        design.accelerators,
        design.purchase,
        design.run_s.value,
        design.cost_usd.value if design.cost_usd else None,
        design.energy_j.value if design.energy_j else None,
        design.carbon_kg.value if design.carbon_kg else None,
    )
