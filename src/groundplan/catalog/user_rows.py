"""The user's own rows: YAML files in a folder of theirs, with the same attributes as the built-in data.

accelerators:
  my-gpu: {like: h100-sxm, memory: 96 GB, source: "vendor quote of 2026-10-02"}
prices:
  - {host: my-host, option: owned, usd_per_hour: 12.5, date: 2026-10-02, source: "controlling"}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundplan.catalog.loader import FLAGS, Figures
from groundplan.catalog.rows import Price
from groundplan.catalog.schema import ROW_TYPES, SINGULAR, Attribute, attributes_by_any_name, schema
from groundplan.catalog.units import BASE_UNITS, read_quantity
from groundplan.errors import InputError, UnknownName
from groundplan.evidence import Evidence, Figure

if TYPE_CHECKING:
    import yaml

LARGEST_FILE = 4_000_000
"""Bytes of the largest file that is read: a catalog of thousands of rows is far smaller."""
REFINEMENT = "# groundplan calibrate\n"
"""First line of a file of fitted constants, as `groundplan calibrate --rows` writes it."""
ROW_KEYS = ("like", "source", "evidence", "note")
VALUE_KEYS = ("value", "unit", "source", "evidence", "note")
PRICE_KEYS = ("host", "provider", "region", "option", "usd_per_hour", "date", "evidence", "source")
OPTIONS = ("on_demand", "spot", "reserved_1y", "reserved_3y", "owned")
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class UserRow:
    """One row of a user's file: what it says itself, and which row it builds on."""

    place: str  # file:line
    name: str  # kind and id, for messages
    like: str | None
    figures: Figures

    @property
    def where(self) -> str:
        """Where the row is and what it is, for messages."""
        return f"{self.place}: {self.name}"


@dataclass(slots=True)
class UserRows:
    """All rows of the user's files; a later file overrides an earlier one."""

    rows: dict[str, dict[str, UserRow]] = field(default_factory=dict)
    prices: list[tuple[str, Price]] = field(default_factory=list)  # file:line of each
    texts: list[str] = field(default_factory=list)  # what was read, for the digest


def read_user_rows(folders: tuple[Path, ...], refinements: bool = True) -> UserRows:
    """Read every `*.yaml` and `*.yml` of the folders; without `refinements`, not those that calibrate wrote.

    Raises
    ------
    InputError
        Names file, line and row of what is wrong.
    """
    found = UserRows()
    for folder in folders:
        for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
            _read_file(path, found, refinements)
    return found


def _read_file(path: Path, found: UserRows, refinements: bool) -> None:
    import yaml  # only who has own rows pays for it

    try:
        if path.stat().st_size > LARGEST_FILE:
            raise InputError(f"{path}: larger than {LARGEST_FILE // 1_000_000} MB", "this is no catalog of rows")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}", "write YAML in UTF-8") from None
    if text.startswith(REFINEMENT) and not refinements:
        return
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise InputError(f"{path}{line}: {getattr(error, 'problem', None) or 'no YAML'}", "correct the YAML") from None
    found.texts.append(text)
    if root is None:
        return
    for kind, node in _pairs(root, path, "a mapping of kinds"):
        if kind == "prices":
            found.prices += _prices(node, path)
            continue
        if kind not in ROW_TYPES:
            raise UnknownName(f"kind of row in {_place(path, node)}", kind, [*ROW_TYPES, "prices"])
        rows = found.rows.setdefault(kind, {})
        for identity, row_node in _pairs(node, path, f"a mapping of {kind}"):
            rows[identity] = _row(kind, identity, row_node, path)


def _place(path: Path, node: yaml.Node) -> str:
    return f"{path}:{node.start_mark.line + 1}"


