"""What reading a brief shares: values with the place they stand at, catalog names, and what had to be assumed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from groundplan.errors import InputError, UnknownName, nearest_names
from groundplan.evidence import Assumption
from groundplan.quantities import parse, parse_whole
from groundplan.workload.yaml_source import YamlSource


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of one brief. Keys are dotted paths such as ``goal.deadline``."""

    source: YamlSource
    assumptions: list[Assumption] = field(default_factory=list)

    def number(self, value: object, dimension: str, key: str) -> float | None:
        """Return a quantity above zero in base units, or None where the brief does not say."""
        return None if value is None else parse(value, dimension, self.source.where(key), positive=True)

    def from_zero(self, value: object, dimension: str, key: str) -> float | None:
        """Return a quantity that may be zero in base units, or None where the brief does not say."""
        return None if value is None else parse(value, dimension, self.source.where(key))

    def whole(self, value: object, key: str, minimum: int = 1) -> int | None:
        """Return a whole number, or None where the brief does not say."""
        return None if value is None else parse_whole(value, self.source.where(key), minimum)

    def choice(self, value: str | None, key: str, valid: Iterable[str], default: str) -> str:
        """Return one of a few words; hyphens and letter case do not matter."""
        if value is None:
            return default
        words = {_folded(word): word for word in valid}
        if _folded(value) not in words:
            nearest = nearest_names(value, words.values())
            mend = f"did you mean {' or '.join(nearest)}?" if nearest else f"valid: {', '.join(sorted(words.values()))}"
            raise InputError(f"{self.source.where(key)}: unknown {value[:60]!r}", mend)
        return words[_folded(value)]

    def names(self, value: str | Sequence[str] | None, key: str, find: Callable[[str], str]) -> tuple[str, ...]:
        """Return the catalog ids of the names in a list, or in text with commas; each once, in order."""
        if value is None:
            return ()
        parts = value.split(",") if isinstance(value, str) else value
        return tuple(dict.fromkeys(self.name(part, key, find) for part in parts if part.strip()))

    def name(self, value: str, key: str, find: Callable[[str], str]) -> str:
        """Return the catalog id of a name; an unknown one is reported with the line it stands on."""
        try:
            return find(value.strip())
        except UnknownName as error:
            # The error keeps its type and nearest names; the line says where to mend it.
            error.what = f"{self.source.where(key)}: {error.what}"
            error.args = (f"{error.what} ({error.mend})" if error.mend else error.what,)
            raise

    def assume(self, name: str, value: float | str | None, unit: str, source: str) -> None:
        """Record a number the brief leaves open and the answer rests on."""
        self.assumptions.append(Assumption(name, value, unit, "assumed", source))

    def wrong(self, key: str, what: str, mend: str) -> InputError:
        """Return an error about one key."""
        return InputError(f"{self.source.where(key)}: {what}", mend)


def _folded(word: str) -> str:
    return word.strip().lower().replace("-", "_").replace(" ", "_")
