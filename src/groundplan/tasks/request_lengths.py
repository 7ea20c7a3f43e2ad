"""Requests of a trace against the longest that the model takes."""

from __future__ import annotations

import numpy as np

from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError
from groundplan.simulate.requests import Requests
from groundplan.workload.context import check_context, known_context
from groundplan.workload.model import TransformerModel


def check_lengths(requests: Requests, model: TransformerModel, catalog: Catalog) -> None:
    """Refuse requests of which one is longer than the model's context, where that is known.

    Raises
    ------
    InputError
        How many are longer, and by what.
    """
    tokens = requests.prompt_tokens + requests.output_tokens
    most = known_context(model, catalog)
    longer = 0 if most is None else int(np.sum(tokens > most))
    if longer == len(requests):
        check_context(model, int(requests.prompt_tokens[0]), int(requests.output_tokens[0]), catalog)
    if longer:
        raise InputError(
            f"{longer:,} of {len(requests):,} requests are longer than the {most:,} tokens that {model.id} takes, "
            f"up to {int(tokens.max()):,}",
            "take them out of the trace, or serve a model of longer context",
        )
