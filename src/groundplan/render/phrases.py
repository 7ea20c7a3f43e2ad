"""Numbers of the JSON contract as words: intervals, names, units. Formats only, computes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from groundplan import quantities

UNKNOWN = quantities.UNKNOWN
LARGE = 1e6  # from here on a number is said as a count, in words

Format = Callable[[float | None], str]

_BY_SUFFIX: tuple[tuple[str, Format], ...] = (
    ("bits_per_s", quantities.format_bit_rate),
    ("bytes_per_s", quantities.format_rate),
    ("bytes", quantities.format_bytes),
    ("usd_per_hour", lambda usd: per(quantities.format_usd(usd), "h")),
    ("usd_per_month", lambda usd: per(quantities.format_usd(usd), "month")),
    ("usd_per_kwh", lambda usd: per(quantities.format_usd(usd), "kWh")),
    ("usd", quantities.format_usd),
    ("tokens_per_s", lambda rate: per(quantities.format_count(rate), "s")),
    ("energy_j", quantities.format_energy),
    ("carbon_kg", lambda mass: mass_text(mass)),
    ("_w", quantities.format_watts),
    ("_s", quantities.format_seconds),
    ("mfu", quantities.format_percent),
    ("goodput", quantities.format_percent),
    ("share", quantities.format_percent),
    ("rate", quantities.format_percent),
)
_BY_UNIT: dict[str, Format] = {
    "s": quantities.format_seconds,
    "bytes": quantities.format_bytes,
    "B": quantities.format_bytes,
    "bytes/s": quantities.format_rate,
    "bit/s": quantities.format_bit_rate,
    "bits/s": quantities.format_bit_rate,
    "USD": quantities.format_usd,
    "usd": quantities.format_usd,
    "W": quantities.format_watts,
    "J": quantities.format_energy,
    "kg": lambda mass: mass_text(mass),
    "FLOP": lambda flops: quantities.format_si(flops, "FLOP"),
    "FLOP/s": lambda rate: quantities.format_si(rate, "FLOP/s"),
}
_UNIT_ENDINGS = (
    ("_bytes_per_s", " rate"),
    ("_bits_per_s", " rate"),
    ("_bytes", ""),
    ("_usd", ""),
    ("_kg", ""),
    ("_s", ""),
    ("_w", ""),
    ("_j", ""),
)


def per(text: str, unit: str) -> str:
    """Append ``/unit`` unless the quantity is unknown.

    >>> per("$3", "h"), per("unknown", "h")
    ('$3/h', 'unknown')
    """
    return text if text == UNKNOWN else f"{text}/{unit}"


def money(amount: str | None, currency: str = "USD") -> str:
    """Say an exact amount of money as bills do, to the cent.

    >>> money("1234.567"), money("-0.001"), money("12", "EUR"), money(None)
    ('$1,234.57', '$0.00', '12.00 EUR', 'unknown')
    """
    if amount is None:
        return UNKNOWN
    cents = Decimal(amount).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
    sign, size = ("-" if cents < 0 else ""), f"{abs(cents):,}"
    return f"{sign}${size}" if currency == "USD" else f"{sign}{size} {currency}"


def mass_text(mass_kg: float | None) -> str:
    """Print a mass in kg below a tonne, in tonnes above.

    >>> mass_text(12.3), mass_text(45_600.0)
    ('12.3 kg', '45.6 t')
    """
    if mass_kg is not None and mass_kg >= 1000.0:
        return f"{quantities.format_number(mass_kg / 1000.0, 3)} t"
    text = quantities.format_number(mass_kg, 3)
    return text if text == UNKNOWN else f"{text} kg"


def words(name: str) -> str:
    """Turn a key into words.

    >>> words("optimizer_states")
    'optimizer states'
    """
    return name.replace("_", " ")


def label(key: str) -> str:
    """Turn a key into words without the unit that ends it; a rate says that it is one.

    >>> label("memory_bytes"), label("memory_bytes_per_s"), label("step_s"), label("tdp_w")
    ('memory', 'memory rate', 'step', 'tdp')
    """
    for ending, said in _UNIT_ENDINGS:
        if key.endswith(ending) and len(key) > len(ending):
            return words(key.removesuffix(ending)) + said
    return words(key)


def interval(prediction: Mapping[str, Any] | float | None, form: Format) -> str:
    """Print a prediction with its 80 % interval; the unit is said once where it is the same.

    >>> interval({"value": 12.3, "low": 10.1, "high": 15.0}, quantities.format_seconds)
    '12.3 s (10.1-15)'
    >>> interval({"value": 90.0, "low": 80.0, "high": 150.0}, quantities.format_seconds)
    '90 s (80 s - 2.5 min)'
    >>> interval(None, quantities.format_usd)
    'unknown'
    """
    if not isinstance(prediction, Mapping):
        return form(prediction)
    middle, low, high = (form(prediction.get(key)) for key in ("value", "low", "high"))
    if UNKNOWN in (low, high):
        return middle
    if low == middle == high:
        return middle
    unit = middle.partition(" ")[2]
    if all(end.partition(" ")[2] == unit for end in (low, high)):
        return f"{middle} ({low.partition(' ')[0]}-{high.partition(' ')[0]})"
    return f"{middle} ({low} - {high})"


def middle(prediction: Mapping[str, Any] | float | None, form: Format) -> str:
    """Print the value of a prediction without its interval."""
    return form(prediction.get("value") if isinstance(prediction, Mapping) else prediction)


def value_of(prediction: Mapping[str, Any] | float | None) -> float | None:
    """Return the number of a prediction, or the number itself."""
    value = prediction.get("value") if isinstance(prediction, Mapping) else prediction
    return None if value is None else float(value)


def with_unit(value: Any, unit: str) -> str:
    """Print a value that carries its unit beside it, as terms, figures and assumptions do.

    >>> with_unit(5400.0, "s"), with_unit(0.8, "1"), with_unit("bf16", ""), with_unit(None, "s")
    ('90 min', '0.8', 'bf16', 'unknown')
    """
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return yes_no(value)
    if not isinstance(value, int | float):
        return str(value) if unit in ("", "1") else f"{value} {unit}"
    if unit in _BY_UNIT:
        return _BY_UNIT[unit](value)
    counted = float(value).is_integer() or abs(value) >= LARGE
    text = quantities.format_count(value) if counted else quantities.format_number(value)
    return text if unit in ("", "1") else f"{text} {unit}"


def by_key(key: str, value: Any) -> str:
    """Print a value by the unit that ends its key; a prediction with its interval.

    >>> by_key("run_s", 43.5 * 86400), by_key("layout.tp", 8), by_key("fits", True), by_key("cost_usd", None)
    ('43.5 days', '8', 'yes', 'unknown')
    """
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return yes_no(value)
    name = key.rsplit(".", 1)[-1]
    if isinstance(value, Mapping) and "value" not in value:
        return ", ".join(f"{words(str(k))} {by_key(str(k), v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(by_key(name, item) for item in value)
    if not isinstance(value, int | float | Mapping):
        return str(value)
    return interval(value, _form_of(name))


def has_unit(key: str) -> bool:
    """Say whether a key ends in a unit.

    >>> has_unit("memory_bytes"), has_unit("layers")
    (True, False)
    """
    return any(key.endswith(suffix) for suffix, _ in _BY_SUFFIX)


def yes_no(value: bool | None) -> str:
    """Print a flag."""
    return UNKNOWN if value is None else "yes" if value else "no"


def _form_of(name: str) -> Format:
    for suffix, form in _BY_SUFFIX:
        if name.endswith(suffix):
            return form
    return lambda value: with_unit(value, "")
