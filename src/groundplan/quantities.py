"""Read and print quantities. Units live at the edge only: inside, everything is in base units.

Base units are bytes, bytes/s, bit/s, seconds, USD, watts, joules and plain counts. A number without
a unit is taken to be in the base unit already. Decimal and binary prefixes both work and mean what they
say: 1 kB is 1000 bytes, 1 KiB is 1024. `GB` is bytes and `Gb` is bits, so case matters there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import SupportsFloat

from groundplan.errors import InputError

UNKNOWN = "unknown"
MINUTE_S = 60.0
HOUR_S = 3600.0
DAY_S = 86400.0
MOST_WHOLE = 10**15  # beyond it a whole number is a slip
YEAR_S = 365.0 * DAY_S

_DECIMAL = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60}
_WORDS = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+(?:_\d+)*)?(?:(?<=\d)\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_PER_HOUR = re.compile(
    r"\s*(?:/|\bper\b)\s*(?:(?:accelerator|gpu|tpu|chip|device|card)s?\s*(?:-|/|\bper\b|\s)\s*)?(?:hours?|hr|h)$", re.I
)
_COUNT_NOUN = re.compile(r"(?:^|\s)([A-Za-z]{3,})$")


@dataclass(frozen=True, slots=True)
class Dimension:
    """What a unit may be, for one kind of quantity: factors to the base unit, and how to say it to people."""

    noun: str
    example: str
    units: Mapping[str, float]
    refused: frozenset[str] = frozenset()  # would fold to a unit, but mean something else to many readers
    compound: bool = False  # 1h30m

    def factor(self, unit: str) -> float | None:
        """Return the factor to the base unit; letter case matters only where it changes the meaning."""
        if unit in self.units:
            return self.units[unit]
        if unit in self.refused:
            return None
        factors = {factor for known, factor in self.units.items() if known.lower() == unit.lower()}
        return factors.pop() if len(factors) == 1 else None


def _prefixed(units: Mapping[str, float], binary: bool = True) -> dict[str, float]:
    prefixes = {**_DECIMAL, **_BINARY} if binary else _DECIMAL
    return {prefix + unit: scale * factor for unit, factor in units.items() for prefix, scale in prefixes.items()}


_BITS = {"b/s": 1.0, "bit/s": 1.0, "bps": 1.0}
_OCTETS = {"B/s": 1.0, "Bps": 1.0, "byte/s": 1.0, "bytes/s": 1.0}
_GBPS = {f"{prefix}bps": scale for prefix, scale in zip("kmgt", (1e3, 1e6, 1e9, 1e12), strict=True)}  # never bytes
_SCALES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "bn": 1e9, "G": 1e9, "T": 1e12, **_WORDS}

DIMENSIONS: dict[str, Dimension] = {
    "bytes": Dimension(
        "a size in bytes",
        "1 TB, 80 GiB, 500 MB",
        {**_prefixed({"B": 1.0, "": 1.0}), "byte": 1.0, "bytes": 1.0},
        frozenset(prefix + "b" for prefix in [*_DECIMAL, *_BINARY, "K"]),
    ),
    "bytes_per_s": Dimension(
        "a rate in bytes/s",
        "2 TB/s, 500 MB/s, 400 Gb/s",
        {"": 1.0, **_prefixed(_OCTETS), **{unit: scale / 8.0 for unit, scale in (_prefixed(_BITS) | _GBPS).items()}},
    ),
    "bits_per_s": Dimension(
        "a rate in bit/s",
        "400 Gb/s, 100 Gbps, 50 GB/s",
        {"": 1.0, **(_prefixed(_BITS) | _GBPS), **{unit: scale * 8.0 for unit, scale in _prefixed(_OCTETS).items()}},
    ),
    "seconds": Dimension(
        "a duration",
        "3 d, 36 h, 90 min, 500 ms",
        {"": 1.0, "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3}
        | dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0)
        | dict.fromkeys(("m", "min", "mins", "minute", "minutes"), MINUTE_S)
        | dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), HOUR_S)
        | dict.fromkeys(("d", "day", "days"), DAY_S)
        | dict.fromkeys(("w", "week", "weeks"), 7.0 * DAY_S)
        | dict.fromkeys(("y", "year", "years"), YEAR_S),
        frozenset({"M"}),
        compound=True,
    ),
    "usd": Dimension("an amount in USD", "15000 USD, $15,000, 15k USD", _SCALES),
    "usd_per_hour": Dimension("a price in USD per hour", "3 USD, $2.99/h", _SCALES),
    "count": Dimension("a count", "4M tokens, 250e9, 1024", _SCALES | _BINARY),
    "per_second": Dimension(
        "a rate per second",
        "5, 0.5/s, 300/min",
        _SCALES | {"/s": 1.0, "per second": 1.0, "/min": 1.0 / MINUTE_S, "/h": 1.0 / HOUR_S},
    ),
    "watts": Dimension("a power", "700 W, 1.2 kW", {"": 1.0, "mW": 1e-3, **_prefixed({"W": 1.0}, binary=False)}),
    "joules": Dimension(
        "an energy",
        "3.6 MJ, 12 kWh",
        {"": 1.0, **_prefixed({"J": 1.0}, binary=False), **_prefixed({"Wh": HOUR_S}, binary=False)},
    ),
    "celsius": Dimension("a temperature", "35 C", {"": 1.0, "C": 1.0, "°C": 1.0}),
    "k_per_w": Dimension("a thermal resistance", "2.5 K/W", {"": 1.0, "K/W": 1.0, "C/W": 1.0, "°C/W": 1.0}),
    "fraction": Dimension("a share", "40 %, 0.4", {"": 1.0, "%": 0.01, "percent": 0.01}),
    "g_per_kwh": Dimension(
        "a carbon intensity",
        "400 g/kWh, 0.4 kg/kWh",
        {"": 1.0, "g/kWh": 1.0, "gCO2/kWh": 1.0, "kg/kWh": 1e3},
    ),
    "ratio": Dimension("a plain number", "1.2", {"": 1.0}),
}


def parse(
    value: object, dimension: str, name: str = "", *, allow_negative: bool = False, positive: bool = False
) -> float:
    """Read a quantity into base units.

    Parameters
    ----------
    value : str or number
        Text such as ``'400 Gb/s'``, ``'3 d'``, ``'$15,000'``; a number is in base units already.
    dimension : str
        Key of `DIMENSIONS`: bytes, bytes_per_s, bits_per_s, seconds, usd, usd_per_hour, count, watts,
        joules, fraction, g_per_kwh, ratio.
    name : str
        What is being read, for the message.
    allow_negative, positive : bool
        Zero is allowed and negative is not, unless said so.

    Returns
    -------
    float
        The value in the base unit of the dimension; finite.

    Raises
    ------
    InputError
        When the text is no such quantity, is not finite, or is negative (or zero, where that is refused).

    Examples
    --------
    >>> parse("1 TB", "bytes"), parse("400 Gb/s", "bytes_per_s"), parse("1h30m", "seconds")
    (1000000000000.0, 50000000000.0, 5400.0)
    >>> parse("$15,000", "usd"), parse("4M tokens", "count"), parse("40 %", "fraction")
    (15000.0, 4000000.0, 0.4)
    """
    kind = DIMENSIONS[dimension]
    number = _read(value, dimension, kind)
    prefix = f"{name}: " if name else ""
    if number is None:
        raise InputError(f"{prefix}{_shown(value)} is not {kind.noun}", f"write e.g. {kind.example}")
    if not math.isfinite(number):
        raise InputError(f"{prefix}{_shown(value)} is not finite", f"write e.g. {kind.example}")
    if number < 0 and not allow_negative:
        raise InputError(f"{prefix}{_shown(value)} is negative", f"write e.g. {kind.example}")
    if positive and number <= 0:
        raise InputError(f"{prefix}{_shown(value)} is not more than zero", f"write e.g. {kind.example}")
    if dimension == "fraction" and number > 1:
        raise InputError(f"{prefix}{_shown(value)} is more than the whole", f"write e.g. {kind.example}")
    return number


def parse_whole(value: object, name: str = "", minimum: int = 1) -> int:
    """Read a whole number of at least `minimum`, such as ``64`` or ``'2k'``.

    >>> parse_whole("2k"), parse_whole("1,024 sequences")
    (2000, 1024)
    """
    number = parse(value, "count", name)
    prefix = f"{name}: " if name else ""
    if number != int(number):
        raise InputError(f"{prefix}{_shown(value)} is not a whole number", f"write e.g. {max(minimum, round(number))}")
    if number > MOST_WHOLE:
        raise InputError(f"{prefix}{_shown(value)} is too large", f"write {MOST_WHOLE:,} or less")
    if number < minimum:
        raise InputError(f"{prefix}{_shown(value)} is too small", f"write {minimum} or more")
    return int(number)


def count_noun(value: object) -> str:
    """Return what a count counts, in the singular, or '' when it does not say.

    >>> count_noun("4M tokens"), count_noun("2 billion"), count_noun(7)
    ('token', '', '')
    """
    match = _COUNT_NOUN.search(str(value).strip().lower())
    noun = match.group(1) if match else ""
    return "" if noun in _WORDS else noun.removesuffix("s")


def _read(value: object, dimension: str, kind: Dimension) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    if not isinstance(value, str):
        return float(value) if isinstance(value, SupportsFloat) else None
    text = " ".join(value.replace("\N{NO-BREAK SPACE}", " ").split())
    if dimension in ("usd", "usd_per_hour"):
        text = _strip_currency(_PER_HOUR.sub("", text) if dimension == "usd_per_hour" else text)
    if dimension == "count" and count_noun(text):
        text = text[: text.rindex(" ")].strip() if " " in text else ""
    total, position = 0.0, 0
    while position < len(text):
        number = _NUMBER.match(text, position)
        if number is None or number.end() == position:
            return None
        unit_end = len(text)
        if kind.compound:
            following = re.compile(r"[0-9.+-]").search(text, number.end())
            unit_end = following.start() if following else unit_end
        factor = kind.factor(text[number.end() : unit_end].strip())
        if factor is None:
            return None
        total += float(number.group().replace(",", "").replace("_", "")) * factor
        position = unit_end
    return total if position else None


def _strip_currency(text: str) -> str:
    text = re.sub(r"^(?:US\$|USD|\$)\s*", "", text, flags=re.I)
    return re.sub(r"\s*(?:USD|US\$|\$|dollars?)$", "", text, flags=re.I)


def _shown(value: object) -> str:
    """Return a value for a message, cut where it is long."""
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def format_number(value: float | None, digits: int = 4) -> str:
    """Print a number with at most `digits` significant digits and thousands separators.

    >>> format_number(66847.3), format_number(0.012345), format_number(2.50)
    ('66,850', '0.01235', '2.5')
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    magnitude = math.floor(math.log10(abs(rounded)))
    if not -5 < magnitude < 15:
        return f"{rounded:.{digits}g}".replace("e+", "e")
    text = f"{rounded:,.{max(0, digits - 1 - magnitude)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scaled(value: float | None, unit: str, steps: Mapping[str, float], digits: int) -> str:
    """Print with the largest prefix that keeps the rounded number at 1 or more."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    rounded = float(f"{value:.{digits - 1}e}")
    fitting = [(scale, prefix) for prefix, scale in steps.items() if abs(rounded) >= scale]
    scale, prefix = max(fitting) if fitting and value else (1.0, "")
    return f"{format_number(value / scale, digits)} {prefix}{unit}".strip()


def format_si(value: float | None, unit: str, digits: int = 3) -> str:
    """Print with an SI prefix from nano to exa; beyond that with an exponent.

    >>> format_si(312e12, "FLOP/s"), format_si(3.0e22, "FLOP"), format_si(0.00025, "s")
    ('312 TFLOP/s', '3e22 FLOP', '250 µs')
    """
    if value is not None and math.isfinite(value) and abs(value) >= 1e21:
        return f"{value:.{digits}g} {unit}".replace("e+", "e").strip()
    small = {"m": 1e-3, "µ": 1e-6, "n": 1e-9}
    return _scaled(value, unit, _DECIMAL | small, digits)


def format_bytes(size_bytes: float | None, *, binary: bool = False, digits: int = 3) -> str:
    """Print a size, in decimal prefixes unless `binary`.

    >>> format_bytes(1e12), format_bytes(80 * 2**30, binary=True), format_bytes(None)
    ('1 TB', '80 GiB', 'unknown')
    """
    return _scaled(size_bytes, "B", _BINARY if binary else _DECIMAL, digits)


def format_rate(bytes_per_s: float | None, digits: int = 3) -> str:
    """Print a rate in bytes/s. `format_rate(2e12)` is ``'2 TB/s'``."""
    return _scaled(bytes_per_s, "B/s", _DECIMAL, digits)


def format_bit_rate(bits_per_s: float | None, digits: int = 3) -> str:
    """Print a rate in bit/s. `format_bit_rate(315e9)` is ``'315 Gb/s'``."""
    return _scaled(bits_per_s, "b/s", _DECIMAL, digits)


def format_seconds(duration_s: float | None, digits: int = 3) -> str:
    """Print a duration in the unit people would say it in.

    >>> [format_seconds(s) for s in (0.85, 1.234, 90, 7020, 40 * 3600, 43.5 * 86400)]
    ['850 ms', '1.23 s', '90 s', '117 min', '40 h', '43.5 days']
    """
    if duration_s is None or not math.isfinite(duration_s):
        return UNKNOWN
    for limit, unit_s, unit in (
        (0.9995e-3, 1e-6, "µs"),
        (0.9995, 1e-3, "ms"),
        (2 * MINUTE_S, 1.0, "s"),
        (2 * HOUR_S, MINUTE_S, "min"),
        (2 * DAY_S, HOUR_S, "h"),
        (3 * YEAR_S, DAY_S, "days"),
    ):
        if abs(duration_s) < limit and duration_s:
            return f"{format_number(duration_s / unit_s, digits)} {unit}"
    return f"{format_number(duration_s / YEAR_S, digits)} years" if duration_s else "0 s"


def format_usd(amount_usd: float | None, digits: int = 4) -> str:
    """Print an amount of money: cents below $100, then whole dollars of at most `digits` significant digits.

    >>> [format_usd(x) for x in (199_812.4, 2.99, 576, 17_280, 0.00123, 2.5e9)]
    ['$199,800', '$2.99', '$576', '$17,280', '$0.00123', '$2.5 billion']
    """
    if amount_usd is None or not math.isfinite(amount_usd):
        return UNKNOWN
    sign, size = ("-" if amount_usd < 0 else ""), abs(amount_usd)
    if size >= 1e9:
        return f"{sign}${format_number(size / 1e9, digits)} billion"
    if size == 0 or size >= 99.995:
        return f"{sign}${format_number(round(size), digits)}"
    return f"{sign}${size:.2f}" if size >= 0.1 else f"{sign}${format_number(size, 3)}"


def format_count(count: float | None, digits: int = 3) -> str:
    """Print a count: whole numbers below 100,000 exactly, larger ones in words.

    >>> [format_count(n) for n in (16_384, 250e9, 4_194_304, 668_000)]
    ['16,384', '250 billion', '4.19 million', '668,000']
    """
    if count is None or not math.isfinite(count):
        return UNKNOWN
    rounded = abs(float(f"{count:.{digits - 1}e}"))
    for word in ("trillion", "billion", "million"):
        if rounded >= _WORDS[word]:
            return f"{format_number(count / _WORDS[word], digits)} {word}"
    exact = count == int(count) and abs(count) < 1e5
    return f"{int(count):,}" if exact else format_number(count, digits)


def format_watts(power_w: float | None, digits: int = 3) -> str:
    """Print a power. `format_watts(45_000)` is ``'45 kW'``."""
    return _scaled(power_w, "W", _DECIMAL, digits)


def format_energy(energy_j: float | None, digits: int = 3) -> str:
    """Print an energy in watt-hours. `format_energy(3.6e9)` is ``'1 MWh'``."""
    watt_hours = None if energy_j is None else energy_j / HOUR_S
    return _scaled(watt_hours, "Wh", _DECIMAL, digits)


_EXACT_UNITS: dict[str, tuple[str, ...]] = {
    "bytes": ("PB", "TB", "GB", "MB", "kB", "B"),
    "seconds": ("d", "h", "min", "s"),
    "count": ("T", "B", "M", ""),
    "usd": ("USD",),
    "usd_per_hour": ("USD",),
}


def format_exact(value: float | None, dimension: str) -> str | float | None:
    """Print a quantity so that `parse` gives back the very same number; a plain number where there is no short form.

    >>> format_exact(259_200, "seconds"), format_exact(250e9, "count"), format_exact(1024, "count")
    ('3 d', '250B', 1024)
    """
    if value is None:
        return None
    plain = int(value) if value == int(value) else value
    for unit in _EXACT_UNITS.get(dimension, ()):
        scaled = value / (DIMENSIONS[dimension].factor(unit.removesuffix("USD")) or 1.0)
        short = f"{scaled:.6g}"
        text = f"{short}{'' if dimension == 'count' else ' '}{unit}"
        if unit and scaled >= 1 and "e" not in short and parse(text, dimension) == value:
            return text
    return plain


def format_percent(fraction: float | None, digits: int = 3) -> str:
    """Print a share. `format_percent(0.4)` is ``'40 %'``."""
    if fraction is None or not math.isfinite(fraction):
        return UNKNOWN
    return f"{format_number(100 * fraction, digits)} %"
