"""The schema of the catalog, itself data: which attributes a kind has, their types, units and ranges."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from groundplan.catalog.rows import (
    Accelerator,
    Architecture,
    Cpu,
    EdgeDevice,
    EdgeFamily,
    Engine,
    Fabric,
    Grid,
    Host,
    Optimizer,
    PowerMode,
    Precision,
    Recipe,
    Row,
    Stack,
    StorageProduct,
)

DATA = Path(__file__).parent / "data"

ROW_TYPES: Mapping[str, type[Row]] = {
    "accelerators": Accelerator,
    "hosts": Host,
    "cpus": Cpu,
    "fabrics": Fabric,
    "storage": StorageProduct,
    "grids": Grid,
    "precisions": Precision,
    "optimizers": Optimizer,
    "stacks": Stack,
    "engines": Engine,
    "architectures": Architecture,
    "edge_devices": EdgeDevice,
    "power_modes": PowerMode,
    "edge_families": EdgeFamily,
    "recipes": Recipe,
}
"""Kind -> the type of its rows. Prices and models are read elsewhere: they are no attribute tables."""

SINGULAR: Mapping[str, str] = {
    kind: {"storage": "storage product", "edge_families": "edge family"}.get(
        kind, kind.removesuffix("s").replace("_", " ")
    )
    for kind in ROW_TYPES
}
"""Kind -> what one row is called in a message."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a kind. `field` is where a typed row keeps it: `flops.bf16` is key bf16 of mapping flops."""

    kind: str
    name: str
    field: str
    type: str  # number | integer | text | list | flag
    unit: str  # base unit of numbers
    required: bool
    default: str
    low: float | None  # plausible range, in the base unit
    high: float | None
    description: str


@cache
def schema() -> Mapping[str, Mapping[str, Attribute]]:
    """Return kind -> attribute name -> attribute."""
    kinds: dict[str, dict[str, Attribute]] = {}
    with (DATA / "schema.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            attribute = Attribute(
                kind=line["kind"],
                name=line["attribute"],
                field=line["field"],
                type=line["type"],
                unit=line["unit"],
                required=line["required"] == "yes",
                default=line["default"],
                low=float(line["low"]) if line["low"] else None,
                high=float(line["high"]) if line["high"] else None,
                description=line["description"],
            )
            kinds.setdefault(attribute.kind, {})[attribute.name] = attribute
    return kinds


@cache
def attributes_by_any_name(kind: str) -> Mapping[str, Attribute]:
    """Return the attributes of a kind by their name and by their field: `memory` and `memory_bytes` are one."""
    own = schema()[kind]
    return {attribute.field: attribute for attribute in own.values() if attribute.field} | dict(own)
