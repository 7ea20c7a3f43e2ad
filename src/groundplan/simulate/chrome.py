"""A simulated service as a Chrome trace, for chrome://tracing and Perfetto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from groundplan.simulate.results import ServiceResult

MICROSECONDS = 1e6
REQUESTS = "requests"


def chrome_events(result: ServiceResult) -> Iterator[dict[str, Any]]:
    """Yield trace events: bars of iterations by replica, and the queue, prefill and decode of each request.

    The service must have been simulated with `record=True` for the replicas to be in it.
    """
    for use in result.replicas:
        yield {"ph": "M", "name": "process_name", "pid": use.replica, "args": {"name": f"replica {use.replica}"}}
    for span in result.spans:
        yield {
            "ph": "X",
            "name": f"prefill {span.prefill_tokens} tokens" if span.prefill_tokens else f"decode {span.batch}",
            "pid": span.replica,
            "tid": 0,
            "ts": span.start_s * MICROSECONDS,
            "dur": span.duration_s * MICROSECONDS,
            "args": {
                "iterations": span.iterations,
                "prefill_tokens": span.prefill_tokens,
                "sequences": span.batch,
            },
        }
    times = result.requests
    for request in np.flatnonzero(times.ended).tolist():
        yield from _parts(
            request,
            int(times.replica[request]),
            (
                ("queue", times.arrival_s[request], times.start_s[request]),
                ("prefill", times.start_s[request], times.first_token_s[request]),
                ("decode", times.first_token_s[request], times.end_s[request]),
            ),
        )


def write_chrome_trace(result: ServiceResult, path: Path) -> None:
    """Write the trace as JSON, an event a line."""
    with path.open("w", encoding="utf-8") as file:
        file.write('{"displayTimeUnit": "ms", "traceEvents": [')
        for place, event in enumerate(chrome_events(result)):
            file.write(",\n" if place else "\n")
            file.write(json.dumps(event))
        file.write("\n]}\n")


def _parts(request: int, replica: int, parts: tuple[tuple[str, float, float], ...]) -> Iterator[dict[str, Any]]:
    common = {"cat": REQUESTS, "id": request, "pid": replica}
    for name, start_s, end_s in parts:
        yield {"ph": "b", "name": name, "ts": float(start_s) * MICROSECONDS, **common}
        yield {"ph": "e", "name": name, "ts": float(end_s) * MICROSECONDS, **common}
