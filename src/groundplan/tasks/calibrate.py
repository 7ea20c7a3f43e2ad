"""Task: fit the constants to measured runs, and say how well they predict runs they were not fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from groundplan import __version__
from groundplan.catalog.catalog import Catalog
from groundplan.catalog.user_rows import REFINEMENT
from groundplan.errors import InputError
from groundplan.evidence import Result
from groundplan.tasks.validate import (
    PUBLISHED,
    Files,
    distinct,
    file_paths,
    out_of_range,
    read_cases,
    without_prediction,
)
from groundplan.validation.conformal import RegimeInterval, regime_intervals, unseen_factors
from groundplan.validation.constants import Constant, fitted_constants
from groundplan.validation.doubts import (
    FAIR_COVERAGE,
    far_off,
    is_far,
    not_understood,
    overfull,
    repeated,
    said_times,
    unit_question,
)
from groundplan.validation.fitting import Evidence, fit, gather, influenced
from groundplan.validation.folds import fold_names, out_of_fold
from groundplan.validation.measured import Unpredictable, read_measured
from groundplan.validation.predict import Array, overfull_notes
from groundplan.validation.replays import is_replay
from groundplan.validation.score import Label, Predicted, SetScore, scored, set_name, step_factors

FEWEST_RUNS = 3
"""Runs from which a user's own measurements are worth a fit."""
REFINED_SPREAD = 0.5
"""How much less a constant may move when it is refined from a few runs than when it is fitted to many."""


@dataclass(frozen=True, slots=True)
class FittedConstant(Result):
    """One constant: what was expected, what the catalog has, what the runs say; `rows` depend on it."""

    name: str
    table: str
    row: str
    shared: tuple[str, ...]  # rows that take the same value
    attribute: str
    expected: float
    catalog: float
    fitted: float
    rows: int
    sources: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Calibration(Result):
    """Fitted constants, errors on the rows seen and on rows not seen, and the intervals the latter give.

    `before` scores the catalog's constants on the same rows, with the catalog's intervals as `after`; those of
    `held_out` come from the other folds. `held_out` and `intervals` are empty for a refinement; by replays, `before`
    and `held_out` are of the half of the requests that was not seen, with the catalog's intervals.
    """

    schema: str
    tool_version: str
    catalog_version: str
    refined: bool
    headline: str
    constants: tuple[FittedConstant, ...]
    before: SetScore
    after: SetScore
    held_out: SetScore | None
    sets: tuple[SetScore, ...]
    folds: tuple[str, ...]
    intervals: tuple[RegimeInterval, ...]
    unpredictable: tuple[Unpredictable, ...]
    warnings: tuple[str, ...]


def calibrate(catalog: Catalog, data: Files = (), refine: bool = False) -> Calibration:
    """Fit the constants of step times.

    Parameters
    ----------
    catalog : Catalog
        The catalog; a refinement expects its constants, less what earlier refinements wrote into the user's folders.
    data : path or sequence of paths
        CSV files of measured runs. They join the published ones, unless `refine`. With `refine`, also replays of
        request traces or folders of them, which move an engine's constants instead.
    refine : bool
        Use these runs alone to move the catalog's constants towards one's own cluster.

    Raises
    ------
    InputError
        Files that are no tables of measured runs, too few runs that can be predicted, or runs in another unit.
    MissingExtra
        Without scipy.
    """
    paths = file_paths(data) if refine else [PUBLISHED / "training.csv", *file_paths(data)]
    if not paths:
        raise InputError("nothing to refine from", "name a file of your own measured runs with --data")
    catalog = _checked(catalog, refine)
    if any(is_replay(path) for path in paths):
        return _by_replays(catalog, file_paths(data), refine)
    constants = _expected(catalog) if refine else fitted_constants()
    now = {one: one.value(catalog) for one in constants}
    evidence, unpredictable, warnings = _gathered(paths, catalog, now)
    cases, everything = evidence.cases, np.ones(len(evidence.cases), dtype=bool)
    seconds = evidence.seconds(catalog, now)
    if refine:
        _check_units(evidence.measured, seconds)
    fitted = fit(evidence, constants, catalog, everything)
    factors = step_factors(cases)
    before = _score(evidence, seconds, factors)[0]
    after, sets = _score(evidence, evidence.seconds(catalog, fitted), factors)
    held_out: SetScore | None = None
    folds: tuple[str, ...] = ()
    intervals: tuple[RegimeInterval, ...] = ()
    if refine:
        warnings += _narrow(after)
    else:
        unseen, folds = out_of_fold(evidence, constants, catalog, fitted)
        held_out, sets = _score(evidence, unseen, unseen_factors(cases, unseen, fold_names(cases)))
        intervals = tuple(regime_intervals(cases, unseen, _kin(constants)))
    return Calibration(
        schema="groundplan/calibrate/1",
        tool_version=__version__,
        catalog_version=catalog.version,
        refined=refine,
        headline=_headline(before, after, held_out),
        constants=tuple(_fitted(one, fitted, evidence, catalog) for one in fitted),
        before=before,
        after=after,
        held_out=held_out,
        sets=sets,
        folds=folds,
        intervals=intervals,
        unpredictable=tuple(unpredictable),
        warnings=warnings,
    )


def _checked(catalog: Catalog, refine: bool) -> Catalog:
    """Return the catalog to start from, read in full, so that an error in it is not blamed on the runs."""
    catalog.check_user_rows()
    return catalog.unrefined() if refine else catalog


def _headline(before: SetScore, after: SetScore, held_out: SetScore | None) -> str:
    unseen = f", {held_out.median_ape:.1f} % on runs not seen" if held_out else ""
    errors = f"{before.median_ape:.1f} % before, {after.median_ape:.1f} % after"
    return f"{after.rows} runs: median error {errors}{unseen}"


