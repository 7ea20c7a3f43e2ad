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
    """

    tokens_s: NDArray[np.floating]  # [largest batch of tokens + 1]
    decode_context_s: float  # of attention, for each cached token that a decoding sequence reads
    prefill_pair_s: float  # of attention, for each (query, key) pair of a prompt
    sequence_s: float  # of the host, for each sequence in the iteration
    prefill_s: float  # least of an iteration that brings prompt tokens: no captured graph launches its kernels

    def seconds(self, tokens: Floats, decode_context: Floats, prefill_pairs: Floats, sequences: Floats) -> Floats:
        """Return the seconds of iterations; all arguments broadcast. Tokens beyond the table are scaled from its end.

        Parameters
        ----------
        tokens : float or array
            Tokens through the layers: one for each decoding sequence, and those of prompts.
        decode_context : float or array
            Cached tokens that the decoding sequences read, summed over them.
        prefill_pairs : float or array
            (query, key) pairs of the prompt tokens, those with earlier chunks included.
        sequences : float or array
            Sequences in the iteration.
        """
        largest = len(self.tokens_s) - 1
        inside = np.interp(np.minimum(tokens, largest), np.arange(largest + 1), self.tokens_s)
        beyond = np.maximum(np.asarray(tokens) / largest, 1.0)
        device = (
            inside * beyond
            + self.decode_context_s * decode_context
            + self.prefill_pair_s * prefill_pairs
            + self.sequence_s * sequences
        )
        result: Floats = np.where(np.asarray(prefill_pairs) > 0.0, np.maximum(device, self.prefill_s), device)
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
