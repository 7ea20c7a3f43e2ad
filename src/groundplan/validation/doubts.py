"""What is odd about measured runs that can be predicted all the same: said as warnings, never silently learnt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from groundplan.validation.predict import Array
from groundplan.validation.reading import Case

FAR = 10.0
"""Factor between measured and predicted from which a wrong unit or a slip is likelier than a slow machine."""
NAMED = 3
"""Runs that a warning names."""
THOUSAND = (300.0, 3000.0)
"""Factors that speak for a unit a thousand times smaller or larger."""
FAIR_COVERAGE = 0.65
"""Share of runs inside their 80 % intervals below which the intervals are said not to hold them."""


def is_far(measured: Array, predicted: Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which measurements are beyond `FAR` times the prediction, or below that part of it."""
    ratios = measured / predicted
    return (ratios > FAR) | (ratios < 1.0 / FAR)


def far_off(cases: Sequence[Case], predicted: Array) -> tuple[str, ...]:
    """Return a warning that names the runs whose measurement no prediction comes near."""
    measured = np.asarray([case.measured for case in cases])
    places = np.flatnonzero(is_far(measured, predicted))
    if not places.size:
        return ()
    worst = sorted(places.tolist(), key=lambda place: -abs(float(np.log(measured[place] / predicted[place]))))
    said = ", ".join(
        f"{cases[place].run.id} ({said_times(float(measured[place] / predicted[place]))})" for place in worst[:NAMED]
    )
    return (
        f"{counted_runs(len(places))} far off, a slip or another unit? {said}; {unit_question(measured, predicted)}",
    )


def unit_question(measured: Array, predicted: Array) -> str:
    """Return what to ask of measurements that are far off, by how far they are."""
    ratio = float(np.median((measured / predicted)[is_far(measured, predicted)]))
    if THOUSAND[0] < ratio < THOUSAND[1]:
        return "milliseconds? step_time_s is in seconds, peak_mem_gb in GB"
    if THOUSAND[0] < 1.0 / ratio < THOUSAND[1]:
        return "a thousandth of what is expected: step_time_s is in seconds, peak_mem_gb in GB"
    return "step_time_s is in seconds, tokens_per_s_per_gpu of one device, peak_mem_gb in GB of 1e9 bytes"


def repeated(cases: Sequence[Case], kept: Sequence[Case], counts: str) -> tuple[str, ...]:
    """Return a warning about runs that stand more than once; `counts` says what became of them."""
    if len(kept) == len(cases):
        return ()
    first = {id(case) for case in kept}
    again = [case.run.id for case in cases if id(case) not in first]
    names = ", ".join(again[:NAMED]) + (", ..." if len(again) > NAMED else "")
    return (f"{counted_runs(len(again))} a repeat of another (same setting, same figure): {names}; {counts}",)


def overfull(cases: Sequence[Case], notes: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return a warning about runs that are predicted not to fit in memory, whose step was measured nonetheless."""
    names = [(case.run.id, own[0]) for case, own in zip(cases, notes, strict=True) if own]
    if not names:
        return ()
    return (f"{len(names)} of {counted_runs(len(cases))} predicted not to fit, e.g. {names[0][0]}: {names[0][1]}",)


def not_understood(cases: Sequence[Case]) -> tuple[str, ...]:
    """Return a warning about runs whose framework is in no catalog."""
    unknown = [case for case in cases if any(said.startswith("framework ") for said in case.assumed)]
    if not unknown:
        return ()
    first = unknown[0]
    (said,) = (said for said in first.assumed if said.startswith("framework "))
    return (f"{len(unknown)} of {counted_runs(len(cases))} of a framework not known, e.g. {first.run.id}: {said}",)


def counted_runs(count: int, verb: str = "is") -> str:
    """Return a number of runs with the verb that fits it.

    >>> counted_runs(1), counted_runs(2), counted_runs(2, "")
    ('1 run is', '2 runs are', '2 runs')
    """
    verb = {"is": "is" if count == 1 else "are"}.get(verb, verb)
    return f"{count} run{'' if count == 1 else 's'} {verb}".strip()


def said_times(ratio: float) -> str:
    """Return a ratio of measured to predicted as words.

    >>> said_times(1030.0), said_times(0.05)
    ('measured 1,030 x the prediction', 'predicted 20 x the measurement')
    """
    return (
        f"measured {ratio:,.0f} x the prediction" if ratio > 1.0 else f"predicted {1.0 / ratio:,.0f} x the measurement"
    )