def _expected(catalog: Catalog) -> tuple[Constant, ...]:
    """Return the constants as a refinement expects them: near the catalog's, and firmly."""
    return tuple(
        replace(one, prior=one.value(catalog), spread=one.spread * REFINED_SPREAD) for one in fitted_constants()
    )


def _gathered(
    paths: Sequence[Path], catalog: Catalog, now: Mapping[Constant, float]
) -> tuple[Evidence, list[Unpredictable], tuple[str, ...]]:
    """Return the runs that can be fitted to, each once, those that cannot, and what is odd."""
    read, unpredictable = read_cases([run for path in paths for run in read_measured(path)], catalog)
    cases = distinct(read)
    warnings = repeated(read, cases, "each counts once")
    with np.errstate(all="ignore"):  # a row that is too odd for the laws is named, not warned about by numpy
        evidence = gather(cases, catalog)
        seconds = evidence.seconds(catalog, now)
    possible = np.isfinite(seconds) & (seconds > 0.0)
    if not possible.all():
        unpredictable += [out_of_range(case) for case, good in zip(cases, possible, strict=True) if not good]
        cases = [case for case, good in zip(cases, possible, strict=True) if good]
        evidence, seconds = gather(cases, catalog), seconds[possible]
    if len(cases) < FEWEST_RUNS:
        why = f"; e.g. {unpredictable[0].id}: {unpredictable[0].reason}" if unpredictable else ""
        number = f"{len(cases)} run{'' if len(cases) == 1 else 's'}"
        raise InputError(f"{number} can be predicted, too few for a fit{why}", f"give {FEWEST_RUNS} or more")
    notes: list[tuple[str, ...]] = [()] * len(cases)
    for batch in evidence.batches:
        for place, own in zip(batch.index, overfull_notes(batch, catalog), strict=True):
            notes[place] = own
    odd = (*far_off(cases, seconds), *overfull(cases, notes), *not_understood(cases))
    return evidence, unpredictable, (*without_prediction(unpredictable), *warnings, *odd)


def _check_units(measured: Array, predicted: Array) -> None:
    """Refuse to learn from runs most of which are in another unit."""
    far = is_far(measured, predicted)
    if 2 * int(far.sum()) > len(far):
        ratio = float(np.median(measured / predicted))
        raise InputError(
            f"the runs {said_times(ratio)}, too far off to learn from",
            unit_question(measured, predicted),
        )


def _narrow(after: SetScore) -> tuple[str, ...]:
    """Say when the intervals of the catalog do not hold the very runs that were learnt from."""
    if after.coverage_80 >= FAIR_COVERAGE:
        return ()
    return (
        f"only {after.coverage_80:.0%} of the runs are inside their 80 % interval: a refinement moves predictions, not "
        f"intervals, which are those of published runs; expect {after.p90_ape:.0f} % at nine in ten",
    )


def _by_replays(catalog: Catalog, data: Sequence[Path], refine: bool) -> Calibration:
    from groundplan.tasks.calibrate_replay import calibrate_replays  # which returns a Calibration as well

    if not refine:
        raise InputError("replays refine constants of serving, the published runs fit none of them", "add --refine")
    if not all(is_replay(path) for path in data):
        raise InputError(
            "replays and tables of training runs move different constants", "refine from one kind at a time"
        )
    return calibrate_replays(catalog, data)


def catalog_rows(calibration: Calibration) -> str:
    """Return the fitted constants as rows of a user's catalog (YAML), which `--rows` writes."""
    import yaml

    rows: dict[str, dict[str, dict[str, object]]] = {}
    for one in calibration.constants:
        figure = {"value": float(f"{one.fitted:.6g}"), "evidence": "derived", "source": _source(one)}
        for row in (one.row, *one.shared) if one.rows else ():
            rows.setdefault(one.table, {}).setdefault(row, {"like": row})[one.attribute] = figure
    return REFINEMENT + yaml.safe_dump(rows, sort_keys=True, allow_unicode=True, width=120)


def _kin(constants: Sequence[Constant]) -> dict[str, str]:
    """Each stack that shares constants, by the stack they are fitted on."""
    return {stack: one.row for one in constants if one.table == "stacks" for stack in one.shared}


def _source(one: FittedConstant) -> str:
    return f"groundplan calibrate: fitted to {one.rows} measured runs of {', '.join(one.sources)}"


def _fitted(one: Constant, fitted: Mapping[Constant, float], evidence: Evidence, catalog: Catalog) -> FittedConstant:
    moved = influenced(evidence, fitted, one, catalog) & (evidence.sparse | (one.of == "dense"))
    own = [case for case, inside in zip(evidence.cases, moved, strict=True) if inside]
    sources = tuple(dict.fromkeys(case.run.text("source") or "own runs" for case in own))
    return FittedConstant(
        one.name,
        one.table,
        one.row,
        one.shared,
        one.attribute,
        one.prior,
        one.value(catalog),
        fitted[one],
        len(own),
        sources,
        one.reason,
    )


def _score(evidence: Evidence, seconds: Array, factors: tuple[Array, Array]) -> tuple[SetScore, tuple[SetScore, ...]]:
    """Score predictions with the factors of their intervals, without the rows that are furthest off."""
    names = [set_name(case) for case in evidence.cases]
    labels = [Label(case.run.id, "", case.assumed, "step_s") for case in evidence.cases]
    low, high = factors
    predicted = Predicted(seconds, seconds * low, seconds * high, ({"step": 1.0},) * len(names))
    overall, sets, _ = scored(names, labels, evidence.measured, predicted)
    return replace(overall, worst=()), tuple(replace(one, worst=()) for one in sets)
