"""What every command is asked beside its question, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """The options that every command has."""

    form: str
    out: Path | None
    force: bool
    sets: tuple[str, ...]
    wide: bool
    exit_code: bool
    as_of: date | None
    plot: Path | None

    @property
    def as_of_text(self) -> str | None:
        """The date as ISO text."""
        return self.as_of.isoformat() if self.as_of else None


Answer = Mapping[str, Any] | str
"""A result by the JSON contract, or text that is printed as it is."""
