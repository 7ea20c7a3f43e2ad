"""Files that are known, and known to hold no rows: each is refused with what it is and what to import instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from groundplan.errors import InputError
from groundplan.finops.ingest.head import Head
from groundplan.finops.ingest.importer import Importer


def _refused(name: str, recognises: Callable[[Head], bool], what: str, mend: str) -> Importer:
    def selects(connection: Any, head: Head) -> NoReturn:
        raise InputError(f"{head.path} {what}", mend)

    return Importer(name, recognises, selects)


def _first_line(head: Head) -> str:
    return next((line.strip() for line in head.start.splitlines() if line.strip()), "")


REFUSED = (
    _refused(
        "a summary of clusters",
        lambda head: head.has("id", "job_num", "avg_run_time_gpu"),
        "sums clusters up, one row each: it has no single job",
        "import the jobs themselves, such as the trace that was summed up",
    ),
    _refused(
        "a list of durations",
        lambda head: head.form == "text" and _first_line(head) == "duration",
        "holds durations alone: whose they are and when they ran is not told",
        "import a list of jobs with an id and a time of submission",
    ),
    _refused(
        "a list of DCGM fields",
        lambda head: head.form == "text" and "DCGM FIELD, Prometheus metric type" in head.start,
        "tells dcgm-exporter which fields to export: it has no samples",
        "import what was scraped: the answer of /api/v1/query_range, or a table of samples",
    ),
    _refused(
        "sacct in columns",
        lambda head: head.form == "text" and _first_line(head).startswith("JobID"),
        "was printed by sacct for the eye, which cuts cells off",
        "sacct --allusers --duplicates --parsable2 --format=ALL",
    ),
    _refused(
        "nvidia-smi for the eye",
        lambda head: head.form == "text" and "NVIDIA-SMI" in head.start[:2000],
        "was printed by nvidia-smi for the eye",
        "nvidia-smi --query-gpu=timestamp,index,uuid,name,utilization.gpu,memory.used,power.draw --format=csv -l 30",
    ),
)
