"""Quantities: what people write is understood, what is printed can be read back, nonsense is refused in one line."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan import quantities as q
from groundplan.errors import InputError


@pytest.mark.parametrize(
    ("text", "dimension", "expected"),
    [
        ("1 TB", "bytes", 1e12),
        ("1TB", "bytes", 1e12),
        ("80 GiB", "bytes", 80 * 2**30),
        ("500 kB", "bytes", 5e5),
        ("1.5 PiB", "bytes", 1.5 * 2**50),
        ("80 gb", "bytes", 80e9),
        ("4_000 bytes", "bytes", 4000),
        (1234, "bytes", 1234),
        ("400 Gb/s", "bits_per_s", 400e9),
        ("100 Gbps", "bits_per_s", 100e9),
        ("100gbps", "bits_per_s", 100e9),
        ("50 GB/s", "bits_per_s", 400e9),
        ("400 Gbit/s", "bytes_per_s", 50e9),
        ("2 TB/s", "bytes_per_s", 2e12),
        ("500 MiB/s", "bytes_per_s", 500 * 2**20),
        ("3 d", "seconds", 259_200),
        ("36 h", "seconds", 129_600),
        ("5 min", "seconds", 300),
        ("90s", "seconds", 90),
        ("1h30m", "seconds", 5400),
        ("1 d 12 h", "seconds", 129_600),
        ("2 weeks", "seconds", 1_209_600),
        ("850 ms", "seconds", 0.85),
        ("15000 USD", "usd", 15_000),
        ("$15,000", "usd", 15_000),
        ("15k USD", "usd", 15_000),
        ("US$ 1.5M", "usd", 1.5e6),
        ("15000", "usd", 15_000),
        ("3 USD per accelerator hour", "usd_per_hour", 3),
        ("$2.99/h", "usd_per_hour", 2.99),
        ("2.99 USD per GPU-hour", "usd_per_hour", 2.99),
        ("$3 / gpu / hour", "usd_per_hour", 3),
        ("4M tokens", "count", 4e6),
        ("250e9", "count", 250e9),
        ("1T tokens", "count", 1e12),
        ("20B", "count", 20e9),
        ("2k", "count", 2000),
        ("250 billion tokens", "count", 250e9),
        ("4 Mi tokens", "count", 4 * 2**20),
        ("1,024 sequences", "count", 1024),
        ("700 W", "watts", 700),
        ("1.2 kW", "watts", 1200),
        ("1 kWh", "joules", 3.6e6),
        ("3.6 MJ", "joules", 3.6e6),
        ("40 %", "fraction", 0.4),
        ("0.4", "fraction", 0.4),
        ("0.4 kg/kWh", "g_per_kwh", 400),
        ("1.2", "ratio", 1.2),
    ],
)
def test_reads_what_people_write(text: object, dimension: str, expected: float) -> None:
    assert q.parse(text, dimension) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("3 dayz", "seconds"),
        ("3 M", "seconds"),  # minutes or months?
        ("", "seconds"),
        ("d", "seconds"),
        ("1h-30m", "bytes"),
        ("80 Gb", "bytes"),  # bits
        ("400 gb/s", "bits_per_s"),  # bits or bytes?
        ("1,5 TB", "bytes"),  # decimal comma
        ("1 TB 5", "bytes"),
        ("-1 TB", "bytes"),
        (-1.0, "bytes"),
        ("nan", "bytes"),
        (math.nan, "bytes"),
        (math.inf, "seconds"),
        ("1e999", "bytes"),
        ("15000 EUR", "usd"),
        (True, "count"),
        (None, "count"),
        ([1], "count"),
        ("tokens", "count"),
        ("140 %", "fraction"),
        (40, "fraction"),
        (".", "ratio"),
    ],
)
def test_refuses_what_is_unclear_or_impossible(text: object, dimension: str) -> None:
    with pytest.raises(InputError) as caught:
        q.parse(text, dimension, "some.key")
    assert caught.value.what.startswith("some.key: ")
    assert q.DIMENSIONS[dimension].example in caught.value.mend
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


def test_a_message_says_what_was_expected_with_an_example() -> None:
    with pytest.raises(InputError) as caught:
        q.parse("3 dayz", "seconds", "deadline")
    assert caught.value.what == "deadline: '3 dayz' is not a duration"
    assert caught.value.mend == "write e.g. 3 d, 36 h, 90 min, 500 ms"


def test_long_garbage_is_cut_in_the_message() -> None:
    with pytest.raises(InputError) as caught:
        q.parse("x" * 100_000, "bytes", "size")
    assert len(str(caught.value)) < 200


def test_negative_is_allowed_where_asked_for() -> None:
    assert q.parse("-3 USD", "usd", allow_negative=True) == -3


@pytest.mark.parametrize(("value", "expected"), [(64, 64), ("2k", 2000), (1024.0, 1024), ("64 GPUs", 64)])
def test_whole_numbers(value: object, expected: int) -> None:
    assert q.parse_whole(value) == expected


@pytest.mark.parametrize("value", [0, -4, 1.5, "1.5k 3", "0.5", math.inf])
def test_not_whole_numbers(value: object) -> None:
    with pytest.raises(InputError):
        q.parse_whole(value, "nodes")


@given(st.floats(min_value=1, max_value=1e18))
def test_printed_sizes_and_rates_read_back(value: float) -> None:
    for text, dimension in (
        (q.format_bytes(value), "bytes"),
        (q.format_bytes(value, binary=True), "bytes"),
        (q.format_rate(value), "bytes_per_s"),
        (q.format_bit_rate(value), "bits_per_s"),
        (q.format_count(value), "count"),
        (q.format_watts(value), "watts"),
        (q.format_energy(value), "joules"),
        (q.format_usd(value), "usd"),
    ):
        assert q.parse(text, dimension) == pytest.approx(value, rel=0.006), text


@given(st.floats(min_value=1e-6, max_value=1e11))
def test_printed_durations_read_back(value: float) -> None:
    assert q.parse(q.format_seconds(value), "seconds") == pytest.approx(value, rel=0.006)


@given(st.floats(min_value=1e-4, max_value=1))
def test_printed_shares_read_back(value: float) -> None:
    assert q.parse(q.format_percent(value), "fraction") == pytest.approx(value, rel=0.006)


@given(st.floats(min_value=1e-5, max_value=1e14))
def test_never_more_than_four_significant_digits(value: float) -> None:
    for text in (q.format_bytes(value), q.format_seconds(value), q.format_si(value, ""), q.format_number(value)):
        digits = text.replace(",", "").split()[0].split("e")[0].replace(".", "").strip("0")
        assert len(digits) <= 4, text


@given(st.integers(min_value=0, max_value=99_999))
def test_counts_of_things_are_exact(count: int) -> None:
    assert q.parse_whole(q.format_count(count), minimum=0) == count


def test_the_guides_numbers_read_as_people_say_them() -> None:
    assert q.format_seconds(43.5 * q.DAY_S) == "43.5 days"
    assert q.format_seconds(117 * q.MINUTE_S) == "117 min"
    assert q.format_seconds(9.1 * q.MINUTE_S) == "9.1 min"
    assert q.format_usd(199_812) == "$199,800"
    assert q.format_usd(576) == "$576"
    assert q.format_usd(17_280) == "$17,280"
    assert q.format_usd(2.99) == "$2.99"
    assert q.format_bit_rate(315e9) == "315 Gb/s"
    assert q.format_bytes(39.375e9, digits=4) == "39.38 GB"
    assert q.format_count(250e9) == "250 billion"
    assert q.format_si(3.0e22, "FLOP") == "3e22 FLOP"


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_unknown_is_said_never_zero(value: float | None) -> None:
    for text in (
        q.format_bytes(value),
        q.format_rate(value),
        q.format_seconds(value),
        q.format_usd(value),
        q.format_count(value),
        q.format_si(value, "W"),
        q.format_energy(value),
        q.format_percent(value),
        q.format_number(value),
    ):
        assert text == "unknown"


def test_rounding_carries_into_the_next_prefix() -> None:
    assert q.format_bytes(999_999_999) == "1 GB"
    assert q.format_seconds(0.9999) == "1 s"
    assert q.format_count(999_999_999) == "1 billion"


@given(st.sampled_from(["bytes", "seconds", "count", "usd", "usd_per_hour", "ratio"]), st.floats(0, 1e18))
def test_the_exact_form_is_exact(dimension: str, value: float) -> None:
    assert q.parse(q.format_exact(value, dimension), dimension) == value


def test_the_exact_form_is_the_same_however_it_was_written() -> None:
    assert {q.format_exact(q.parse(t, "seconds"), "seconds") for t in ("3 d", "72 h", "3 days", 259_200)} == {"3 d"}
    assert q.format_exact(1e12, "bytes") == "1 TB"
    assert q.format_exact(15_000, "usd") == "15000 USD"


def test_zero_is_refused_where_it_makes_no_sense() -> None:
    with pytest.raises(InputError, match="not more than zero"):
        q.parse("0 d", "seconds", "deadline", positive=True)
