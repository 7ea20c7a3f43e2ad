"""How many cache blocks decoding sequences take, iteration by iteration, without looking at each."""

from __future__ import annotations


class Growth:
    """Every decoding sequence takes a block once in as many iterations as a block has tokens.

    `_taking[i]` counts the sequences that take theirs in the iterations whose number leaves the rest i.
    """

    __slots__ = ("_cycle", "_taking", "sequences")

    def __init__(self, block_tokens: int) -> None:
        self._cycle = block_tokens
        self._taking = [0] * block_tokens
        self.sequences = 0

    def add(self, iteration: int, cached: int) -> None:
        """Count a sequence that begins to decode in an iteration with so many cached tokens."""
        self._taking[(iteration - cached) % self._cycle] += 1
        self.sequences += 1

    def remove(self, iteration: int, cached: int) -> None:
        """Stop counting a sequence; name what it was added with."""
        self._taking[(iteration - cached) % self._cycle] -= 1
        self.sequences -= 1

    def clear(self) -> None:
        """Count no sequence."""
        self._taking = [0] * self._cycle
        self.sequences = 0

    def blocks(self, first: int, steps: int) -> int:
        """Return the blocks that are taken in so many iterations from `first` on."""
        cycles, rest = divmod(steps, self._cycle)
        start = first % self._cycle
        stop = start + rest
        wrapped = self._taking[: max(stop - self._cycle, 0)]
        return cycles * self.sequences + sum(self._taking[start:stop]) + sum(wrapped)

    def steps_within(self, blocks: int, first: int, most: int) -> int:
        """Return for how many iterations from `first` on, up to `most`, so many blocks are enough."""
        if self.sequences * (most // self._cycle + 1) <= blocks:
            return most
        cycles, left = divmod(blocks, self.sequences)
        steps = cycles * self._cycle
        while steps < most and self._taking[(first + steps) % self._cycle] <= left:
            left -= self._taking[(first + steps) % self._cycle]
            steps += 1
        return min(steps, most)
