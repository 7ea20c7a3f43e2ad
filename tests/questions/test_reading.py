"""Flags become typed requests: units are read, unknown keys refused, defaults left to the task."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from groundplan.errors import InputError, UnknownName
from groundplan.questions.reading import build


@dataclass(frozen=True, slots=True)
class Request:
    """A request like those of the tasks."""

    accelerators: int
    model: str | None = None
    write_s: float | None = None
    sample_bytes: float | None = None
    hours: float = 24.0
    price: float | None = None
    per_second: float = 1.0
    tokens: float | str | None = None
    offload: bool = False


def test_units_are_read_by_what_the_field_measures() -> None:
    flags = {"accelerators": "1k", "write_s": "5 min", "sample_bytes": "20 GB", "hours": "30 d", "price": "$3/h"}
    request = build(Request, flags)
    assert request == Request(1000, None, 300.0, 20e9, 720.0, 3.0)


@pytest.mark.parametrize(
    ("text", "hours"), [("6", 6.0), ("1e3", 1000.0), ("6 h", 6.0), ("90 min", 1.5), ("1,000", 1e3)]
)
def test_hours_without_a_unit_are_hours(text: str, hours: float) -> None:
    assert build(Request, {"accelerators": "1", "hours": text}).hours == hours


def test_what_is_not_given_is_the_tasks_default() -> None:
    assert build(Request, {"accelerators": "8", "hours": None}) == Request(8)


def test_set_wins_over_flags_and_knows_hyphens() -> None:
    request = build(Request, {"accelerators": "8"}, ["accelerators=16", "per-second = 2", "offload=yes", "model=a=b"])
    assert request == Request(16, "a=b", per_second=2.0, offload=True)


def test_text_fields_stay_text() -> None:
    assert build(Request, {"accelerators": "8", "tokens": "4M tokens"}).tokens == "4M tokens"
    assert build(Request, {"accelerators": "8"}, ["model=none"]).model is None


def test_an_unknown_key_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="accelerators"):
        build(Request, {}, ["acelerators=8"])


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"accelerators": "8.5"},
        {"accelerators": "-1"},
        {"accelerators": "x"},
        {"accelerators": "1", "write_s": "5 GB"},
    ],
)
def test_what_cannot_be_is_refused(flags: dict[str, str]) -> None:
    with pytest.raises(InputError):
        build(Request, flags)


@pytest.mark.parametrize("text", ["accelerators", "=3", "", "offload=perhaps"])
def test_a_set_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        build(Request, {"accelerators": "8"}, [text])
