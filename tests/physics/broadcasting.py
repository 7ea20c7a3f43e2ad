"""The promise every law makes: an array of candidates gets, element by element, what each would get alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Law = Callable[..., Any]
Ranges = dict[str, tuple[float, ...]]  # the values each argument is drawn from


def broadcasts(law: Law, ranges: Ranges, candidates: int = 40) -> None:
    """Draw candidates and hold the law on arrays against the law on numbers, along a column and a row as well."""
    generator = np.random.default_rng(7)
    columns = {name: generator.choice(values, candidates) for name, values in ranges.items()}
    together = np.asarray(law(**columns))
    assert together.shape == (candidates,)
    assert np.all(np.isfinite(together))
    for i in range(candidates):
        alone = law(**{name: column[i].item() for name, column in columns.items()})
        assert np.ndim(alone) == 0
        np.testing.assert_allclose(together[i], alone, rtol=1e-12)
    first, *others = columns
    crossed = {first: columns[first][:, None], **{name: columns[name][None, :] for name in others}}
    assert np.shape(law(**crossed)) == (candidates, candidates if others else 1)
    np.testing.assert_allclose(np.diagonal(law(**crossed)), together if others else together[:1], rtol=1e-12)
