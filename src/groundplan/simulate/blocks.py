"""The key-value cache of one replica: blocks of tokens, and prompts whose blocks are kept for the next one."""

from __future__ import annotations

from groundplan.errors import InputError
from groundplan.simulate.requests import Hashes


class BlockPool:
    """Counts blocks; which one is whose does not matter to time.

    A cached prefix is held by hash: `_users` counts the sequences that read it, `_idle` keeps those that none reads,
    least recently used first, until their blocks are needed. A prompt that was computed twice at once is kept once.

    Parameters
    ----------
    tokens : int
        Cached tokens that fit.
    block_tokens : int
        Tokens of one block.
    hash_tokens : int
        Tokens that one prefix hash covers; 0 = prefixes are not cached.
    """

    __slots__ = ("_hash_blocks", "_idle", "_users", "block_tokens", "blocks", "free", "hash_tokens")

    def __init__(self, tokens: int, block_tokens: int, hash_tokens: int) -> None:
        if hash_tokens % block_tokens:
            raise InputError(
                f"a prefix hash covers {hash_tokens} tokens, which are no whole blocks of {block_tokens}",
                "give a block_tokens that divides the tokens of a hash",
            )
        self.block_tokens = block_tokens
        self.blocks = tokens // block_tokens
        self.free = self.blocks
        self.hash_tokens = hash_tokens
        self._hash_blocks = hash_tokens // block_tokens
        self._users: dict[int, int] = {}
        self._idle: dict[int, None] = {}

    @property
    def available(self) -> int:
        """Blocks that can be had: free ones and those of prefixes that no sequence reads."""
        return self.free + len(self._idle) * self._hash_blocks

    def blocks_for(self, tokens: int) -> int:
        """Return the blocks that hold so many tokens."""
        return -(-tokens // self.block_tokens)

    def admit(self, hashes: Hashes, tokens: int, taken_tokens: int) -> int | None:
        """Take the blocks of a sequence; return how many hashes of its prefix are cached, or None when it does not fit.

        Parameters
        ----------
        hashes : tuple of int
            Prefix of the sequence; hashes that are found are held by it from now on.
        tokens : int
            Tokens of the prefix and what follows; at least one is always computed.
        taken_tokens : int
            Tokens to take blocks for.
        """
        needed = self.blocks_for(taken_tokens)
        if not self.hash_tokens:
            if needed > self.free:
                return None
            self.free -= needed
            return 0
        found = self._found(hashes, (tokens - 1) // self.hash_tokens)
        unread = sum(1 for key in hashes[:found] if key in self._idle)
        needed -= found * self._hash_blocks
        if needed > self.available - unread * self._hash_blocks:
            return None
        for key in hashes[:found]:
            self._hold(key)
        self.take(needed)
        return found

    def take(self, blocks: int) -> None:
        """Take blocks that are known to be available; prefixes unread for longest give theirs up."""
        while blocks > self.free:
            del self._idle[next(iter(self._idle))]
            self.free += self._hash_blocks
        self.free -= blocks

    def keep(self, hashes: Hashes, held: int, tokens: int) -> int:
        """Keep the computed prefix of a sequence that holds `held` of its hashes; return how many it holds now."""
        if not self.hash_tokens:
            return 0
        whole = min(len(hashes), tokens // self.hash_tokens)
        for key in hashes[held:whole]:
            if key in self._users or key in self._idle:
                self.free += self._hash_blocks
            self._hold(key)
        return max(held, whole)

    def release(self, hashes: Hashes, held: int, taken_tokens: int) -> None:
        """Give back the blocks of a sequence; the end of its prefix is forgotten first."""
        self.free += self.blocks_for(taken_tokens) - held * self._hash_blocks
        for key in reversed(hashes[:held]):
            users = self._users.pop(key) - 1
            if users:
                self._users[key] = users
            else:
                self._idle[key] = None

    def clear(self) -> None:
        """Empty the cache."""
        self.free = self.blocks
        self._users.clear()
        self._idle.clear()

    def _hold(self, key: int) -> None:
        self._idle.pop(key, None)
        self._users[key] = self._users.get(key, 0) + 1

    def _found(self, hashes: Hashes, most: int) -> int:
        found = 0
        for key in hashes[:most]:
            if key not in self._users and key not in self._idle:
                break
            found += 1
        return found
