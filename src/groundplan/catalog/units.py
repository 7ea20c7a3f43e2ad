"""Units of catalog data: each attribute has one base unit; data files may write it with any prefix."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from groundplan.quantities import DIMENSIONS, Dimension

_RATES = {"": 1.0, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_QUANTITY = re.compile(r"\s*([-+]?(?:\d[\d_,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*$", re.S)

BASE_UNITS: Mapping[str, Dimension] = {
    "1": DIMENSIONS["ratio"],
    "bytes": DIMENSIONS["bytes"],
    "bytes/s": DIMENSIONS["bytes_per_s"],
    "bit/s": DIMENSIONS["bits_per_s"],
    "s": DIMENSIONS["seconds"],
    "W": DIMENSIONS["watts"],
    "C": DIMENSIONS["celsius"],
    "K/W": DIMENSIONS["k_per_w"],
    "g/kWh": DIMENSIONS["g_per_kwh"],
    "FLOP/s": Dimension(
        "a rate in FLOP/s",
        "989 TFLOP/s",
        {
            prefix + unit: scale
            for unit in ("FLOP/s", "FLOPS", "FLOPs", "OP/s", "OPS")
            for prefix, scale in _RATES.items()
        }
        | {"": 1.0},
    ),
    "FLOP/J": Dimension("operations for a joule", "1.2 TFLOP/J", {"": 1.0, "FLOP/J": 1.0, "TFLOP/J": 1e12}),
    "bytes/s/TiB": Dimension(
        "a rate for each TiB",
        "125 MB/s/TiB",
        {"": 1.0, "B/s/TiB": 1.0, "bytes/s/TiB": 1.0, "MB/s/TiB": 1e6, "MiB/s/TiB": 2.0**20, "GB/s/TiB": 1e9},
    ),
    "USD/kWh": Dimension("a price of electricity", "0.08 USD/kWh", {"": 1.0, "USD/kWh": 1.0, "USD/MWh": 1e-3}),
    "USD/GB-month": Dimension(
        "a price of storage",
        "0.023 USD/GB-month",
        {"": 1.0, "USD/GB-month": 1.0, "USD/TB-month": 1e-3}
        | {"USD/GiB-month": 1e9 / 2**30, "USD/TiB-month": 1e9 / 2**40},
    ),
}
"""Base unit of an attribute -> the units its values may be written in."""


def to_base(value: float, unit: str, base: str) -> float | None:
    """Convert to the base unit; None when `unit` does not measure the same thing.

    >>> to_base(80, "GiB", "bytes"), to_base(989, "TFLOP/s", "FLOP/s"), to_base(1, "W", "bytes")
    (85899345920.0, 989000000000000.0, None)
    """
    factor = BASE_UNITS[base].factor(unit)
    return None if factor is None else value * factor


def read_quantity(text: str, base: str) -> float | None:
    """Read a number with its unit into the base unit; None when it is no such quantity.

    >>> read_quantity("400 Gb/s", "bit/s"), read_quantity("2.5 TB/s", "bytes/s"), read_quantity("fast", "bit/s")
    (400000000000.0, 2500000000000.0, None)
    """
    match = _QUANTITY.match(text)
    if match is None:
        return None
    value = to_base(float(match[1].replace(",", "").replace("_", "")), match[2], base)
    return value if value is not None and math.isfinite(value) else None
