"""View of `explain`: the formula tree of one number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.render.document import Document, Node, Tone, Tree
from groundplan.render.phrases import by_key, label, with_unit
from groundplan.render.views.parts import footer


def document(result: Mapping[str, Any]) -> Document:
    """Return the tree: each term with its value, formula, inputs, evidence and source."""
    term = result.get("term") or result
    root = node(term)
    metric = str(result.get("metric") or term["name"])
    headline = f"{metric} = {with_unit(term['value'], str(term['unit']))}"
    if result.get("design"):
        headline += f" for {result['design']}"
    return Document(
        str(result["schema"]), f"How {metric} was computed", headline, Tone.PLAIN, (Tree("", root),), footer(result)
    )


def node(term: Mapping[str, Any]) -> Node:
    """Return one term as a node."""
    sign = " (sum)" if term.get("op") == "sum" and term.get("children") else ""
    text = f"{label(str(term['name']))} = {with_unit(term['value'], str(term['unit']))}{sign}"
    details = []
    if term.get("formula"):
        details.append(str(term["formula"]))
    if term.get("inputs"):
        details.append("with " + ", ".join(_input(str(name), value) for name, value in term["inputs"].items()))
    origin = ": ".join(str(term[key]) for key in ("evidence", "source") if term.get(key))
    if term.get("source"):
        details.append(origin)
    return Node(text, tuple(details), tuple(node(child) for child in term.get("children", ())))


def _input(name: str, value: Any) -> str:
    """Print one number of a formula; its name may carry its unit: ``rate [FLOP/s]``."""
    bare, bracket, unit = name.partition(" [")
    return f"{bare} {with_unit(value, unit.rstrip(']'))}" if bracket else f"{name} {by_key(name, value)}"
