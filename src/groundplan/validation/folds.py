"""Predictions of rows that the fit has not seen: every source in turn is left out, the constants fitted to the rest.

A source that alone stands for a stack would leave nothing to fit the stack on: it is cut into parts by model, so that
no model is on both sides; the other parts are seen. Runs of the source under other stacks are left out with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from groundplan.catalog.catalog import Catalog
from groundplan.progress import over
from groundplan.validation.constants import Constant, Values
from groundplan.validation.fitting import Evidence, fit
from groundplan.validation.predict import Array
from groundplan.validation.reading import Case

PARTS = 4
"""Parts a source is cut into that alone stands for a stack."""


def fold_names(cases: Sequence[Case]) -> list[str]:
    """Return the fold of each case: its source, or a part of it by model."""
    sources: dict[str, set[str]] = defaultdict(set)
    models: dict[tuple[str, str], list[str]] = defaultdict(list)
    for case in cases:
        source, model = case.run.text("source"), case.run.text("model")
        sources[case.setting.stack.id].add(source)
        if model not in models[source, case.setting.stack.id]:
            models[source, case.setting.stack.id].append(model)
    names = []
    for case in cases:
        source, stack = case.run.text("source"), case.setting.stack.id
        own = models[source, stack]
        alone = len(sources[stack]) == 1 and len(own) > 1
        part = own.index(case.run.text("model")) % PARTS + 1
        names.append(f"{source} ({stack}), part {part}" if alone else source)
    return names


def out_of_fold(
    evidence: Evidence, constants: Sequence[Constant], catalog: Catalog, start: Values
) -> tuple[Array, tuple[str, ...]]:
    """Predict every row by constants fitted without its fold [s].

    Parameters
    ----------
    start : mapping
        Constants fitted to all rows, from which each fit starts.

    Returns
    -------
    seconds : array
        Predicted step time of each case [cases].
    folds : tuple of str
        The folds, in the order in which they were left out.
    """
    names = np.asarray(fold_names(evidence.cases))
    groups = np.asarray([name.rpartition(", part ")[0] or name for name in names])
    sources = np.asarray([case.run.text("source") for case in evidence.cases])
    seconds = np.full(len(names), np.nan)
    folds = tuple(dict.fromkeys(names.tolist()))
    for fold in over(folds, "fits without one source"):
        held = names == fold
        # What the source publishes of other stacks has not been seen either.
        kin = np.isin(sources, sources[held]) & ~np.isin(groups, groups[held])
        values = fit(evidence, constants, catalog, ~held & ~kin, start)
        seconds[held] = evidence.seconds(catalog, values)[held]
    return seconds, folds
