"""One request on its way through a replica."""

from __future__ import annotations

from groundplan.simulate.requests import Hashes

NOT_RUNNING = -1
MOST_BLOCKS = 2**32  # of one request; keeps the hashes of requests apart


class Sequence:
    """What a scheduler knows of one request; counts of tokens.

    Attributes
    ----------
    request : int
        Row of the request.
    produced : int
        Output tokens made before its present stay in the batch's decoding part.
    target : int
        Tokens whose keys and values must be cached before it decodes: the prompt, and after a preemption what it had
        produced.
    cached : int
        Tokens of the target that are cached.
    known : int
        Tokens of the prompt that the cache holds whenever it is admitted.
    held : int
        Prefix hashes whose blocks it shares.
    admission : int
        Place in the order of admissions, `NOT_RUNNING` in the queue.
    began_at : int
        Decoding iteration of its replica at which it began to decode, `NOT_RUNNING` before.
    """

    __slots__ = (
        "admission",
        "began_at",
        "cached",
        "hashes",
        "held",
        "known",
        "output",
        "preemptions",
        "produced",
        "prompt",
        "request",
        "target",
    )

    def __init__(self, request: int, prompt: int, output: int, hashes: Hashes = (), known: int = 0) -> None:
        self.request = request
        self.prompt = prompt
        self.output = output
        self.hashes = hashes
        self.known = known
        self.preemptions = 0
        self.restart()

    def restart(self) -> None:
        """Forget all that was computed, as when its replica fails."""
        self.produced = 0
        self.target = self.prompt
        self.leave()

    def name_blocks(self, blocks: int) -> None:
        """Give hashes of its own to the blocks behind those of its prompt."""
        named = len(self.hashes)
        self.hashes += tuple(-(self.request * MOST_BLOCKS + block) - 1 for block in range(named, blocks))

    def leave(self) -> None:
        """Go back to a queue: nothing is cached."""
        self.cached = 0
        self.held = 0
        self.admission = NOT_RUNNING
        self.began_at = NOT_RUNNING
