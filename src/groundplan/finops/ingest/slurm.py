"""Slurm's accounting: `sacct --parsable2` (or `--parsable`) with whatever columns it was asked for, and `sacct --json`.

Rows of steps are parts of their job and are left to it. Times without an offset are taken as UTC: run sacct with
`TZ=UTC`, or with `SLURM_TIME_FORMAT=%s`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from groundplan.errors import InputError
from groundplan.finops.ingest.head import Head
from groundplan.finops.ingest.hostlist import expand
from groundplan.finops.ingest.importer import Importer
from groundplan.finops.ingest.staging import instant, select_rows, stage_columns, stage_table
from groundplan.finops.lake.datasets import datasets
from groundplan.finops.lake.engine import literal, query_text, quoted

NEVER = ("Unknown", "None", "N/A")
TIMES = {"submit_time": "Submit", "start_time": "Start", "end_time": "End"}
TEXTS = {"cluster": "Cluster", "name": "JobName", "user": "User", "account": "Account", "partition": "Partition",
         "exit_code": "ExitCode"}  # fmt: skip
TRES = ("AllocTRES", "AllocGRES", "ReqTRES", "ReqGRES")  # the first that says anything counts
LABELS = {"qos": "QOS", "wckey": "WCKey", "reservation": "Reservation"}
HELD = ("RUNNING", "PENDING", "SUSPENDED", "COMPLETING", "CONFIGURING", "RESIZING")  # which have no end yet
MEND = "sacct --allusers --duplicates --parsable2 --format=ALL"
_PAIR = re.compile(r"([A-Za-z_][\w.-]*)=([^;,]*)")


def _recognises(head: Head) -> bool:
    return head.delimiter == "|" and head.has("JobID") and bool({"State", "Elapsed", "NodeList"} & head.columns.keys())


def _selects(connection: Any, head: Head) -> dict[str, str]:
    if not {"Submit", "Start"} & head.columns.keys():
        raise InputError(f"{head.path} has neither Submit nor Start: when did its jobs run?", f"export it with {MEND}")
    stage_table(connection, head)
    return {"jobs": job_rows(connection, head.columns)}


def job_rows(connection: Any, names: Iterable[str]) -> str:
    """Return the SELECT of jobs out of the table `raw`, whose columns are named as sacct names them, all text."""
    present = set(names)
    connection.execute(query_text("slurm_gpus"))
    _stage_jobs(connection, present)
    columns = {name: quoted(known) for name, known in TEXTS.items() if known in present}
    columns |= {"job_id": "job", "start_time": "started", "end_time": "ended", "state": "condition"}
    # The later runs of a requeued job share its Submit; each is a job of its own.
    columns["submit_time"] = "CASE WHEN attempt > 1 THEN coalesce(started, submitted) ELSE submitted END"
    problems = _problems(present)
    if "NodeList" in present:
        columns["nodes"] = _looked_up(connection, "NodeList", _nodes)
        problems.append((f"{columns['nodes']} = 'no'", "'NodeList ' || left(\"NodeList\", 40) || ' is no node list'"))
    if present & set(TRES):
        columns |= {"gpus": "gpus", "gpu_type": "gpu_type"}
    columns["labels"] = _labels(connection, present)
    return select_rows(datasets()["jobs"], columns, problems, source="raw_jobs")


def _stage_jobs(connection: Any, present: set[str]) -> None:
    """Make the table `raw_jobs`: rows of jobs, with their instants, and which of several records counts."""

    def at(known: str) -> str:
        return (
            f"CASE WHEN NOT {_never(known)} THEN {instant(known)} END"
            if known in present
            else "CAST(NULL AS TIMESTAMP)"
        )

    start, end = at("Start"), at("End")
    state = "split_part(\"State\", ' ', 1)" if "State" in present else "CAST(NULL AS VARCHAR)"  # CANCELLED by 1000
    if "Elapsed" in present or "ElapsedRaw" in present:
        seconds = 'try_cast("ElapsedRaw" AS DOUBLE)' if "ElapsedRaw" in present else 'slurm_seconds("Elapsed")'
        elapsed = f"to_microseconds(CAST({seconds} * 1e6 AS BIGINT))"
        over = f"coalesce({state} NOT IN ({', '.join(map(literal, HELD))}), TRUE)"
        start, end = (
            f"coalesce({start}, {end} - {elapsed})" if "Start" not in present else start,
            f"coalesce({end}, CASE WHEN {over} THEN {start} + {elapsed} END)",
        )
    job = 'coalesce(nullif("JobIDRaw", \'\'), "JobID")' if "JobIDRaw" in present else '"JobID"'  # which exporters know
    connection.execute(
        f"""CREATE OR REPLACE TEMP VIEW raw_cells AS SELECT *, trim("JobID") AS step, {job} AS job,
        {'"Cluster"' if "Cluster" in present else "NULL"} AS place,
        coalesce({at("Submit")}, {start}) AS submitted, {start} AS started, {end} AS ended, {state} AS condition,
        {_resources(present)} AS tres FROM raw"""
    )
    connection.execute(query_text("slurm_jobs"))


def _never(known: str) -> str:
    return f"{quoted(known)} IN ({', '.join(map(literal, NEVER))})"


def _problems(present: set[str]) -> list[tuple[str, str]]:
    problems = [("orphan", "'step ' || step || ' of a job that is not in the file'")]
    for known in TIMES.values():
        if known in present:
            unread = f"{quoted(known)} IS NOT NULL AND NOT {_never(known)} AND {instant(known)} IS NULL"
            problems.append((unread, f"{literal(known + ' ')} || left({quoted(known)}, 40) || ' is no time'"))
    problems.append(("ended < started", literal("End lies before Start")))
    problems.append(("record > 1", "'a later record of job ' || step || ' is in the same file'"))
    return problems


def _resources(present: set[str]) -> str:
    """Return the SQL of the text of what a job held; what was asked for counts where nothing else is told."""
    cells = [f"nullif({quoted(name)}, '')" for name in TRES if name in present]
    return f"coalesce({', '.join((*cells, literal('')))})"


def _labels(connection: Any, present: set[str]) -> str:
    pairs = [f"{literal(name)}, {quoted(known)}" for name, known in LABELS.items() if known in present]
    pairs.append("'array_job', nullif(regexp_extract(step, '^([0-9]+)_', 1), '')")
    pairs.append("'het_job', nullif(regexp_extract(step, '^([0-9]+)[+]', 1), '')")
    pairs.append("'shards', shards")
    merged = ["'{}'", f"json_object({', '.join(pairs)})"]  # merging leaves out what is NULL
    for name in ("AdminComment", "Comment"):
        if name in present:
            merged.append(f"coalesce({_looked_up(connection, name, _pairs)}, '{{}}')")
    return f"CAST(json_merge_patch({', '.join(merged)}) AS VARCHAR)"


def _looked_up(connection: Any, column: str, read: Callable[[str], str]) -> str:
    """Return the SQL of what `read` makes of a column: each distinct text is read once, in Python."""
    found = connection.execute(f"SELECT DISTINCT {quoted(column)} FROM raw_jobs").fetchall()
    texts = [row[0] for row in found if row[0] is not None]
    table = f"read_{column}"
    stage_columns(connection, table, {"written": texts, "value": [read(text) for text in texts]})
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
