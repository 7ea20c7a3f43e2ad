"""Slurm's accounting: `sacct --parsable2` (and `--parsable`), with whatever columns it was asked for.

Rows of steps are parts of their job and are left to it. Times are taken as UTC: run sacct with `TZ=UTC`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from groundplan.finops.ingest.head import Head
from groundplan.finops.ingest.hostlist import expand
from groundplan.finops.ingest.importer import Importer
from groundplan.finops.ingest.staging import cell, select_rows, stage_table, unreadable
from groundplan.finops.lake.datasets import datasets
from groundplan.finops.lake.engine import literal, query_text, quoted

NEVER = ("Unknown", "None", "N/A")
TIMES = {"submit_time": "Submit", "start_time": "Start", "end_time": "End"}
TEXTS = {"cluster": "Cluster", "name": "JobName", "user": "User", "account": "Account", "partition": "Partition",
         "exit_code": "ExitCode"}  # fmt: skip
TRES = ("AllocTRES", "ReqTRES", "AllocGRES", "ReqGRES")
LABELS = {"qos": "QOS", "wckey": "WCKey"}
_PAIR = re.compile(r"([A-Za-z_][\w.-]*)=([^;,]*)")


def _recognises(head: Head) -> bool:
    return head.delimiter == "|" and head.has("JobID") and bool({"State", "Elapsed", "NodeList"} & head.columns.keys())


def _selects(connection: Any, head: Head) -> dict[str, str]:
    stage_table(connection, head)
    jobs = datasets()["jobs"]
    connection.execute("CREATE OR REPLACE TEMP VIEW raw_jobs AS SELECT * FROM raw WHERE \"JobID\" NOT LIKE '%.%'")
    columns = {name: quoted(known) for name, known in TEXTS.items() if known in head.columns}
    columns["job_id"] = '"JobID"'
    problems: list[tuple[str, str]] = []
    for name, known in TIMES.items():
        if known in head.columns:
            never = ", ".join(map(literal, NEVER))
            columns[name] = f"CASE WHEN {quoted(known)} NOT IN ({never}) THEN {cell(known, 'time')} END"
            condition, reason = unreadable(known, "time")
            problems.append((f"{quoted(known)} NOT IN ({never}) AND {condition}", reason))
    if "Submit" not in head.columns:
        columns["submit_time"] = columns.get("start_time", "NULL")
    if {"start_time", "end_time"} <= columns.keys():
        problems.append((f"{columns['end_time']} < {columns['start_time']}", literal("End lies before Start")))
    if "State" in head.columns:
        columns["state"] = "split_part(\"State\", ' ', 1)"  # CANCELLED by 1000
    if "NodeList" in head.columns:
        columns["nodes"] = _looked_up(connection, "NodeList", _nodes)
        problems.append((f"{columns['nodes']} = 'no'", "'NodeList ' || left(\"NodeList\", 40) || ' is no node list'"))
    resources = [quoted(name) for name in TRES if name in head.columns]
    if resources:
        connection.execute(query_text("slurm_gpus"))
        columns["gpus"] = f"slurm_gpus(coalesce({', '.join(resources)}, ''))"
        columns["gpu_type"] = f"slurm_gpu_type(coalesce({', '.join(resources)}, ''))"
    columns["labels"] = _labels(connection, head)
    return {"jobs": select_rows(jobs, columns, problems, source="raw_jobs")}


def _labels(connection: Any, head: Head) -> str:
    pairs = [f"{literal(name)}, {quoted(known)}" for name, known in LABELS.items() if known in head.columns]
    comment = next((name for name in ("Comment", "AdminComment") if name in head.columns), None)
    fixed = f"json_object({', '.join(pairs)})" if pairs else "'{}'"
    if comment is None:
        return f"CAST({fixed} AS VARCHAR)"
    return f"CAST(json_merge_patch({fixed}, {_looked_up(connection, comment, _pairs)}) AS VARCHAR)"


def _looked_up(connection: Any, column: str, read: Callable[[str], str]) -> str:
    """Return the SQL of what `read` makes of a column: each distinct text is read once, in Python."""
    found = [row[0] for row in connection.execute(f"SELECT DISTINCT {quoted(column)} FROM raw_jobs").fetchall()]
    texts = [text for text in found if text is not None]
    table = f"read_{column}"
    columns = {
        "written": np.array(texts, dtype=object),
        "value": np.array([read(text) for text in texts], dtype=object),
    }
    if texts:
        connection.register("looked_up", columns)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(table)} AS SELECT * FROM looked_up")
        connection.unregister("looked_up")
    else:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(table)} (written VARCHAR, value VARCHAR)")
    return f"(SELECT value FROM {quoted(table)} AS known WHERE known.written = raw.{quoted(column)})"


def _nodes(text: str) -> str:
    try:
        return json.dumps(expand(text))
    except ValueError:
        return "no"


def _pairs(text: str) -> str:
    """Return what a comment says as ``key=value`` pairs, or the comment itself."""
    pairs = {key: value.strip() for key, value in _PAIR.findall(text) if value.strip()}
    return json.dumps(pairs or {"comment": text})


SLURM = Importer("Slurm sacct", _recognises, _selects)
