"""Views of `catalog list`, `catalog show` and `catalog check`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.quantities import format_count
from groundplan.render.document import Block, Column, Document, Fact, Facts, Notes, Table, Tone
from groundplan.render.phrases import by_key, has_unit, label, with_unit, words
from groundplan.render.views.parts import footer

BRIEF_WIDTH = 96
GAP = 3
FEW_COLUMNS = 6
FIGURE_KEYS = frozenset({"value", "unit", "evidence", "source"})
PLUMBING = frozenset({"schema", "tool_version", "catalog_version", "as_of", "figures", "attributes"})


def document(result: Mapping[str, Any]) -> Document:
    """Return the list, the row or the check, by the schema of the result."""
    command = str(result["schema"]).split("/")[1]
    forms = {"catalog-list": _listing, "catalog-show": _row, "catalog-check": _check}
    return forms[command.replace("_", "-")](result)


def _listing(result: Mapping[str, Any]) -> Document:
    rows = result["rows"]
    kind = "kinds" if result["kind"] == "all" else words(str(result["kind"]))
    headline = f"{format_count(len(rows))} {kind}"
    return Document(
        str(result["schema"]), "Catalog", headline, Tone.PLAIN, (table_of("", rows),) if rows else (), footer(result)
    )


def table_of(title: str, rows: list[Mapping[str, Any]]) -> Table:
    """Return a table of equal mappings; columns past the usual width are shown only where there is room."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = tuple(tuple(_cell(name, row.get(name)) for name in names) for row in rows)
    columns, used = [], 0
    for index, name in enumerate(names):
        width = GAP + max(len(label(name)), *(len(line[index]) for line in cells))
        nested = any(isinstance(row.get(name), Mapping) for row in rows)
        named_twice = name == "name" and "id" in names and len(names) > FEW_COLUMNS
        detail = index > 0 and (used + width > BRIEF_WIDTH or nested or named_twice)
        used += 0 if detail else width
        columns.append(Column(label(name), right=any(_is_number(row.get(name)) for row in rows), detail=detail))
    return Table(title, tuple(columns), cells)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(name: str, value: Any) -> str:
    """Print a value of a row; plain counts exactly, because a catalog is where people look them up."""
    if isinstance(value, Mapping) and set(value) >= FIGURE_KEYS:
        unit = str(value["unit"] or "")
        counted = unit in ("", "1") and _is_number(value["value"])
        return _cell(name, value["value"]) if counted else with_unit(value["value"], unit)
    if isinstance(value, Mapping):
        return ", ".join(f"{label(str(key))} {_cell(str(key), item)}" for key, item in value.items())
    if name == "year" and value is not None:
        return str(int(value))
    if _is_number(value) and not has_unit(name) and float(value).is_integer():
        return f"{int(value):,}"
    return "" if value == "" else by_key(name, value)


def _row(result: Mapping[str, Any]) -> Document:
    name = str(result.get("name") or result.get("id") or "")
    figures = _figures(result)
    facts = tuple(
        Fact(label(key), _cell(key, value))
        for key, value in result.items()
        if key not in PLUMBING and key not in figures and not isinstance(value, Mapping | list) and value is not None
    )
    aliases = [str(alias) for alias in result.get("aliases") or ()]
    if aliases:
        facts = (*facts, Fact("also called", ", ".join(aliases)))
    body: list[Block] = [Facts("", facts)] if facts else []
    for key, value in result.items():
        nested = isinstance(value, Mapping) and key not in PLUMBING and key not in figures
        if nested and value:
            rows = tuple(
                Fact(label(str(inner)), "none" if item is None else _cell(str(inner), item))
                for inner, item in value.items()
            )
            body.append(Facts(words(key).capitalize(), rows))
    if figures:
        columns = (
            Column("attribute"),
            Column("value", right=True),
            Column("evidence"),
            Column("source"),
            Column("note", detail=True),
        )
        cells = tuple(
            (
                label(key),
                _cell(key, figure),
                str(figure.get("evidence") or ""),
                str(figure.get("source") or ""),
                str(figure.get("note") or ""),
            )
            for key, figure in figures.items()
        )
        body.append(Table("Figures", columns, cells))
    for key, value in result.items():
        if _is_table(value):
            body.append(table_of(label(key).capitalize(), value))
    headline = name if name == result.get("id", name) else f"{name} ({result['id']})"
    return Document(str(result["schema"]), "Catalog", headline, Tone.PLAIN, tuple(body), footer(result))


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _figures(result: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what carries a value, a unit, an evidence class and a source, wherever the row keeps it."""
    found: dict[str, Mapping[str, Any]] = {}
    for source in (result, result.get("figures") or {}, result.get("attributes") or {}):
        if isinstance(source, Mapping):
            found |= {
                key: value for key, value in source.items() if isinstance(value, Mapping) and set(value) >= FIGURE_KEYS
            }
    return found


def _check(result: Mapping[str, Any]) -> Document:
    problems = result["problems"]
    counts = f"{by_key('rows', result['rows'])} rows, {by_key('figures', result['figures'])} figures"
    said = f"{format_count(len(problems))} problems" if problems else "no problems"
    body = (Notes("Problems", tuple(_problem(problem) for problem in problems), Tone.BAD),) if problems else ()
    tone = Tone.BAD if problems else Tone.GOOD
    return Document(str(result["schema"]), "Catalog check", f"{said} in {counts}", tone, body, footer(result))


def _problem(problem: Any) -> str:
    return ": ".join(str(part) for part in problem.values()) if isinstance(problem, Mapping) else str(problem)
