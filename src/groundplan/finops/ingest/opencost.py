"""OpenCost's answer of /allocation (and Kubecost's): what each pod, or whatever was asked for, cost in each window.

Each allocation is one charge of the provider OpenCost, in the time it ran: `totalCost`, which is after OpenCost's own
adjustments. Labels become tags, with cluster, namespace, controller and pod where no label has that key. The currency
is the one OpenCost was set to, which the answer does not say: dollars, OpenCost's default. It is an estimate from list
prices of what a cloud's bill has too: a lake should have the one or the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from groundplan.errors import InputError
from groundplan.finops.ingest.head import Head, document
from groundplan.finops.ingest.importer import Importer
from groundplan.finops.ingest.staging import cell, select_rows, stage_columns, unreadable
from groundplan.finops.lake.datasets import datasets

OWNERS = ("cluster", "namespace", "controller", "pod", "container")
PARTS = ("cpuCost", "gpuCost", "ramCost", "pvCost", "networkCost", "loadBalancerCost", "sharedCost", "externalCost")
OTHERS = ("gpuHours", "cpuCoreHours", "ramByteHours", "minutes")
CELLS = ("name", "start", "end", "window_start", "window_end", "total", "resource", "tags", "hours", "rest", "raw")


def _recognises(head: Head) -> bool:
    return head.form == "json" and '"data"' in head.start and '"totalCost"' in head.start and '"window"' in head.start


def _selects(connection: Any, head: Head) -> dict[str, str]:
    found = [_cells(name, said) for name, said in _allocations(document(head), head)]
    if not found:
        raise InputError(f"{head.path} holds no allocation", "ask for a window in which something ran")
    columns = {name: [row[place] for row in found] for place, name in enumerate(CELLS)}
    stage_columns(connection, "raw", columns)
    charges = {
        "BilledCost": cell("total", "money"),
        "EffectiveCost": cell("total", "money"),
        "ListCost": cell("total", "money"),
        "ContractedCost": cell("total", "money"),
        "BillingCurrency": "'USD'",
        "ChargePeriodStart": cell("start", "time"),
        "ChargePeriodEnd": cell("end", "time"),
        "BillingPeriodStart": cell("window_start", "time"),
        "BillingPeriodEnd": cell("window_end", "time"),
        "ChargeCategory": "'Usage'",
        "ChargeFrequency": "'Usage-Based'",
        "ChargeDescription": '"name"',
        "ProviderName": "'OpenCost'",
        "ServiceName": "'Kubernetes'",
        "ServiceCategory": "'Compute'",
        "ResourceId": '"resource"',
        "ResourceName": '"name"',
        "PricingCategory": "'Standard'",
        "ConsumedQuantity": cell("hours", "number"),
        "ConsumedUnit": "CASE WHEN hours IS NOT NULL THEN 'GPU-Hours' END",
        "Tags": '"tags"',
        "x_extras": '"rest"',
    }
    problems = [unreadable("total", "money"), unreadable("start", "time"), unreadable("end", "time")]
    problems.append(("total IS NULL", "'totalCost is missing'"))
    return {"billing": select_rows(datasets()["billing"], charges, problems)}


def _allocations(read: Any, head: Head) -> Iterator[tuple[str, Any]]:
    """Yield every allocation of every window with its name."""
    windows = read.get("data") if isinstance(read, dict) else None
    if isinstance(windows, dict):
        windows = windows.get("sets", [windows])
    if not isinstance(windows, list):
        raise InputError(f"{head.path} has no list of windows under data", "save the answer of /allocation as it is")
    for window in windows:
        inside = window.get("allocations", window) if isinstance(window, dict) else None
        yield from (inside or {}).items()


def _cells(name: str, said: Any) -> list[str | None]:
    """Return the cells of one allocation, in the order of `CELLS`."""
    raw = json.dumps(said, sort_keys=True)
    if not isinstance(said, dict):
        return [name, *[None] * (len(CELLS) - 2), raw]
    told, window = said.get("properties") or {}, said.get("window") or {}
    known = {key: told[key] for key in OWNERS if told.get(key)}
    tags = known | (told.get("labels") or {})
    rest = {key: said[key] for key in (*PARTS, *OTHERS) if said.get(key)}
    rest |= {key: told[key] for key in ("node", "providerID", "controllerKind") if told.get(key)}
    return [
        name,
        said.get("start") or window.get("start"),
        said.get("end") or window.get("end"),
        window.get("start"),
        window.get("end"),
        _text(said.get("totalCost")),
        "/".join(known.values()) or name,
        json.dumps(tags, sort_keys=True) if tags else None,
        _text(said.get("gpuHours") or None),
        json.dumps(rest, sort_keys=True) if rest else None,
        raw,
    ]


def _text(value: Any) -> str | None:
    """Return a number by its shortest digits."""
    return None if value is None else str(value)


OPENCOST = Importer("OpenCost allocations", _recognises, _selects)
