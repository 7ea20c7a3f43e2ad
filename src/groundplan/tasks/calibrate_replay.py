"""Task: move an engine's constants towards one's own cluster, by replays of request traces on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError
from groundplan.progress import over
from groundplan.simulate.results import ServiceResult
from groundplan.tasks.calibrate import REFINED_SPREAD, Calibration, FittedConstant
from groundplan.tasks.validate import without_prediction
from groundplan.tasks.validate_replays import latency_figures, simulate_replay
from groundplan.validation.measured import Unpredictable
from groundplan.validation.predict import Array
from groundplan.validation.replays import Replay, read_replay_case, read_replays
from groundplan.validation.score import SetScore, scored_figures
from groundplan.validation.serving_fitting import ServingConstant, damped, serving_constants
from groundplan.validation.serving_reading import ServingCase

FEWEST_REQUESTS = 40
"""Requests of a replay from which half of them are worth a fit."""
REFINED = ("iteration_s", "sequence_s", "request_s", "matmul_factor", "stream_factor")
"""Attributes of an engine that the times of requests tell apart; mixtures of experts have one more."""
PARTS = 6
"""Spans of a replay's first half whose mean latencies are met: as many for each of two quantities."""
NOISE = 0.02
"""Error of a span's mean [natural logarithm] that is left unexplained, by arrivals between two iterations and by
preemptions: 0.01 to 0.02 of two replays of 300 requests after the fit; class derived."""
STEP = 0.5
"""Part of a constant's spread by which slopes are taken: large, as one preemption more or less is a jump."""
WEIGHTS = (0.1, 0.3, 1.0)
"""Of errors against distances from what is expected, one fit after the other."""
ROUNDS = 6
HALVINGS = 4
LINK_SPREAD, LINK_LOW, LINK_HIGH = 1.0, 0.05, 1.5
"""How far the rate of a link may be from its data sheet's, by what a host does to it: of its logarithm, and bounds."""
LINK_REASON = "all-reduces cross a host over its switches, its root complex or its memory"

Run = tuple[Replay, ServingCase]


@dataclass(frozen=True, slots=True)
class _Fit:
    """Replays, and the constants that they move."""

    runs: Sequence[Run]
    constants: Sequence[ServingConstant]
    catalog: Catalog

    @property
    def prior(self) -> Array:
        return np.asarray([one.prior for one in self.constants])

    @property
    def spread(self) -> Array:
        return np.asarray([one.spread for one in self.constants])

    def simulated(self, values: Array) -> list[ServiceResult]:
        """Return what the simulator makes of every replay with values of the constants."""
        return [simulate_replay(replay, self._changed(case, values), self.catalog)[0] for replay, case in self.runs]

    def _changed(self, case: ServingCase, values: Array) -> ServingCase:
        own: dict[str, dict[str, float]] = {"engines": {}, "accelerators": {}}
        for one, value in zip(self.constants, values, strict=True):
            if one.row in (case.engine.id, case.cluster.accelerator.id):
                own[one.table][one.attribute] = float(value)
        accelerator = replace(case.cluster.accelerator, **own["accelerators"])  # type: ignore[arg-type]
        engine = replace(case.engine, **own["engines"])  # type: ignore[arg-type]
        return replace(case, engine=engine, cluster=replace(case.cluster, accelerator=accelerator))

    def errors(self, point: Array) -> Array:
        """Return the errors of the spans' means, in units of what may be left of them."""
        found = []
        for (replay, _), service in zip(self.runs, self.simulated(self.values(point)), strict=True):
            for places in np.array_split(_halves(replay)[0], PARTS):
                for measured, simulated in (
                    (replay.ttft_s, service.requests.ttft_s),
                    (replay.tpot_s, service.requests.tpot_s),
                ):
                    found.append(np.log(np.nanmean(simulated[places]) / np.nanmean(measured[places])))
        return damped(np.asarray(found)) / NOISE

    def values(self, point: Array) -> Array:
        """Return the constants at a point of logarithms over their priors, in units of their spreads."""
        values: Array = self.prior * np.exp(point * self.spread)
        return np.clip(values, [one.low for one in self.constants], [one.high for one in self.constants])


