"""What a language model can be asked to write, and after how much: checked before anything is estimated."""

from __future__ import annotations

from groundplan.errors import InputError
from groundplan.workload.model import Model, TransformerModel
from groundplan.workload.models import ModelRows

OF_A_BRIEF = "decoder"
"""Family of models described by their sizes; their longest sequence is a guess unless they are catalog rows."""


def check_generates(model: Model) -> TransformerModel:
    """Return a model that writes tokens one after the other.

    Raises
    ------
    InputError
        A vision model, or an encoder, which reads all tokens at once and writes none.
    """
    if not isinstance(model, TransformerModel) or model.domain != "text":
        raise InputError(f"{model.id} generates no tokens", "serve a language model")
    if not model.attention.causal:
        raise InputError(f"{model.id} is an encoder and generates no tokens", "serve a decoder, e.g. llama-3.1-8b")
    return model


def check_context(model: TransformerModel, prompt: int, output: int, catalog: ModelRows) -> None:
    """Refuse a request longer than the model's context, where that is known.

    Raises
    ------
    InputError
        Prompt and output together are longer.
    """
    most = known_context(model, catalog)
    if most is not None and prompt + output > most:
        raise InputError(
            f"a request of {prompt:,} prompt + {output:,} output tokens is longer than the {most:,} tokens "
            f"that {model.id} takes",
            "ask for shorter ones, or serve a model of longer context",
        )


def known_context(model: TransformerModel, catalog: ModelRows) -> int | None:
    """Return the longest sequence that a model takes, prompt and output together; None where nobody stated it."""
    stated = model.family != OF_A_BRIEF or model.id in catalog.models
    return model.max_sequence or None if stated else None
