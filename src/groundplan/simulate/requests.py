"""Requests to a service, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from groundplan.errors import InputError

Hashes = tuple[int, ...]
MOST_TOKENS = 10**9  # of one request; more is a mistake
LATEST_S = 1e11  # of an arrival: three thousand years, so that milliseconds since 1970 are a mistake


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests in the order of their arrival.

    `prefix_hashes` names the content of each prompt, block by block: prompts that begin with equal hashes begin with
    equal tokens. A hash covers `hash_tokens` tokens and all that stands before them. `cached_share` of every prompt is
    in the cache when it comes, from requests that are not told of here.
    """

    arrival_s: NDArray[np.float64]
    prompt_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    prefix_hashes: Sequence[Hashes] | None = None
    hash_tokens: int = 0
    cached_share: float = 0.0

    def __len__(self) -> int:
        return len(self.arrival_s)


def make_requests(
    arrival_s: ArrayLike,
    prompt_tokens: ArrayLike,
    output_tokens: ArrayLike,
    prefix_hashes: Sequence[Hashes] | None = None,
    hash_tokens: int = 0,
    cached_share: float = 0.0,
) -> Requests:
    """Return checked requests.

    Parameters
    ----------
    arrival_s : array [n]
        Times of arrival [s], ascending.
    prompt_tokens, output_tokens : array [n]
        Whole numbers of at least 1.
    prefix_hashes : sequence of tuples of int, optional
        The content of each prompt, by blocks of `hash_tokens` tokens.
    cached_share : float
        Share of each prompt, below 1, that the cache holds when it comes.

    Raises
    ------
    InputError
        When there is no request, a number is missing, negative or not whole, or times out of order; it names the row.
    """
    times = np.asarray(arrival_s, dtype=np.float64)
    if times.size == 0:
        raise InputError("there is no request in it", "give at least one request")
    _refuse(~np.isfinite(times), "arrival_s", times, "a number of seconds")
    _refuse(times < 0, "arrival_s", times, "seconds from 0 on")
    _refuse(times > LATEST_S, "arrival_s", times, "seconds, no milliseconds")
    late = np.flatnonzero(np.diff(times) < 0)
    if late.size:
        row = int(late[0]) + 1
        raise InputError(
            f"request {row + 1} arrives {times[row - 1] - times[row]:.6g} s before the one above it",
            "sort the requests by arrival",
        )
    prompts = _counts(prompt_tokens, "prompt_tokens", len(times))
    outputs = _counts(output_tokens, "output_tokens", len(times))
    if prefix_hashes is not None and (len(prefix_hashes) != len(times) or hash_tokens < 1):
        raise InputError(
            f"{len(prefix_hashes)} prompts have prefix hashes of {hash_tokens} tokens, {len(times)} requests",
            "give hashes for every request, an empty tuple where unknown, and the tokens of one hash",
        )
    if not 0.0 <= cached_share < 1.0:
        raise InputError(f"cached share is {cached_share:g}", "give a share of the prompt below 1, e.g. 0.3")
    return Requests(times, prompts, outputs, prefix_hashes, hash_tokens, cached_share)


def _counts(values: ArrayLike, name: str, expected: int) -> NDArray[np.int64]:
    numbers = np.asarray(values, dtype=np.float64)
    if len(numbers) != expected:
        raise InputError(f"{len(numbers)} values of {name} for {expected} requests", "give one for each request")
    wrong = ~((numbers >= 1) & (numbers <= MOST_TOKENS) & (numbers == np.floor(numbers)))
    _refuse(wrong, name, numbers, f"a whole number from 1 to {MOST_TOKENS:,}")
    return numbers.astype(np.int64)


def _refuse(wrong: NDArray[np.bool_], name: str, values: NDArray[np.float64], expected: str) -> None:
    rows = np.flatnonzero(wrong)
    if rows.size:
        row = int(rows[0])
        raise InputError(f"request {row + 1} has {name} {values[row]:g}", f"{name} is {expected}")
