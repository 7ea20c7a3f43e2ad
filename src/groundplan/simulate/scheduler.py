"""Continuous batching on one replica: what runs in the next iterations, and how long they take.

While sequences only decode nothing changes from one iteration to the next but the length of their contexts, and the
iteration law is linear in it. So the scheduler takes k iterations at once, up to the next end of a sequence or the last
iteration for which there are cache blocks, and sums their times in closed form.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush

from groundplan.estimate.replica import Replica
from groundplan.simulate.blocks import BlockPool
from groundplan.simulate.growth import Growth
from groundplan.simulate.iteration_times import IterationTimes
from groundplan.simulate.sequence import NOT_RUNNING, Sequence


class Scheduler:
    """First come, first served; a sequence is preempted, the youngest first, when blocks run out, and computed again.

    Blocks of a whole prompt are taken when it is admitted. A decoding sequence takes one when its last is full. With a
    prefix cache, a preempted sequence finds again what others have not taken of its blocks.

    Parameters
    ----------
    replica : Replica
        Iteration law and limits.
    hash_tokens : int
        Tokens of one prefix hash of the requests; 0 where they have none.
    prefill_only : bool
        Sequences leave when their first token is made, to decode elsewhere.
    """

    def __init__(self, replica: Replica, hash_tokens: int = 0, prefill_only: bool = False) -> None:
        self._times = IterationTimes(replica.law)
        self._most_sequences = min(replica.max_sequences, replica.max_batched_tokens)
        self._most_tokens = replica.max_batched_tokens
        self._chunked = replica.chunked_prefill
        self._prefill_only = prefill_only
        hashed = (hash_tokens or replica.block_tokens) if replica.prefix_caching else 0
        self.pool = BlockPool(replica.kv_tokens, replica.block_tokens, hashed)
        self.waiting: deque[Sequence] = deque()
        self.transferred: deque[Sequence] = deque()  # their prompts were computed elsewhere
        self._running: dict[int, Sequence] = {}  # by admission, oldest first
        self._prefilling: list[Sequence] = []
        self._ends: list[tuple[int, int, Sequence]] = []  # heap: decoding iteration, admission
        self._growth = Growth(replica.block_tokens)
        self._context = 0  # cached tokens of the decoding sequences
        self._admissions = 0
        self._iteration = 0  # those with decoding sequences, so far
        self._preempted = False
        self._decodes = False  # in the iterations that run now
        self._chunks: list[tuple[Sequence, int]] = []
        self.admitted: list[Sequence] = []  # by the iteration that runs now
        self.steps = 0
        self.hit_tokens = 0

    @property
    def decoding(self) -> int:
        """Sequences that decode."""
        return self._growth.sequences

    @property
    def prefill_tokens(self) -> int:
        """Prompt tokens of the iteration that runs now."""
        return sum(tokens for _, tokens in self._chunks)

    @property
    def batch(self) -> int:
        """Sequences in the iteration that runs now."""
        return len(self._chunks) + (self.decoding if self._decodes else 0)

    def fits(self, sequence: Sequence) -> bool:
        """Tell whether a sequence could run to its end with the replica to itself."""
        last = 1 if self._prefill_only else sequence.output
        return self.pool.blocks_for(sequence.prompt + last - 1) <= self.pool.blocks

    def queue(self, sequence: Sequence) -> bool:
        """Put a sequence into its queue; return whether the next iteration may admit it."""
        queue = self.waiting if sequence.produced == 0 else self.transferred
        queue.append(sequence)
        return len(queue) == 1 and len(self._running) < self._most_sequences

    def begin(self) -> float | None:
        """Choose the next iterations; return the seconds they take, or None when nothing can run."""
        self._preempted = False
        self._chunks = []
        self.admitted = []
        self.steps = 1
        if not self._chunked and self._admit_prompts(self._most_tokens):
            self._decodes = False
            return self._prefill_seconds()
        self._make_room()
        self._admit_transferred()
        self._decodes = self.decoding > 0
        if self._chunked:
            self._admit_prompts(self._continue_prompts(self._most_tokens - self.decoding))
        if self._chunks:
            return self._prefill_seconds()
        if not self._decodes:
            return None
        self.steps = self._steps_ahead()
        return self.seconds_of(self.steps)

    def seconds_of(self, steps: int) -> float:
        """Return the seconds of the next `steps` iterations that only decode."""
        return self._times.decoding(steps, self.decoding, self._context)

    def steps_until(self, seconds: float) -> int:
        """Return how many of the running iterations end by the end of the one that runs `seconds` after their start."""
        return self._times.steps_until(seconds, self.steps, self.decoding, self._context)

    def end(self, steps: int) -> tuple[list[Sequence], list[Sequence]]:
        """Account for the iterations that ran; return the sequences that made their first token, and those that end."""
        begun: list[Sequence] = []
        ended: list[Sequence] = []
        if self._decodes:
            if steps > 1:
                self.pool.take(self._growth.blocks(self._iteration + 1, steps - 1))
            self._iteration += steps
            self._context += steps * self.decoding
            self._end_decoding(ended)
        for sequence, tokens in self._chunks:
            sequence.cached += tokens
            if sequence.cached == sequence.target:
                self._end_prompt(sequence, begun, ended)
        self._chunks = []
        return begun, ended

    def clear(self) -> list[Sequence]:
        """Lose all that runs and waits, as when the replica fails; return it, oldest first."""
        lost = [*self._running.values(), *self.transferred, *self.waiting]
        self._running.clear()
        self.transferred.clear()
        self.waiting.clear()
        self._prefilling.clear()
        self._ends.clear()
        self._growth.clear()
        self._context = 0
        self._chunks = []
        self.pool.clear()
        for sequence in lost:
            sequence.restart()
        return lost

    def _prefill_seconds(self) -> float:
        tokens, pairs = 0, 0.0
        for sequence, count in self._chunks:
            tokens += count
            pairs += count * sequence.cached + 0.5 * count * (count + 1)
        decoding = self.decoding if self._decodes else 0
        context = self._context + decoding if self._decodes else 0
        return self._times.one(decoding, tokens, context, pairs, decoding + len(self._chunks))

    def _make_room(self) -> None:
        """Take the blocks that decoding sequences fill next, from the youngest sequences when there are too few."""
        while self._growth.blocks(self._iteration, 1) > self.pool.available:
            self._preempt(self._running[next(reversed(self._running))])
        self.pool.take(self._growth.blocks(self._iteration, 1))

    def _preempt(self, sequence: Sequence) -> None:
        self._preempted = True
        sequence.preemptions += 1
        if self.pool.hash_tokens and sequence.began_at != NOT_RUNNING:
            cached = self._taken(sequence)
            sequence.name_blocks(cached // self.pool.hash_tokens)
            sequence.held = self.pool.keep(sequence.hashes, sequence.held, cached)
        self._release(sequence)
        if sequence.began_at == NOT_RUNNING:
            self._prefilling.remove(sequence)
        else:
            self._leave_decoding(sequence)
            sequence.produced += self._iteration - sequence.began_at
            sequence.target = sequence.prompt + sequence.produced
        sequence.leave()
        self.waiting.appendleft(sequence)

    def _admit_transferred(self) -> None:
        while self.transferred and not self._preempted and len(self._running) < self._most_sequences:
            sequence = self.transferred[0]
            held = self.pool.admit((), sequence.target, sequence.target + 1)
            if held is None:
                return
            self.transferred.popleft()
            self._enter(sequence)
            sequence.cached = sequence.target
            self._begin_decoding(sequence)

    def _continue_prompts(self, budget: int) -> int:
        for sequence in self._prefilling:
            if budget <= 0:
                break
            budget -= self._add_chunk(sequence, budget)
        return budget

    def _admit_prompts(self, budget: int) -> bool:
        """Admit from the queue while tokens, sequences and blocks allow; return whether any prompt runs."""
        while self.waiting and budget > 0 and not self._preempted and len(self._running) < self._most_sequences:
            sequence = self.waiting[0]
            if not self._chunked and self._chunks and sequence.target > budget:
                break
            held = self.pool.admit(sequence.hashes, sequence.target, sequence.target)
            if held is None:
                break
            self.waiting.popleft()
            self._enter(sequence)
            sequence.held = held
            sequence.cached = max(held * self.pool.hash_tokens, sequence.known)
            if not sequence.preemptions:
                self.hit_tokens += sequence.cached
            self._prefilling.append(sequence)
            budget -= self._add_chunk(sequence, budget if self._chunked else sequence.target)
        return bool(self._chunks)

    def _add_chunk(self, sequence: Sequence, budget: int) -> int:
        tokens = min(sequence.target - sequence.cached, budget)
        self._chunks.append((sequence, tokens))
        return tokens

    def _enter(self, sequence: Sequence) -> None:
        self._admissions += 1
        sequence.admission = self._admissions
        self._running[self._admissions] = sequence
        self.admitted.append(sequence)

    def _begin_decoding(self, sequence: Sequence) -> None:
        sequence.began_at = self._iteration
        self._growth.add(self._iteration, sequence.target)
        self._context += sequence.target
        heappush(self._ends, (self._iteration + sequence.output - sequence.produced, sequence.admission, sequence))

    def _leave_decoding(self, sequence: Sequence) -> None:
        self._growth.remove(sequence.began_at, sequence.target)
        self._context -= sequence.target + self._iteration - sequence.began_at

    def _end_decoding(self, ended: list[Sequence]) -> None:
        ends = self._ends
        while ends and ends[0][0] <= self._iteration:
            _, admission, sequence = heappop(ends)
            if sequence.admission == admission:
                self._release(sequence)
                self._leave_decoding(sequence)
                sequence.leave()
                ended.append(sequence)

    def _end_prompt(self, sequence: Sequence, begun: list[Sequence], ended: list[Sequence]) -> None:
        self._prefilling.remove(sequence)
        sequence.held = self.pool.keep(sequence.hashes, sequence.held, sequence.prompt)
        if sequence.produced == 0:
            begun.append(sequence)
        sequence.produced += 1
        if sequence.produced == sequence.output or self._prefill_only:
            self._release(sequence)
            sequence.leave()
            ended.append(sequence)
        else:
            self._begin_decoding(sequence)

    def _release(self, sequence: Sequence) -> None:
        del self._running[sequence.admission]
        self.pool.release(sequence.hashes, sequence.held, self._taken(sequence))

    def _taken(self, sequence: Sequence) -> int:
        """Return the tokens that a running sequence has blocks for, before those of the next iteration are taken."""
        if sequence.began_at == NOT_RUNNING:
            return sequence.target
        return sequence.target + self._iteration - sequence.began_at

    def _steps_ahead(self) -> int:
        """Return the iterations until a sequence ends or blocks run out; one after a preemption."""
        if self._preempted:
            return 1
        ends = self._ends
        while ends[0][2].admission != ends[0][1]:
            heappop(ends)
        steps = ends[0][0] - self._iteration
        return min(steps, 1 + self._growth.steps_within(self.pool.available, self._iteration + 1, steps - 1))