def calibrate_replays(catalog: Catalog, data: Sequence[Path]) -> Calibration:
    """Fit the constants of engines, and the links of split replicas, to the first half of every replay.

    The second half, in the order of arrival, scores the catalog's constants and the fitted ones.

    Parameters
    ----------
    catalog : Catalog
        The catalog, whose constants are the start and the expectation.
    data : sequence of Path
        Requests of replays, or folders of them.

    Raises
    ------
    InputError
        Malformed replays, none that can be predicted, or one of too few requests.
    """
    runs, unpredictable = _read([replay for path in data for replay in read_replays(path)], catalog)
    fit = _Fit(runs, _constants([case for _, case in runs], catalog), catalog)
    fitted = fit.values(_solved(fit.errors, len(fit.constants)))
    now, then = fit.simulated(fit.prior), fit.simulated(fitted)
    before, _ = _scores(runs, now, 1)
    after, _ = _scores(runs, then, 0)
    held_out, sets = _scores(runs, then, 1)
    seen = sum(len(_halves(replay)[0]) for replay, _ in runs)
    names = tuple(replay.run.id for replay, _ in runs)
    return Calibration(
        schema="groundplan/calibrate/1",
        tool_version=__version__,
        catalog_version=catalog.version,
        refined=True,
        headline=f"{len(runs)} replay{'s' if len(runs) > 1 else ''}: on the half of the requests not seen, "
        f"median error {before.median_ape:.1f} % before, {held_out.median_ape:.1f} % after",
        constants=tuple(
            FittedConstant(
                f"{one.row}.{one.attribute}",
                one.table,
                one.row,
                (),
                one.attribute,
                one.prior,
                one.prior,
                float(value),
                seen,
                names,
                one.reason,
            )
            for one, value in zip(fit.constants, fitted, strict=True)
        ),
        before=before,
        after=after,
        held_out=held_out,
        sets=sets,
        folds=(),
        intervals=(),
        unpredictable=tuple(unpredictable),
        warnings=without_prediction(unpredictable),
    )


def _read(replays: Iterable[Replay], catalog: Catalog) -> tuple[list[Run], list[Unpredictable]]:
    runs: list[Run] = []
    unpredictable: list[Unpredictable] = []
    for replay in replays:
        if len(replay.arrival_s) < FEWEST_REQUESTS:
            said = f"{replay.run.id} has {len(replay.arrival_s)} requests, too few for a fit"
            raise InputError(said, f"replay {FEWEST_REQUESTS} or more")
        try:
            case = read_replay_case(replay, catalog)
            simulate_replay(replay, case, catalog)
            runs.append((replay, case))
        except InputError as error:
            unpredictable.append(Unpredictable(replay.run.id, replay.run.text("source"), error.what, error.mend))
    if not runs:
        first = unpredictable[0]
        raise InputError(f"no replay can be predicted; the first, {first.id}: {first.reason}", first.mend)
    return runs, unpredictable


def _constants(cases: Sequence[ServingCase], catalog: Catalog) -> tuple[ServingConstant, ...]:
    """Return the constants that replays move, expected where the catalog has them."""
    attributes = (*REFINED, "expert_factor") if any(case.sparse for case in cases) else REFINED
    engines = {case.engine.id: catalog.engines[case.engine.id] for case in cases}
    found = [
        replace(one, prior=float(getattr(engines[one.row], one.attribute)), spread=one.spread * REFINED_SPREAD)
        for one in serving_constants()
        if one.table == "engines" and one.row in engines and one.attribute in attributes
    ]
    links: dict[str, ServingConstant] = {}
    for case in cases:
        part, host = case.cluster.accelerator, case.cluster.host
        joined = host.scaleup_domain > 1 and part.scaleup_bytes_per_s
        rate = part.scaleup_bytes_per_s if joined else part.pcie_bytes_per_s
        if case.deployment.stage > 1 and rate:
            attribute = "scaleup_bytes_per_s" if joined else "pcie_bytes_per_s"
            bounds = rate * LINK_LOW, rate * LINK_HIGH
            links[part.id] = ServingConstant(
                "accelerators", part.id, attribute, rate, LINK_SPREAD, *bounds, LINK_REASON
            )
    return (*found, *links.values())


def _solved(errors: Callable[[Array], Array], count: int) -> Array:
    """Return the point of least squares, errors and distances from what is expected together (Gauss-Newton).

    Errors count little at first and in full at last: where a queue begins, their slopes say little of what is beyond.
    """
    point: Array = np.zeros(count)
    for weight in over(WEIGHTS, "passes"):
        point = _descended(errors, point, weight)
    return point


def _descended(whole: Callable[[Array], Array], point: Array, weight: float) -> Array:
    def errors(there: Array) -> Array:
        return weight * whole(there)

    now = errors(point)
    for _ in range(ROUNDS):
        slopes = np.stack([(errors(point + STEP * one) - now) / STEP for one in np.eye(len(point))], axis=1)
        step = np.linalg.solve(slopes.T @ slopes + np.eye(len(point)), -(slopes.T @ now + point))
        for halved in range(HALVINGS):
            there = point + step * 0.5**halved
            moved = errors(there)
            if moved @ moved + there @ there < now @ now + point @ point:
                point, now = there, moved
                break
        else:
            break
    return point


def _halves(replay: Replay) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the first and the second half of the requests, in the order of their arrival."""
    first, second = np.array_split(np.arange(len(replay.arrival_s)), 2)
    return first, second


def _scores(runs: Sequence[Run], services: Sequence[ServiceResult], half: int) -> tuple[SetScore, tuple[SetScore, ...]]:
    """Score the latencies of one half of the requests, without the rows that are furthest off."""
    figures = [
        figure
        for (replay, case), service in zip(runs, services, strict=True)
        for figure in latency_figures(replay, case, service, _halves(replay)[half])
    ]
    overall, sets, _ = scored_figures(figures)
    return replace(overall, worst=()), tuple(replace(one, worst=()) for one in sets)
