"""Read a brief's YAML text safely: bounded, without duplicate keys, and knowing on which line each key stands."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from groundplan.errors import InputError

LARGEST_BRIEF_BYTES = 1_000_000
DEEPEST = 12  # levels of nesting; a brief needs five
MOST_ALIASES = 16  # with DEEPEST this bounds what anchors can expand to

TASKS = "'train:', 'serve:', 'pipeline:' or 'mission:'"

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class YamlSource:
    """A mapping read from YAML and where each of its keys came from: ``'goal.deadline' -> 'line 8'``."""

    data: Mapping[str, Any]
    origins: Mapping[str, str]

    def where(self, path: str) -> str:
        """Return the key with its origin, or with that of the nearest key around it: ``goal.deadline (line 8)``."""
        outer = path
        while outer:
            if outer in self.origins:
                return f"{path} ({self.origins[outer]})"
            outer = outer.rpartition(".")[0]
        return path


class _UniqueKeyLoader(_Loader):  # type: ignore[misc]
    """The safe loader, which lets the last of two equal keys win, made to refuse them."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in seen and name != "<<":
                raise yaml.constructor.ConstructorError(
                    problem=f"key {name!r} is already on line {seen[name]}", problem_mark=key.start_mark
                )
            seen[name] = line
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def read_text(path: Path) -> str:
    """Return the text of a brief file.

    Raises
    ------
    InputError
        A folder, a missing or unreadable file, one over 1 MB, or one that is not text.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a brief", f"give the file in it, e.g. {path / 'brief.yaml'}")
        with path.open("rb") as file:
            raw = file.read(LARGEST_BRIEF_BYTES + 1)
    except FileNotFoundError:
        raise InputError(
            f"there is no file {path}", "give the path of a brief, e.g. examples/llm-20b/brief.yaml"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read {str(path)[:200]!r}: {reason}", "give the path of a readable brief") from None
    if len(raw) > LARGEST_BRIEF_BYTES:
        raise InputError(f"{path} is larger than 1 MB", "a brief is a short YAML file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text in UTF-8", "a brief is a short YAML file") from None


def load_yaml(text: str, label: str) -> YamlSource:
    """Read YAML text into a mapping with the line of each key.

    Parameters
    ----------
    text : str
        The text of the brief.
    label : str
        How messages call it: its path, or 'standard input'.

    Raises
    ------
    InputError
        Broken YAML (with line and column), an empty file, anything but a mapping at the top, a key twice,
        or nesting and aliases beyond what a brief can need.
    """
    if len(text) > LARGEST_BRIEF_BYTES:
        raise InputError(f"{label} is larger than 1 MB", "a brief is a short YAML file")
    try:
        _check_bounds(text, label)
        loader = _UniqueKeyLoader(text)
        try:
            node = loader.get_single_node()
            data = None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise _broken(error, label) from None
    except (ValueError, OverflowError) as error:  # 2025-13-45 looks like a date and is none
        raise InputError(
            f"{label}: {_one_line(str(error))}", "put quotes around text that looks like a date or number"
        ) from None
    if data is None:
        raise InputError(f"{label} is empty", f"a brief starts with {TASKS}; see docs/brief.md")
    if not isinstance(data, dict):
        raise InputError(
            f"{label} is not a brief: a mapping with {TASKS} was expected", "see examples/llm-20b/brief.yaml"
        )
    origins: dict[str, str] = {}
    _note_lines(node, "", origins)
    _check_keys(data, label)
    return YamlSource(data, origins)


def load_value(text: str, label: str) -> Any:
    """Read one YAML value, as `--set` takes it.

    Raises
    ------
    InputError
        When it is no YAML.
    """
    try:
        _check_bounds(text, label)
        return yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.YAMLError as error:
        raise _broken(error, label) from None
    except (ValueError, OverflowError) as error:
        raise InputError(f"{label}: {_one_line(str(error))}", "put quotes around the value") from None


def _check_bounds(text: str, label: str) -> None:
    """Walk the events, which costs no recursion and expands no alias."""
    depth = aliases = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        aliases += isinstance(event, yaml.AliasEvent)
        if depth > DEEPEST:
            raise InputError(f"{label} is nested more than {DEEPEST} levels deep", "a brief needs five levels")
        if aliases > MOST_ALIASES:
            raise InputError(f"{label} uses more than {MOST_ALIASES} YAML aliases", "write the values out")


def _note_lines(node: yaml.Node, path: str, origins: dict[str, str], depth: int = 0) -> None:
    if depth > DEEPEST:
        raise InputError("a YAML alias contains itself", "write the values out")
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = f"{path}.{key.value}" if path else str(key.value)
            origins[inner] = f"line {key.start_mark.line + 1}"
            _note_lines(value, inner, origins, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            origins[f"{path}.{index}"] = f"line {value.start_mark.line + 1}"
            _note_lines(value, f"{path}.{index}", origins, depth + 1)


def _check_keys(data: Any, label: str) -> None:
    if isinstance(data, dict):
        for key, value in data.items():
            if not isinstance(key, str):
                raise InputError(f"{label}: key {key!r} is not a word", "put quotes around it if it is meant")
            _check_keys(value, label)
    elif isinstance(data, list):
        for value in data:
            _check_keys(value, label)


def _broken(error: yaml.YAMLError, label: str) -> InputError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return InputError(f"{label}{place}: {_one_line(str(problem))}", "correct the YAML there")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:160]
