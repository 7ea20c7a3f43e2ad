"""Replays of a request trace on a real engine, as published: the engine's settings, and the times of every request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundplan.catalog.catalog import Catalog
from groundplan.errors import InputError
from groundplan.validation.measured import MeasuredRun
from groundplan.validation.predict import Array
from groundplan.validation.serving_reading import ServingCase, read_serving_case

REQUESTS, META, CONFIG = "requests.jsonl", "meta.json", "config.json"
"""Ends of the names of a replay's files; what stands before them is the same for all files of one replay."""
COLUMNS = ("input_toks", "output_toks", "arrival_time", "queued_ts", "first_token_ts", "last_token_ts")
"""Members of each request: tokens, the arrival on the wall clock [s], and times of the engine's own clock [s]."""
LIMITS = {"max_num_seqs": "max_sequences", "max_num_batched_tokens": "max_batched_tokens"}
UTILIZATION = "gpu_memory_utilization"
GIVE = f"give the requests as NAME__{REQUESTS} and vLLM's settings beside them as NAME__{META} (docs/replays.md)"


@dataclass(frozen=True, slots=True)
class Replay:
    """One replay: what ran, with what limits, and columns of its requests in the order of their arrival.

    Times to the first token count from arrival. How the two clocks of a replay stand against each other is told by the
    request that was queued soonest after it came.
    """

    run: MeasuredRun
    limits: Mapping[str, float]
    kv_tokens: float | None  # of one engine, as it reports
    arrival_s: Array
    prompt_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    ttft_s: Array
    tpot_s: Array  # NaN for an answer of one token
    span_s: float  # from the first arrival to the last token

    @property
    def tokens_per_s(self) -> float:
        """Output tokens by second of the span."""
        return float(np.sum(self.output_tokens)) / self.span_s


def is_replay(path: Path) -> bool:
    """Tell whether a path is a folder of replays or the requests of one, and no table."""
    return path.is_dir() or path.suffix == ".jsonl"


def read_replays(path: Path) -> list[Replay]:
    """Read a folder of replays, or one whose requests are the file.

    Raises
    ------
    InputError
        No replay is there, a file is missing or malformed; the line is named.
    """
    files = sorted(path.glob(f"*{REQUESTS}")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path} has no replay in it", GIVE)
    return [_read(file) for file in files]


def read_replay_case(replay: Replay, catalog: Catalog) -> ServingCase:
    """Return what ran as a case whose engine has the limits of the replay.

    Raises
    ------
    InputError, UnknownName
        What is missing or unknown, by which the replay cannot be predicted.
    """
    case = read_serving_case(replay.run, catalog)
    limits: dict[str, Any] = {
        name: value if name == "memory_utilization" else int(value) for name, value in replay.limits.items()
    }
    return replace(case, engine=replace(case.engine, **limits))


