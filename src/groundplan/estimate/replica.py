"""One replica of a serving engine as its scheduler sees it: how long an iteration takes, and what fits at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groundplan.physics.arrays import Floats


@dataclass(frozen=True, slots=True)
class IterationLaw:
    """Seconds of one forward pass of a continuously batched engine, linear in all but its tokens.

    `tokens_s[m]` is what depends on the m tokens that go through the layers, prompt and decode together: matmuls,
    element-wise kernels, communication, launches, output head and the engine's own work. m = 0 takes nothing.
    Where tokens are drafted, a decoding sequence sends `rows` tokens through the layers and keeps `yielded` of them.
    """

    tokens_s: NDArray[np.floating]  # [largest batch of tokens + 1]
    decode_context_s: float  # of attention, for each cached token that a decoding sequence reads
    prefill_pair_s: float  # of attention, for each (query, key) pair of a prompt
    sequence_s: float  # of the host, for each sequence in the iteration
    prefill_s: float  # least of an iteration that brings prompt tokens: no captured graph launches its kernels
    rows: float = 1.0  # drafted tokens and the one before them
    yielded: float = 1.0  # tokens that an iteration gives a decoding sequence
    draft_s: NDArray[np.floating] | None = None  # of drafting for as many decoding sequences; None = nothing is drafted
    stages: float = 1.0  # of the pipeline, each at work on another part of the batch
    groups: float = 1.0  # of devices that attend to sequences of their own: stages x attention groups

    def seconds(
        self, decoding: Floats, prompts: Floats, decode_context: Floats, prefill_pairs: Floats, sequences: Floats
    ) -> Floats:
        """Return the seconds of iterations; all arguments broadcast. Tokens beyond the table are scaled from its end.

        Parameters
        ----------
        decoding : float or array
            Sequences that decode.
        prompts : float or array
            Prompt tokens beside them.
        decode_context : float or array
            Cached tokens that the decoding sequences read, summed over them.
        prefill_pairs : float or array
            (query, key) pairs of the prompt tokens, those with earlier chunks included.
        sequences : float or array
            Sequences in the iteration.
        """
        # Fewer sequences than stages or groups leave the others idle: a sequence is in one of them at a time.
        present = np.maximum(sequences, 1.0)
        idle_stages, idle_groups = (count / np.minimum(count, present) for count in (self.stages, self.groups))
        tokens = self.rows * np.asarray(decoding) + prompts
        device = (
            _read(self.tokens_s, tokens * idle_stages)
            + self.drafting_s(decoding)
            + self.decode_context_s * decode_context * idle_groups
            + self.prefill_pair_s * prefill_pairs * idle_groups
            + self.sequence_s * sequences
        )
        result: Floats = np.where(np.asarray(prefill_pairs) > 0.0, np.maximum(device, self.prefill_s), device)
        return result

    def drafting_s(self, decoding: Floats) -> Floats:
        """Return the seconds in which tokens are drafted for sequences that decode."""
        return 0.0 if self.draft_s is None else _read(self.draft_s, decoding)


def _read(table: NDArray[np.floating], at: Floats) -> Floats:
    """Return a table's entries, between two of them on a line, beyond its end in proportion."""
    largest = len(table) - 1
    inside = np.interp(np.minimum(at, largest), np.arange(largest + 1), table)
    result: Floats = inside * np.maximum(np.asarray(at) / largest, 1.0)
    return result


@dataclass(frozen=True, slots=True)
class Replica:
    """A running copy of a model: its iteration law and the limits of its scheduler."""

    law: IterationLaw
    devices: int
    kv_tokens: int  # cached tokens that fit
    block_tokens: int  # the cache is handed out in blocks of as many
    max_sequences: int  # that run at once
    max_batched_tokens: int  # prompt and decode tokens of one iteration
    chunked_prefill: bool  # prompts are cut to what an iteration has left beside decoding; else they run whole, alone
    prefix_caching: bool
    kv_token_bytes: float  # of all devices together, for transfers between prefill and decode
    request_s: float  # of the front end, for a request, beside the scheduler: transport, tokens, detokenisation
    start_s: float  # from asking for it until it serves: machine, weights, graphs
    watts_busy: float  # of all its devices and their hosts
    watts_idle: float
    usd_per_hour: float | None
