"""MLflow's runs: the folder of a file store, the JSON of `runs/search`, the CSV of `mlflow experiments csv`."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from groundplan.errors import InputError
from groundplan.finops.ingest.head import Head, document, open_bytes
from groundplan.finops.ingest.importer import Importer
from groundplan.finops.ingest.staging import instant, select_rows, stage_columns
from groundplan.finops.lake.datasets import datasets

META = "meta.yaml"
UNREAD = {".trash", "artifacts"}  # folders of a store that say nothing of its runs
STATES = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}
JOB_IDS = ("slurm_job_id", "SLURM_JOB_ID", "slurm.job_id", "hpc_job", "job_id")
COLUMNS = ("run_id", "experiment", "name", "user", "status", "start_time", "end_time", "job_id", "configuration",
           "parameters", "metrics", "tags", "problem")  # fmt: skip
Run = dict[str, Any]
Points = dict[str, list[list[float | None]]]


def is_store(path: Path) -> bool:
    """Say whether a folder is a file store of MLflow, one of its experiments or one of its runs."""
    metas = [path / META, *path.glob(f"*/{META}")]
    return any(meta.is_file() and b"experiment_id" in meta.read_bytes()[:4096] for meta in metas[:3])


def _in_store(head: Head) -> bool:
    return head.form == "folder"


def _in_json(head: Head) -> bool:
    return head.form == "json" and '"run_id"' in head.start and '"info"' in head.start


def _in_csv(head: Head) -> bool:
    return head.form == "csv" and head.has("run_id", "experiment_id", "status")


def _selects_store(connection: Any, head: Head) -> dict[str, str]:
    metas = sorted(meta for meta in head.path.rglob(META) if not UNREAD & set(meta.relative_to(head.path).parts))
    experiments: dict[str, str] = {}
    found = []
    for meta in metas:
        written = _yaml(meta)
        if isinstance(written, dict) and "run_id" not in written and "run_uuid" not in written:
            experiments[str(written.get("experiment_id"))] = str(written.get("name"))
        else:
            found.append((meta, written))
    if head.path.parent.joinpath(META).is_file():  # the folder is one run; its experiment lies above
        above = _yaml(head.path.parent / META)
        experiments |= {str(above.get("experiment_id")): str(above.get("name"))} if isinstance(above, dict) else {}
    runs = [_stored_run(meta.parent, written, experiments) for meta, written in found]
    return _rows(connection, head, runs)


def _yaml(meta: Path) -> Any:
    try:
        return yaml.safe_load(meta.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError):
        return None


def _stored_run(folder: Path, written: Any, experiments: dict[str, str]) -> Run:
    """Return a run of a file store; its metrics are files of lines `timestamp value step`."""
    if not isinstance(written, dict):
        return {"problem": f"{folder.name}/{META} is no whole YAML document"}
    metrics: Points = {}
    problem = None
    for name, text in _texts(folder / "metrics"):
        try:
            metrics[name] = [_point(line.split()) for line in text.splitlines() if line.strip()]
        except (ValueError, IndexError):
            problem = f"{folder.name}/metrics/{name} has a line that is no `timestamp value step`"
    experiment = str(written.get("experiment_id"))
    return _run(
        written,
        experiments.get(experiment, experiment),
        dict(_texts(folder / "params")),
        metrics,
        dict(_texts(folder / "tags")),
        problem,
    )


def _point(cells: list[str]) -> list[float | None]:
    """Return step and value; what is not finite has no value in JSON."""
    value = float(cells[1])
    return [int(cells[2]) if len(cells) > 2 else 0, value if math.isfinite(value) else None]


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the name of each file below a folder, as a path, and its text."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8", errors="replace").strip("\n")


def _selects_json(connection: Any, head: Head) -> dict[str, str]:
    whole = document(head)
    listed = whole.get("runs", [whole.get("run", whole)]) if isinstance(whole, dict) else whole
    if not isinstance(listed, list):
        raise InputError(f"{head.path} has no list of runs", "save what POST /api/2.0/mlflow/runs/search answers")
    return _rows(connection, head, [_found_run(row) for row in listed])


def _found_run(row: Any) -> Run:
    if not isinstance(row, dict) or not isinstance(row.get("info"), dict):
        return {"problem": "a run without info"}
    info, data = row["info"], row.get("data") or {}
    metrics: Points = {}
    try:
        for one in data.get("metrics", []):
            metrics.setdefault(one["key"], []).append(_point(["", str(one["value"]), str(one.get("step", 0))]))
    except (ValueError, TypeError, KeyError):
        return {"problem": "a metric without a name or a number", "run_id": info.get("run_id")}
    pairs = {kind: {one["key"]: one.get("value") for one in data.get(kind, [])} for kind in ("params", "tags")}
    return _run(info, str(info.get("experiment_id")), pairs["params"], metrics, pairs["tags"], None)


def _selects_csv(connection: Any, head: Head) -> dict[str, str]:
    with open_bytes(head.path) as file:
        reader = csv.DictReader(io.TextIOWrapper(file, head.encoding, newline=""), delimiter=head.delimiter)
        return _rows(connection, head, [_listed_run(row) for row in reader])


def _listed_run(row: dict[str, Any]) -> Run:
    if None in row or None in row.values():
        return {"problem": "the number of cells is not that of the header", "run_id": row.get("run_id")}
    kinds: dict[str, dict[str, str]] = {"params": {}, "metrics": {}, "tags": {}}
    for column, cell in row.items():
        kind, dot, name = column.partition(".")
        if dot and kind in kinds and cell not in ("", "nan", "None"):
            kinds[kind][name] = cell
    try:
        metrics: Points = {name: [_point(["", cell])] for name, cell in kinds["metrics"].items()}
    except ValueError as error:
        return {"problem": f"a metric is no number: {error}", "run_id": row["run_id"]}
    return _run(row, row["experiment_id"], kinds["params"], metrics, kinds["tags"], None)


def _run(
    info: dict[str, Any],
    experiment: str,
    parameters: dict[str, Any],
    metrics: Points,
    tags: dict[str, Any],
    problem: str | None,
) -> Run:
    """Return a run as the lake holds it. Equal parameters have equal `configuration`, whatever tool listed them."""
    canonical = json.dumps(parameters, sort_keys=True)
    status = str(info.get("status", ""))
    user = info.get("user_id") or tags.get("mlflow.user")
    return {
        "run_id": info.get("run_id") or info.get("run_uuid"),
        "experiment": experiment,
        "name": info.get("run_name") or info.get("name") or tags.get("mlflow.runName"),
        "user": user,
        "status": STATES.get(status, status),
        "start_time": _written(info.get("start_time")),
        "end_time": _written(info.get("end_time")),
        "job_id": next((str(own[name]) for own in (tags, parameters) for name in JOB_IDS if own.get(name)), None),
        "configuration": hashlib.sha256(canonical.encode()).hexdigest()[:16] if parameters else None,
        "parameters": canonical,
        "metrics": json.dumps(metrics, sort_keys=True),
        "tags": json.dumps(tags, sort_keys=True),
        "problem": problem,
    }


def _written(value: Any) -> str | None:
    """Return a time as text: ms since 1970 as they are, what YAML read as a time in ISO."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return None if value in (None, "", 0, "0") else str(value)


def _rows(connection: Any, head: Head, runs: list[Run]) -> dict[str, str]:
    if not runs:
        raise InputError(f"{head.path} holds no run of MLflow", "name the folder of the store (mlruns)")
    stage_columns(connection, "raw", {name: [run.get(name) for run in runs] for name in COLUMNS})
    times = ("start_time", "end_time")
    columns = {name: instant(name) if name in times else f'"{name}"' for name in COLUMNS if name != "problem"}
    problems = [("problem IS NOT NULL", "problem")]
    problems += [(f"{name} IS NOT NULL AND {instant(name)} IS NULL", f"'{name} is no time'") for name in times]
    return {"runs": select_rows(datasets()["runs"], columns, problems)}


MLFLOW_STORE = Importer("MLflow file store", _in_store, _selects_store)
MLFLOW_JSON = Importer("MLflow runs/search", _in_json, _selects_json)
MLFLOW_CSV = Importer("MLflow runs CSV", _in_csv, _selects_csv)
