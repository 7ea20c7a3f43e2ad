"""The global batch and the sequence: what a brief says, and what is taken where it says nothing or a round number."""

from __future__ import annotations

import math

from groundplan.quantities import count_noun, format_count, parse, parse_whole
from groundplan.workload.job import Method
from groundplan.workload.model import Model, SampleModel, TransformerModel
from groundplan.workload.reading import Reading

ROUNDING = 0.05
"""A batch said in tokens is a round number: it may move by this share to one that divides among devices."""

PRETRAIN_SEQUENCE = 4096  # Llama 2; Touvron et al. 2023, arXiv:2307.09288
FINE_TUNE_SEQUENCE = 2048
PRETRAIN_BATCH_TOKENS = ((1e9, 0.5e6), (5e9, 1e6), (5e10, 2e6), (math.inf, 3.2e6))
"""Parameters up to which a pre-training batch has so many tokens; Brown et al. 2020, table 2.1, arXiv:2005.14165."""
FINE_TUNE_BATCH = 64
VISION_BATCH = 1024

_SEQUENCE_NOUNS = {"", "sequence", "sample", "image", "record"}


def read_sequence(value: object, model: Model, method: Method, reading: Reading) -> int:
    """Return the tokens of one sequence; 1 for a model counted in samples, the patches for an image transformer.

    Raises
    ------
    InputError
        Longer than a learned position table, or given for a model that has no sequence.
    """
    key = "train.sequence_length"
    given = reading.whole(value, key)
    if isinstance(model, SampleModel):
        if given not in (None, 1):
            raise reading.wrong(
                key, f"{model.name} is counted in samples and has no sequence", "remove sequence_length"
            )
        return 1
    if model.learned_positions and (given or 0) > model.learned_positions:
        raise reading.wrong(
            key,
            f"{given} tokens are more than the {model.learned_positions} learned positions of {model.name}",
            f"write {model.learned_positions} or less",
        )
    if given is not None:
        return given
    if model.domain == "image":
        return model.max_sequence
    usual = PRETRAIN_SEQUENCE if method is Method.PRETRAIN else FINE_TUNE_SEQUENCE
    taken = min(usual, model.max_sequence)
    reading.assume("sequence_length", taken, "tokens", "usual length, the brief does not say (train.sequence_length)")
    return taken


def read_document_length(value: object, sequence: int, model: Model, reading: Reading) -> int:
    """Return the mean tokens of the documents packed into a sequence; all of it where the brief says nothing.

    Raises
    ------
    InputError
        Longer than the sequence, or given for a model that has no text.
    """
    key = "train.document_length"
    given = reading.whole(value, key)
    if given is None:
        return sequence
    if isinstance(model, SampleModel) or model.domain == "image":
        raise reading.wrong(key, f"{model.name} reads no documents", "remove document_length")
    if given > sequence:
        raise reading.wrong(
            key, f"{given} tokens are more than the sequence of {sequence}", f"write {sequence} or less, or remove it"
        )
    return given


def read_global_batch(value: object, sequence: int, model: Model, method: Method, reading: Reading) -> int:
    """Return the sequences (samples) of one optimizer step.

    A plain number counts sequences and must be whole. A number of tokens becomes whole sequences: exactly where
    it divides, else the count within 5 % that divides among the most devices (`friendly_sequences`).

    Raises
    ------
    InputError
        Not whole, less than one sequence, or counted in something unknown.
    """
    key = "train.global_batch"
    if value is None:
        return _usual_batch(sequence, model, method, reading)
    noun = count_noun(value)
    if noun != "token":
        if noun not in _SEQUENCE_NOUNS:
            raise reading.wrong(key, f"unknown unit {noun!r}", "write e.g. 4M tokens, or 1024 sequences")
        return parse_whole(value, reading.source.where(key))
    if isinstance(model, SampleModel):
        raise reading.wrong(key, f"{model.name} is counted in samples, not tokens", "write e.g. 1024 samples")
    tokens = parse(value, "count", reading.source.where(key))
    if tokens < sequence:
        raise reading.wrong(
            key, f"{value!r} is less than one sequence of {sequence} tokens", f"write {sequence} tokens or more"
        )
    sequences = friendly_sequences(tokens / sequence)
    if sequences * sequence != tokens:
        reading.assume(
            "global_batch",
            sequences,
            "sequences",
            f"{format_count(tokens)} tokens taken as {sequences:,} sequences of {sequence:,}, which is "
            f"{sequences * sequence:,} tokens, so that they divide among devices (train.global_batch)",
        )
    return sequences


def friendly_sequences(wanted: float) -> int:
    """Return the whole count near `wanted` that divides among the most devices.

    `wanted` itself where it is whole; else, within 5 %, the multiple of the largest power of two, nearest first.

    >>> friendly_sequences(4e6 / 2048), friendly_sequences(4e6 / 8192), friendly_sequences(3.2e6 / 2048)
    (2048, 512, 1536)
    >>> friendly_sequences(2048.0), friendly_sequences(2.4)
    (2048, 2)
    """
    if wanted == int(wanted):
        return int(wanted)
    power = 1 << int(wanted).bit_length()
    while power > 1:
        nearest = power * max(1, round(wanted / power))
        if abs(nearest - wanted) <= ROUNDING * wanted:
            return nearest
        power //= 2
    return max(1, round(wanted))


def _usual_batch(sequence: int, model: Model, method: Method, reading: Reading) -> int:
    key = "train.global_batch"
    if not isinstance(model, TransformerModel) or model.domain == "image":
        reading.assume("global_batch", VISION_BATCH, "samples", f"usual for vision, the brief does not say ({key})")
        return VISION_BATCH
    if method is not Method.PRETRAIN:
        reading.assume(
            "global_batch", FINE_TUNE_BATCH, "sequences", f"usual for fine-tuning, the brief does not say ({key})"
        )
        return FINE_TUNE_BATCH
    tokens = next(batch for limit, batch in PRETRAIN_BATCH_TOKENS if model.parameters <= limit)
    sequences = friendly_sequences(max(1.0, tokens / sequence))
    reading.assume(
        "global_batch",
        sequences,
        "sequences",
        f"about {format_count(tokens)} tokens as GPT-3 models of this size, the brief does not say ({key})",
    )
    return sequences
