"""Find a row by what people type: letter case, spaces, hyphens and the maker's name do not matter."""

from __future__ import annotations

import re
from collections.abc import Mapping

from groundplan.catalog.rows import Row
from groundplan.errors import UnknownName

MAKERS = ("nvidia", "amd", "googlecloud", "google", "cloud", "intel", "amazon", "aws", "apple", "huawei", "microsoft")
SERIES = ("geforce", "tesla", "instinct", "radeon", "quadro")
SOCKET = re.compile(r"^sxm\d$")
SIZE = re.compile(r"^\d+gb$")
_NOISE = re.compile(r"[^a-z0-9.+]")


def folded(name: str) -> str:
    """Return a name without letter case, spaces, hyphens and underscores.

    >>> folded("TPU v5p"), folded("NVIDIA H100 80GB HBM3")
    ('tpuv5p', 'nvidiah10080gbhbm3')
    """
    return _NOISE.sub("", name.lower())


def without_maker(name: str) -> str:
    """Return a folded name without leading makers and series names.

    >>> without_maker(folded("NVIDIA GeForce RTX 4090"))
    'rtx4090'
    """
    for prefix in MAKERS + SERIES:
        if name.startswith(prefix) and len(name) > len(prefix):
            return without_maker(name.removeprefix(prefix))
    return name


def words_of(name: str) -> frozenset[str]:
    """Return the words of a name in no order, sockets without their generation.

    >>> words_of("H100-80GB-SXM") == words_of("NVIDIA H100 SXM5 80GB")
    True
    """
    words = re.split(r"[^a-z0-9.+]+", name.lower())
    return frozenset(SOCKET.sub("sxm", word) for word in words if word and word not in MAKERS + SERIES)


class NameIndex:
    """The names of the rows of one kind. An id wins over a name, a name over an alias, and all over a shortened one."""

    def __init__(self, noun: str, rows: Mapping[str, Row]) -> None:
        self.noun = noun
        self._spoken: dict[str, str] = {identity: identity for identity in rows}
        for row in rows.values():
            self._spoken.setdefault(row.name, row.id)
        for row in rows.values():
            for alias in row.aliases:
                self._spoken.setdefault(alias, row.id)
        self._ids: dict[str, str] = {}
        for shorten in (str, without_maker):
            for name, identity in self._spoken.items():
                self._ids.setdefault(shorten(folded(name)), identity)
        self._words: dict[frozenset[str], str] = {}
        for name, identity in self._spoken.items():
            self._words.setdefault(words_of(name), identity)

    def find(self, name: str) -> str:
        """Return the id that `name` means.

        Raises
        ------
        UnknownName
            With the nearest names.
        """
        full = folded(str(name))
        for key in (full, without_maker(full)):
            if key and key in self._ids:
                return self._ids[key]
        words = words_of(str(name))
        for some in (words, frozenset(word for word in words if not SIZE.match(word))):
            if some in self._words:
                return self._words[some]
        raise UnknownName(self.noun, str(name), self._spoken)
