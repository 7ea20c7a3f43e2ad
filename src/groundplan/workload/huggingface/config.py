"""A Hugging Face `config.json`, read with suspicion: sizes are checked where they are taken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundplan.errors import InputError

MAX_FILE_BYTES = 4 * 1024**2  # published files are a few kB; the longest, with thousands of labels, under 1 MB
MAX_SIZE = 10**9  # of one dimension; the largest published vocabulary is under 10**6


@dataclass(frozen=True, slots=True)
class Config:
    """The keys of a config and where they were read, for messages."""

    keys: Mapping[str, Any]
    source: str

    @property
    def model_type(self) -> str:
        """The family, as Hugging Face names it."""
        value = self.keys.get("model_type")
        if not isinstance(value, str):
            raise self.wrong("model_type", "is missing or is no text", "add model_type, such as llama")
        return value

    def size(self, *names: str, default: int | None = None, minimum: int = 1) -> int:
        """Return the first of `names` that is present, as a whole number of at least `minimum`.

        null and absence mean `default`; without one the key is named as missing.
        """
        for name in names:
            value = self.keys.get(name)
            if value is None:
                continue
            whole = isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
            if not whole or not minimum <= value <= MAX_SIZE:
                raise self.wrong(
                    name, f"is {_short(value)}; expected a whole number from {minimum} to {MAX_SIZE:.0e}", "correct it"
                )
            return int(value)
        if default is None:
            raise self.wrong(names[0], "is missing", f"add {' or '.join(names)} as the published config.json has it")
        return default

    def flag(self, name: str, default: bool) -> bool:
        """Return a true-or-false key."""
        value = self.keys.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(name, f"is {_short(value)}; expected true or false", "correct it")
        return value

    def total(self, name: str) -> int:
        """Return a required whole number of any size, such as a count of parameters."""
        value = self.keys.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.wrong(name, f"is {_short(value)}; expected a whole number", "correct it")
        return value

    def number(self, name: str) -> float | None:
        """Return a number above 0, or None where it is unknown."""
        value = self.keys.get(name)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float("inf"):
            raise self.wrong(name, f"is {_short(value)}; expected a number above 0 or null", "correct it")
        return float(value)

    def section(self, name: str) -> Config:
        """Return a nested mapping as a config of its own."""
        value = self.keys.get(name)
        if not isinstance(value, Mapping):
            raise self.wrong(name, "is no mapping of keys", "correct it")
        return Config(value, f"{self.source} {name}")

    def members(self, name: str) -> tuple[Any, ...] | None:
        """Return a list key, or None where it is absent."""
        value = self.keys.get(name)
        if value is None:
            return None
        if not isinstance(value, list):
            raise self.wrong(name, f"is {_short(value)}; expected a list", "correct it")
        return tuple(value)

    def wrong(self, key: str, problem: str, mend: str) -> InputError:
        """Return the error that `key` has `problem`."""
        return InputError(f"{self.source}: {key} {problem}", mend)


def read_config(path: Path) -> Config:
    """Read a `config.json`, or the one in a folder.

    Raises
    ------
    InputError
        No such file, a folder without one, not a regular file, too large, not UTF-8, not JSON, or not a mapping.
    """
    try:
        if path.is_dir():
            path = path / "config.json"
            if not path.is_file():
                raise InputError(f"{path.parent} is a folder without a config.json", "name the model's config.json")
        if not path.exists():
            raise InputError(f"{path}: no such file", "name an existing config.json or a model of the catalog")
        if not path.is_file():
            raise InputError(f"{path} is no regular file", "name the model's config.json")
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{_short(str(path))} cannot be read: {error.strerror}", "check the path") from None
    if len(content) > MAX_FILE_BYTES:
        raise InputError(
            f"{path} is larger than {MAX_FILE_BYTES // 1024**2} MiB: no config.json", "name the model's config.json"
        )
    return Config(_mapping(content, str(path)), str(path))


def _mapping(content: bytes, source: str) -> Mapping[str, Any]:
    try:
        parsed = json.loads(content.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise InputError(f"{source} is not JSON: {error.msg} at {where}", "name the model's config.json") from None
    except (ValueError, RecursionError):  # not UTF-8, a number of thousands of digits, nesting without end
        raise InputError(f"{source} is not a JSON text file", "name the model's config.json") from None
    if not isinstance(parsed, dict):
        kind = type(parsed).__name__
        raise InputError(f"{source} holds a {kind}; expected a mapping of keys", "name the model's config.json")
    return parsed


def _short(value: object) -> str:
    """Return a value for a one-line message, a long one cut short."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