def _read(path: Path) -> Replay:
    if not path.name.endswith(REQUESTS):
        raise InputError(f"{path} is not named as the requests of a replay", GIVE)
    before = path.name.removesuffix(REQUESTS)
    meta = _json(path.with_name(before + META))
    beside = path.with_name(before + CONFIG)
    rows = _rows(path)
    columns = {name: np.asarray([row[name] for row in rows], dtype=np.float64) for name in COLUMNS}
    order = np.argsort(columns["arrival_time"], kind="stable")
    inputs, outputs, arrival, queued, first, last = (columns[name][order] for name in COLUMNS)
    offset = float(np.min(queued - arrival))
    gaps = np.where(outputs > 1, outputs - 1.0, np.nan)
    name = before.rstrip("_-.") or path.parent.name
    settings = _settings(meta, path)
    told = _json(beside) if beside.is_file() else {}
    return Replay(
        run=MeasuredRun(name, _cells(meta, settings, told, name, inputs, outputs)),
        limits=_limits(meta, settings),
        kv_tokens=_number(meta.get("kv_cache"), "num_kv_tokens"),
        arrival_s=arrival - arrival[0],
        prompt_tokens=inputs.astype(np.int64),
        output_tokens=outputs.astype(np.int64),
        ttft_s=first - arrival - offset,
        tpot_s=(last - first) / gaps,
        span_s=float(np.max(last) - arrival[0] - offset),
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise InputError(f"{path}, line {number}: this is no JSON object", "give one request on each line")
        for name in COLUMNS:
            value = row.get(name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e15:
                said = f"is {value!r}" if name in row else "is missing"
                raise InputError(f"{path}, line {number}: {name} {said}", f"give {name} as a number")
        if row["input_toks"] < 1 or row["output_toks"] < 1:
            raise InputError(f"{path}, line {number}: a request without tokens", "leave out requests that failed")
        if not row["queued_ts"] <= row["first_token_ts"] <= row["last_token_ts"]:
            raise InputError(
                f"{path}, line {number}: its times are out of order", "queued_ts, first_token_ts, last_token_ts ascend"
            )
        rows.append(row)
    if not rows:
        raise InputError(f"{path} has no request in it", GIVE)
    return rows


def _settings(meta: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Arguments of the engine; without a model nothing can be predicted."""
    found = meta.get("engine_kwargs")
    settings = dict(found) if isinstance(found, dict) else {}
    settings.setdefault("model", meta.get("model"))
    if not isinstance(settings["model"], str):
        raise InputError(f"{path}: its {META} names no model", 'give "model" and "engine_kwargs" as vLLM takes them')
    return settings


def _cells(
    meta: Mapping[str, Any],
    settings: Mapping[str, Any],
    config: Mapping[str, Any],
    name: str,
    inputs: Array,
    outputs: Array,
) -> dict[str, str]:
    """Return the replay as a line of a table of serving runs, which is read as those are."""
    tp, pp, dp = (int(settings.get(f"{kind}_parallel_size") or 1) for kind in ("tensor", "pipeline", "data"))
    spread = bool(settings.get("enable_expert_parallel"))
    quantized = settings.get("quantization") or _member(meta, "resolved_config", "model_config", "quantization")
    cells = {
        "source": "replay",
        "engine": f"vLLM {meta.get('vllm_version', '')}",
        "year": str(meta.get("started_at") or "9999")[:4],
        "model": settings["model"],
        "gpu": str(_device(meta, config) or name.split("_")[0]),
        "n_gpus": str(tp * pp * dp),
        "tp": str(tp),
        "pp": str(pp),
        "ep": str(tp * dp if spread else 1),
        "precision": str(quantized or settings.get("dtype") or "").replace("auto", ""),
        "kv_dtype": str(settings.get("kv_cache_dtype") or "").replace("auto", "bf16"),
        "isl": f"{np.mean(inputs):.6g}",
        "osl": f"{np.mean(outputs):.6g}",
        "scenario": "server",
        "ttft_ms": "1",
        "notes": f"attention_dp={dp}" if dp > 1 and spread else "",
    }
    return {key: cell for key, cell in cells.items() if cell}


def _device(meta: Mapping[str, Any], config: Mapping[str, Any]) -> object:
    """Return the name of the device, as the engine or the description of the cluster has it."""
    named = _member(meta, "hardware", "device_name")
    if named:
        return named
    try:
        return config["nodes"][0]["instances"][0]["hardware"]
    except (KeyError, IndexError, TypeError):
        return None


def _limits(meta: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, float]:
    found = {ours: _number(settings, theirs) for theirs, ours in LIMITS.items()}
    found["memory_utilization"] = _number(settings, UTILIZATION) or _number(meta.get("kv_cache"), UTILIZATION)
    return {name: value for name, value in found.items() if value}


def _member(record: object, *names: str) -> Any:
    for name in names:
        record = record.get(name) if isinstance(record, dict) else None
    return record


def _number(record: object, name: str) -> float | None:
    value = _member(record, name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_text(path))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{path} is no JSON object", GIVE)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", GIVE) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", GIVE) from None
