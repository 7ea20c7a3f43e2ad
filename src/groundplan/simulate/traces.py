"""Readers of request traces: Azure's CSV, Mooncake's JSON lines, and a plain CSV."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from groundplan.errors import InputError
from groundplan.simulate.requests import Hashes, Requests, make_requests

AZURE = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
PLAIN = ("arrival_s", "prompt_tokens", "output_tokens")
MOONCAKE = ("timestamp", "input_length", "output_length")
MOONCAKE_HASH_TOKENS = 512
MILLISECONDS = 1e-3
HEADERS = f"a CSV with the columns {', '.join(PLAIN)} or {', '.join(AZURE)}, or JSON lines with {', '.join(MOONCAKE)}"

Value = TypeVar("Value")


def read_requests(path: Path) -> Requests:
    """Read a trace; its kind is told from its first line, and `.gz` is unpacked.

    Times count from the first request, whatever the zero of the trace.

    Raises
    ------
    InputError
        For a file that cannot be read, is of no known kind, has no request, or a line that is not one; the line is
        named.
    """
    lines = _lines(path)
    first = next((line for line in lines if line.strip()), "")
    if not first:
        raise InputError(f"{path} has no request in it", f"give {HEADERS}")
    try:
        if first.lstrip().startswith("{"):
            return _from_first(_read_mooncake(lines))
        header = next(csv.reader([first.lstrip("\ufeff")]))
        names = tuple(name.strip() for name in header)
        for columns, seconds in ((AZURE, _clock), (PLAIN, float)):
            if set(columns) <= set(names):
                return _from_first(_read_csv(lines, names, columns, seconds))
    except _Malformed as error:
        raise InputError(f"{path}, line {error.line}: {error.what}", error.mend) from None
    except InputError as error:
        raise InputError(f"{path}: {error.what}", error.mend) from None
    except csv.Error as error:
        raise InputError(f"{path} is no sound CSV: {error}", f"give {HEADERS}") from None
    raise InputError(f"{path} begins with {first.strip()[:60]!r}, which is no trace of requests", f"give {HEADERS}")


def _from_first(requests: Requests) -> Requests:
    return replace(requests, arrival_s=requests.arrival_s - requests.arrival_s[0])


class _Malformed(Exception):
    def __init__(self, line: int, what: str, mend: str) -> None:
        super().__init__(what)
        self.line = line
        self.what = what
        self.mend = mend


def _lines(path: Path) -> list[str]:
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path} cannot be read: {reason}", "give a file of requests") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text in UTF-8", f"give {HEADERS}") from None
    return text.splitlines()


def _read_csv(
    lines: list[str], names: tuple[str, ...], columns: tuple[str, ...], seconds: Callable[[str], float]
) -> Requests:
    places = [names.index(column) for column in columns]
    times: list[float] = []
    prompts: list[float] = []
    outputs: list[float] = []
    for number, row in _rows(lines):
        if len(row) != len(names):
            raise _Malformed(number, f"{len(row)} values for {len(names)} columns", "give one value for each column")
        time, prompt, output = (row[place] for place in places)
        times.append(_value(seconds, time, number, columns[0]))
        prompts.append(_value(float, prompt, number, columns[1]))
        outputs.append(_value(float, output, number, columns[2]))
    return make_requests(times, prompts, outputs)


def _rows(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows below the header with the numbers of their lines; empty lines are passed over."""
    reader = csv.reader(lines)
    rows: Iterable[tuple[int, list[str]]] = ((reader.line_num, row) for row in reader if any(map(str.strip, row)))
    below = iter(rows)
    next(below)
    yield from below


def _clock(text: str) -> float:
    """Return the seconds of a date and time, of UTC where it names no zone."""
    moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _value(convert: Callable[[str], Value], text: str, line: int, column: str) -> Value:
    try:
        return convert(text)
    except ValueError:
        kind = "a date and time" if convert is _clock else "a number"
        raise _Malformed(line, f"{column} is {text!r}, which is not {kind}", f"give {kind}") from None


def _read_mooncake(lines: list[str]) -> Requests:
    times: list[float] = []
    prompts: list[float] = []
    outputs: list[float] = []
    hashes: list[Hashes] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row = _object(line, number)
        time, prompt, output = (_member(row, name, number) for name in MOONCAKE)
        times.append(time * MILLISECONDS)
        prompts.append(prompt)
        outputs.append(output)
        hashes.append(_hashes(row, number))
    return make_requests(times, prompts, outputs, hashes, MOONCAKE_HASH_TOKENS)


def _object(line: str, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise _Malformed(number, "this is no JSON object", "give one object on each line")
    return row


def _member(row: dict[str, Any], name: str, line: int) -> float:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        said = f"is {value!r}" if name in row else "is missing"
        raise _Malformed(line, f"{name} {said}", f"give {name} as a number")
    return float(value)


def _hashes(row: dict[str, Any], line: int) -> Hashes:
    found = row.get("hash_ids", [])
    if not isinstance(found, list) or not all(isinstance(key, int) for key in found):
        raise _Malformed(line, "hash_ids is no list of whole numbers", "give the ids of the prompt's blocks")
    return tuple(found)