def _pairs(node: yaml.Node, path: Path, expected: str) -> list[tuple[str, yaml.Node]]:
    """Return the keys and value nodes of a mapping node; a repeated key is an error."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"{_place(path, node)}: expected {expected}", "write key: value")
    pairs: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = str(key.value)
        if name in pairs:
            raise InputError(f"{_place(path, key)}: {name} is given twice", "keep one of them")
        pairs[name] = value
    return list(pairs.items())


def _plain(node: yaml.Node, path: Path) -> Any:
    """Return the plain Python value of a node."""
    import yaml

    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    except (yaml.YAMLError, RecursionError, ValueError):
        raise InputError(f"{_place(path, node)}: no plain value", "write text or a number") from None
    finally:
        loader.dispose()


def _row(kind: str, identity: str, node: yaml.Node, path: Path) -> UserRow:
    pairs = dict(_pairs(node, path, f"the attributes of {identity}"))
    label = f"{SINGULAR[kind]} {identity}"
    where = f"{_place(path, node)}: {label}"
    about = {key: str(_plain(pairs.pop(key), path)) for key in ROW_KEYS if key in pairs}
    attributes = attributes_by_any_name(kind)
    figures: Figures = {}
    for name, value_node in pairs.items():
        attribute = attributes.get(name)
        if attribute is None:
            of = f"attribute of {label} in {_place(path, value_node)}:"
            raise UnknownName(of, name, [*schema()[kind], *ROW_KEYS])
        figures[attribute.name] = _figure(attribute, value_node, about, path, where)
    if not figures and "like" not in about:
        raise InputError(f"{where} says nothing", "give its attributes, or like: another row")
    if "source" not in about and any(not figure.source for figure in figures.values()):
        raise InputError(f"{where} has no source", 'add source: "where the numbers are from"')
    same = about.get("like") == identity  # some numbers of a built-in row replaced: it keeps its names
    if not same and "name" not in figures and "name" in schema()[kind]:
        figures["name"] = Figure(identity, "", Evidence.PUBLISHED, about.get("source", ""))
    if "like" in about and not same:  # the aliases of the row it builds on go on meaning that row
        figures.setdefault("aliases", Figure(None, "", Evidence.UNKNOWN, about.get("source", "")))
    return UserRow(_place(path, node), label, about.get("like"), figures)


def _figure(attribute: Attribute, node: yaml.Node, about: Mapping[str, str], path: Path, where: str) -> Figure:
    value = _plain(node, path)
    said = dict(about)
    if isinstance(value, dict):
        for key in value:
            if key not in VALUE_KEYS:
                raise UnknownName(f"key of {attribute.name} in {where}", str(key), VALUE_KEYS)
        said |= {key: str(value[key]) for key in ("source", "evidence", "note") if key in value}
        unit = value.get("unit")
        value = value.get("value")
        if unit is not None and value is not None:
            value = f"{value} {unit}"
    base = _base_value(attribute, value, where)
    evidence = said.get("evidence", "published")
    if evidence not in tuple(Evidence):
        raise UnknownName(f"evidence class in {where}", evidence, [item.value for item in Evidence])
    chosen = Evidence.UNKNOWN if base is None else Evidence(evidence)
    return Figure(base, attribute.unit, chosen, said.get("source", ""), said.get("note", ""))


def _base_value(attribute: Attribute, value: Any, where: str) -> float | str | None:
    if value is None or value == "unknown":
        return None
    if attribute.type == "list":
        return "|".join(str(item) for item in value) if isinstance(value, list) else str(value)
    if attribute.type == "text":
        return str(value)
    if attribute.type == "flag":
        if isinstance(value, bool):
            return float(value)
        if str(value) in FLAGS:
            return FLAGS[str(value)]
        raise InputError(f"{where}: {attribute.name} is {value!r}", "write yes or no")
    number = None if isinstance(value, bool) else read_quantity(str(value), attribute.unit)
    if number is None or number < 0:
        unit = BASE_UNITS[attribute.unit]
        raise InputError(f"{where}: {attribute.name} {value!r} is not {unit.noun}", f"write e.g. {unit.example}")
    if attribute.type == "integer" and number != int(number):
        raise InputError(f"{where}: {attribute.name} {value!r} is not whole", "write a whole number")
    return number


def _prices(node: yaml.Node, path: Path) -> list[tuple[str, Price]]:
    import yaml

    if not isinstance(node, yaml.SequenceNode):
        raise InputError(f"{_place(path, node)}: prices are no list", "write - {host: ..., option: ..., ...}")
    return [(_place(path, item), _price(item, path)) for item in node.value]


def _price(node: yaml.Node, path: Path) -> Price:
    pairs = {key: _plain(value, path) for key, value in _pairs(node, path, "the keys of a price")}
    where = f"{_place(path, node)}: price"
    for key in pairs:
        if key not in PRICE_KEYS:
            raise UnknownName(f"key of {where}", key, PRICE_KEYS)
    for key in ("host", "usd_per_hour", "source"):
        if not str(pairs.get(key) or "").strip():
            raise InputError(f"{where} has no {key}", f"add {key}")
    usd = read_quantity(str(pairs["usd_per_hour"]).lstrip("$").removesuffix("USD"), "1")
    if usd is None or usd < 0:
        raise InputError(f"{where}: usd_per_hour {pairs['usd_per_hour']!r} is no price", "write e.g. 98.32")
    option, date = str(pairs.get("option", "on_demand")), str(pairs.get("date", ""))
    if option not in OPTIONS:
        raise UnknownName(f"option of {where}", option, OPTIONS)
    if date and not ISO_DATE.fullmatch(date):
        raise InputError(f"{where}: date {date!r}", "write e.g. 2026-11-23")
    evidence = str(pairs.get("evidence", "published"))
    if evidence not in tuple(Evidence):
        raise UnknownName(f"evidence class of {where}", evidence, [item.value for item in Evidence])
    text = {key: str(pairs.get(key) or "") for key in ("host", "provider", "region", "source")}
    return Price(text["host"], text["provider"], text["region"], option, usd, date, evidence, text["source"])
