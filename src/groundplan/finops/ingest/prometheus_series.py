"""Answers of Prometheus's HTTP API (`query_range`, `query`) as tables: series and their samples."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from groundplan.errors import InputError
from groundplan.finops.ingest.head import Head, document
from groundplan.finops.ingest.staging import stage_columns

QUERY = '/api/v1/query_range?query={__name__=~"DCGM_FI_.*"}&start=...&end=...&step=30s'


@dataclass(frozen=True, slots=True)
class Series:
    """One series: its metric, its other labels, and its samples."""

    metric: str
    labels: dict[str, str]
    seconds: np.ndarray[Any, Any]  # since 1970
    texts: list[str]

    def label(self, *names: str) -> str | None:
        """Return the first of these labels that the series carries."""
        return next((self.labels[name] for name in names if self.labels.get(name)), None)


def read_series(head: Head) -> list[Series]:
    """Return the series of a file that holds one answer, or a list of them.

    Raises
    ------
    InputError
        The answer is an error, holds no series, or its series have no names.
    """
    whole = document(head)
    found: list[Series] = []
    for answer in whole if isinstance(whole, list) else [whole]:
        if not isinstance(answer, dict) or answer.get("status") == "error":
            words = answer.get("error", "unknown") if isinstance(answer, dict) else "it is no answer of Prometheus"
            raise InputError(f"{head.path} holds an error of Prometheus: {words}", f"ask again: {QUERY}")
        data = answer.get("data", answer)
        if data.get("resultType") not in ("matrix", "vector"):
            raise InputError(f"{head.path} holds a {data.get('resultType')}, no series", f"ask for a range: {QUERY}")
        found += [_series(head, row) for row in data.get("result", [])]
    if not found:
        raise InputError(f"{head.path} holds no series: the query found nothing", f"ask for another range: {QUERY}")
    return found


def _series(head: Head, row: Mapping[str, Any]) -> Series:
    labels = dict(row.get("metric", {}))
    stem = head.path.name.partition(".")[0]  # rates and averages lose their name; who saves one by one names the file
    metric = labels.pop("__name__", None) or (stem if _known(stem) else None)
    if metric is None:
        raise InputError(
            f"{head.path} has series without a metric name, as rate() leaves them",
            "ask for the metric itself, rates are made here; or name the file METRIC.json",
        )
    samples = row.get("values", [row["value"]] if "value" in row else [])
    seconds = np.array([at for at, _ in samples], dtype=float)
    return Series(metric, labels, seconds, [text for _, text in samples])


def _known(metric: str) -> bool:
    return metric.startswith(("DCGM_FI_", "node_", "kube_pod_", "vllm"))


def stage_series(connection: Any, series: list[Series], columns: Mapping[str, list[Any]]) -> None:
    """Make `prom_series` (number, metric, `columns`) and `prom_samples` (series, time, value, problem, sample)."""
    numbers = np.arange(len(series))
    stage_columns(connection, "prom_series", {"number": numbers, "metric": [one.metric for one in series], **columns})
    lengths = [len(one.texts) for one in series]
    values = np.concatenate([_values(one.texts) for one in series]) if series else np.empty(0)
    stage_columns(
        connection,
        "prom_samples",
        {
            "series": np.repeat(numbers, lengths),
            "seconds": np.concatenate([one.seconds for one in series]) if series else np.empty(0),
            "value": values,
        },
    )
    bad = list(_bad(series, values))
    stage_columns(connection, "prom_bad", {"problem": [words for words, _ in bad], "sample": [raw for _, raw in bad]})


def _values(texts: list[str]) -> np.ndarray[Any, Any]:
    """Return values as numbers; NaN, infinity and what is no number as NaN."""
    try:
        found = np.array(texts, dtype=str).astype(float)
    except ValueError:
        found = np.array([_value(text) for text in texts], dtype=float)
    return np.where(np.isfinite(found), found, np.nan)


def _value(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _bad(series: list[Series], values: np.ndarray[Any, Any]) -> Iterator[tuple[str, str]]:
    """Yield a reason and the sample as it came, for every sample without a value."""
    ends = np.cumsum([len(one.texts) for one in series])
    for place in np.flatnonzero(np.isnan(values)):
        index = int(np.searchsorted(ends, place, side="right"))
        one, inside = series[index], int(place - (ends[index] - len(series[index].texts)))
        text = one.texts[inside]
        raw = {"metric": one.metric, **one.labels, "time": float(one.seconds[inside]), "value": text}
        yield f"{one.metric} is {str(text)[:40]}, no number", json.dumps(raw)
