"""`sacct --json`, in the shapes of Slurm 21 to 25: its jobs, renamed as `sacct --parsable2` names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplan.errors import InputError
from groundplan.finops.ingest.head import Head, document
from groundplan.finops.ingest.importer import Importer
from groundplan.finops.ingest.slurm import job_rows
from groundplan.finops.ingest.staging import stage_columns

COLUMNS = ("Cluster", "JobID", "JobIDRaw", "JobName", "User", "Account", "Partition", "State", "ExitCode", "Submit",
           "Start", "End", "AllocTRES", "ReqTRES", "NodeList", "Comment", "AdminComment", "QOS", "WCKey",
           "Reservation")  # fmt: skip


def _recognises(head: Head) -> bool:
    return head.form == "json" and '"jobs"' in head.start and ('"association"' in head.start or '"tres"' in head.start)


def _selects(connection: Any, head: Head) -> dict[str, str]:
    jobs = document(head).get("jobs")
    if not isinstance(jobs, list):
        raise InputError(f"{head.path} has no list of jobs", "export it again with sacct --json")
    cells = [_cells(job) if isinstance(job, dict) else {} for job in jobs]
    stage_columns(connection, "raw", {name: [row.get(name) for row in cells] for name in COLUMNS})
    return {"jobs": job_rows(connection, COLUMNS)}


def _cells(job: Mapping[str, Any]) -> dict[str, Any]:
    association, time = _mapping(job, "association"), _mapping(job, "time")
    comment, tres = job.get("comment"), _mapping(job, "tres")
    comments = comment if isinstance(comment, dict) else {"job": comment}
    wckey, reservation = job.get("wckey"), _mapping(job, "reservation").get("name")
    return {
        "Cluster": job.get("cluster") or association.get("cluster"),
        "JobID": _shown(job),
        "JobIDRaw": number(job.get("job_id")),
        "JobName": job.get("name"),
        "User": job.get("user") or association.get("user"),
        "Account": job.get("account") or association.get("account"),
        "Partition": job.get("partition"),
        "State": _word(_mapping(job, "state").get("current")),
        "ExitCode": _exit_code(_mapping(job, "exit_code")),
        "Submit": _instant(time.get("submission")),
        "Start": _instant(time.get("start")),
        "End": _instant(time.get("end")),
        "AllocTRES": _tres(tres.get("allocated")),
        "ReqTRES": _tres(tres.get("requested")),
        "NodeList": job.get("nodes"),
        "Comment": comments.get("job"),
        "AdminComment": comments.get("administrator"),
        "QOS": job.get("qos"),
        "WCKey": wckey.get("wckey") if isinstance(wckey, dict) else wckey,
        "Reservation": None if reservation in (0, "0") else reservation,  # which 22.05 writes for none
    }


def number(value: Any) -> int | None:
    """Return a number, which newer versions wrap.

    >>> number(4), number({"set": True, "infinite": False, "number": 4}), number({"set": False, "number": 4})
    (4, 4, None)
    """
    if isinstance(value, dict):
        value = value.get("number") if value.get("set") and not value.get("infinite") else None
    return int(value) if isinstance(value, (int, float)) else None


def _mapping(job: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = job.get(name)
    return found if isinstance(found, dict) else {}


def _instant(value: Any) -> int | None:
    """Return seconds since 1970; Slurm writes 0 for never."""
    return number(value) or None


def _word(value: Any) -> str | None:
    """Return a state, which newer versions put into a list with its flags."""
    if isinstance(value, list):
        value = value[0] if value else None
    return None if value is None else str(value)


def _exit_code(found: Mapping[str, Any]) -> str | None:
    code = number(found.get("return_code"))
    signal = _mapping(found, "signal")
    raised = number(signal.get("id", signal.get("signal_id")))
    return None if code is None else f"{code}:{raised or 0}"


def _shown(job: Mapping[str, Any]) -> str | None:
    """Return the id as sacct shows it: 12_3 in an array, 12+1 in a heterogeneous job."""
    own = number(job.get("job_id"))
    array, het = _mapping(job, "array"), _mapping(job, "het")
    first, task = number(array.get("job_id")), number(array.get("task_id", array.get("task")))
    if first and task is not None:
        return f"{first}_{task}"
    leader, offset = number(het.get("job_id")), number(het.get("job_offset"))
    if leader and offset is not None:
        return f"{leader}+{offset}"
    return None if own is None else str(own)


def _tres(listed: Any) -> str | None:
    """Return resources as sacct prints them: gres/gpu=4,gres/gpu:a100=4."""
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    named = ((f"{row.get('type')}/{row['name']}" if row.get("name") else row.get("type"), row) for row in rows)
    return ",".join(f"{name}={number(row.get('count')) or 0}" for name, row in named) or None


SLURM_JSON = Importer("Slurm sacct --json", _recognises, _selects)
