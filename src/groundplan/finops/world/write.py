"""Write a world: the files that its tools would have exported, and the truth beside them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import tempfile
from collections.abc import Iterable
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from groundplan.errors import InputError
from groundplan.finops.lake.engine import connect, literal
from groundplan.finops.world.activity import Activity
from groundplan.finops.world.bill import COLUMNS, Charge, charges_of
from groundplan.finops.world.fleet import GPUS_PER_NODE, NODE_TYPES, START, Node, WorldSize, nodes_of, teams_of
from groundplan.finops.world.shifts import shifts_of
from groundplan.finops.world.truth import Ledger, truth_of
from groundplan.finops.world.work import Job, gpus_of, jobs_of

SACCT = ("Cluster", "JobID", "JobName", "User", "Account", "Partition", "State", "ExitCode", "Submit", "Start", "End",
         "NNodes", "AllocTRES", "NodeList", "Comment")  # fmt: skip
PRICE_LIST = ("InstanceType", "AcceleratorName", "AcceleratorCount", "vCPUs", "MemoryGiB", "GpuInfo", "Price",
              "SpotPrice", "Region", "AvailabilityZone")  # fmt: skip
TRUTH = "truth.json"


def write_world(size: WorldSize, out: Path) -> dict[str, Any]:
    """Write the bill, jobs, telemetry, prices and truth of a world into a new folder; return the truth.

    The folder appears whole or not at all. The same size and seed give the same bytes.

    Raises
    ------
    InputError
        The folder exists and is not empty, or its parent does not exist.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is not empty", "name a new folder")
    if not out.parent.is_dir():
        raise InputError(f"{out} cannot be made: there is no folder {out.parent}", "make it first")
    nodes, teams = nodes_of(size), teams_of(size)
    shifts = shifts_of(size, nodes, teams)
    jobs = jobs_of(size, nodes, teams)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        ledger = write_bill(partial / "bill", charges_of(size, nodes, teams, shifts))
        _write_jobs(partial / "jobs", nodes, jobs)
        _write_telemetry(partial / "telemetry", Activity(size, nodes, jobs))
        _write_prices(partial / "prices")
        truth = truth_of(size, nodes, jobs, shifts, ledger)
        (partial / TRUTH).write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
        if out.exists():
            out.rmdir()
        partial.chmod(0o755)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return truth


def write_bill(folder: Path, charges: Iterable[Charge]) -> Ledger:
    """Write one CSV a month; return what the charges add up to."""
    folder.mkdir()
    ledger = Ledger()
    for month, of_month in groupby(charges, lambda charge: str(charge.cells["BillingPeriodStart"])[:7]):
        # Neither name nor time inside, so that equal content is equal bytes.
        with (
            (folder / f"focus-{month}.csv.gz").open("wb") as raw,
            gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0, compresslevel=6) as packed,
            io.TextIOWrapper(packed, encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for charge in of_month:
                writer.writerow(charge.row())
                ledger.add_charge(charge.owner, charge.effective)
    return ledger


def _write_jobs(folder: Path, nodes: tuple[Node, ...], jobs: list[Job]) -> None:
    folder.mkdir()
    lines = ["|".join(SACCT)]
    for job in jobs:
        sliced = nodes[job.places[0][0]].sliced
        count = sum(len(slots) for _, slots in job.places)
        gpus = sum(gpus_of(job, nodes, node, slots) for node, slots in job.places)
        kind = nodes[job.places[0][0]].kind.gpu.split()[1].split("-")[0].lower()
        tres = f"gres/gpu:{kind}_1g.5gb={count}" if sliced else f"gres/gpu={count},gres/gpu:{kind}={count}"
        running = job.outcome == "RUNNING"
        project = f"{job.team.name}-train" if job.team else ""
        cells = (
            "world", str(job.job_id), f"{job.model}-{job.experiment}", job.user, job.team.name if job.team else "",
            "mig" if sliced else "gpu", job.outcome, "0:0" if job.outcome in ("COMPLETED", "RUNNING") else "1:0",
            _at(job.submit), _at(job.start), "Unknown" if running else _at(job.end), str(len(job.places)),
            f"billing={max(1, round(gpus))},cpu={max(1, round(gpus * 12))},{tres},node={len(job.places)}",
            _hostlist([nodes[node].name for node, _ in job.places]),
            f"project={project};experiment={job.experiment};model={job.model}",
        )  # fmt: skip
        lines.append("|".join(cells))
    (folder / "sacct.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _hostlist(names: list[str]) -> str:
    """Return node names as Slurm prints them."""
    if len(names) == 1:
        return names[0]
    return f"gpu-[{','.join(name.removeprefix('gpu-') for name in sorted(names))}]"


def _at(second: int) -> str:
    return (START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S")


def _write_telemetry(folder: Path, activity: Activity) -> None:
    """Write one Parquet file a day."""
    folder.mkdir()
    connection = connect()
    connection.execute("SET threads = 1")  # equal bytes
    connection.execute("SET preserve_insertion_order = true")
    connection.register("names", activity.slots())
    connection.execute("CREATE TABLE slots AS SELECT * FROM names")
    for number, samples in enumerate(activity.days()):
        day = START + timedelta(days=number)
        metrics = ", ".join(f's."{name}"' for name in samples if name.startswith("DCGM"))
        target = folder / f"dcgm-{day:%Y-%m-%d}.parquet"
        connection.execute(f"""
            COPY (SELECT s.timestamp, Hostname, gpu, UUID, modelName,
                         CASE WHEN s.job > 0 THEN CAST(s.job AS VARCHAR) ELSE '' END AS hpc_job,
                         GPU_I_ID, GPU_I_PROFILE, {metrics}
                  FROM samples s JOIN slots USING (slot) ORDER BY s.timestamp, slot)
            TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd)""")


def _write_prices(folder: Path) -> None:
    """Write a price list in the shape of SkyPilot's catalog."""
    folder.mkdir()
    with (folder / "aws.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(PRICE_LIST)
        for kind in NODE_TYPES:
            name = kind.gpu.split()[1].split("-")[0]
            for zone in ("us-east-1a", "us-east-1b"):
                writer.writerow((kind.name, name, GPUS_PER_NODE, kind.vcpus, kind.memory_gib, "",
                                 kind.on_demand_usd_per_hour, kind.spot_usd_per_hour, "us-east-1", zone))  # fmt: skip
