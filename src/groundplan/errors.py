"""Errors for people: what was wrong, what was expected, how to mend it, the nearest valid name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class GroundplanError(Exception):
    """Root of every error a user can cause or meet.

    Parameters
    ----------
    what : str
        One line: what was wrong and what was expected.
    mend : str
        One line: how to mend it. May be empty.
    """

    exit_code = 1

    def __init__(self, what: str, mend: str = "") -> None:
        super().__init__(what if not mend else f"{what} ({mend})")
        self.what = what
        self.mend = mend


class InputError(GroundplanError):
    """The request is wrong: a bad value, a misspelt key, a broken file. Exit code 2."""

    exit_code = 2


class WrongField(InputError):
    """A field of a typed request has a value that cannot be; whoever asked may know the field by another name.

    Parameters
    ----------
    field : str
        Of the request.
    said : str
        What is wrong, as goes on after the field's name: ``is 0, not a whole number of at least 1``.
    mend : str
        One line: how to mend it.
    """

    def __init__(self, field: str, said: str, mend: str) -> None:
        super().__init__(f"{field} {said}", mend)
        self.field = field
        self.said = said

    def called(self, name: str) -> InputError:
        """Return the same error with the name by which the field was given."""
        return InputError(f"{name} {self.said}", self.mend)


class UnknownName(InputError):
    """A name is in no catalog or is no key of the brief; carries the nearest valid names."""

    def __init__(self, kind: str, name: str, valid: Iterable[str]) -> None:
        names = sorted(set(valid))
        self.kind = kind
        self.name = name
        self.nearest = nearest_names(name, names)
        if self.nearest:
            mend = "did you mean " + " or ".join(self.nearest) + "?"
        elif names:
            mend = "valid: " + ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        else:
            mend = ""
        super().__init__(f"unknown {kind} {name!r}", mend)


class CatalogError(GroundplanError):
    """A catalog row breaks the schema or carries no source."""


class MissingExtra(GroundplanError):
    """An optional dependency is not installed; says which command installs it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional part", f"pip install 'groundplan[{extra}]'")


def nearest_names(name: str, valid: Iterable[str], limit: int = 3) -> list[str]:
    """Return up to `limit` valid names that look like `name`, nearest first."""
    by_folded = {candidate.lower(): candidate for candidate in valid}
    matches = get_close_matches(str(name).lower(), by_folded, n=limit, cutoff=0.55)
    return [by_folded[match] for match in matches]
