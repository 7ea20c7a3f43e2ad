"""Published traces become jobs and nodes; files that hold no rows are refused in words; the real samples come in."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

import pytest

from groundplan.errors import InputError
from groundplan.finops.lake.engine import rows
from groundplan.finops.lake.lake import Lake
from groundplan.tasks.finops.lake import import_files

SAMPLES = Path(__file__).parents[3] / "shared/samples"
REFUSED = {
    "jobs/acme_cluster_summary.csv": "no single job",
    "jobs/tiresias_yarn_gput10000.csv": "durations alone",
    "telemetry/dcgm_exporter_dcp_metrics_included.csv": "which fields to export",
    "telemetry/dcgm_exporter_default_counters.csv": "which fields to export",
}
needs_samples = pytest.mark.skipif(not (SAMPLES / "jobs").exists(), reason="the sample files are not here")


def test_pods_of_a_trace(tmp_path: Path) -> None:
    header = (
        "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time"
    )
    lines = [
        "half,1000,1,1,460,,LS,Succeeded,0,100,10",
        "any-of,1000,1,2,1000,V100M16|V100M32,LS,Running,5,100,10",
        "waits,1000,1,1,1000,T4,BE,Pending,7,,",
        "backwards,1000,1,1,1000,T4,BE,Failed,7,5,6",
        "many,1000,1,several,1000,T4,BE,Failed,7,9,8",
    ]
    path, lake = tmp_path / "pods.csv", str(tmp_path / "lake")
    path.write_text("\n".join((header, *lines)) + "\n")
    report = import_files(lake, [path])
    assert (report.kept, report.quarantined) == (3, 2)
    assert set(report.files[0].problems) == {"num_gpu several is no number", "scheduled_time lies before creation_time"}
    found = {row["job_id"]: row for row in rows(Lake(lake).connect(), "SELECT * FROM jobs")}
    assert (found["half"]["gpus"], found["half"]["start_time"]) == (0.46, datetime(1970, 1, 1, 0, 0, 10))
    assert (found["any-of"]["gpus"], found["any-of"]["gpu_type"]) == (2, None)
    assert (found["waits"]["gpu_type"], found["waits"]["start_time"]) == ("T4", None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("JobID        JobName  State\n------- ------\n1  a  COMPLETED\n", "parsable2"),
        ("+----------+\n| NVIDIA-SMI 550 |\n+-------+\n", "query-gpu"),
        ("duration\n121\n", "durations alone"),
    ],
)
def test_text_for_the_eye_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "text.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        import_files(str(tmp_path / "lake"), [path])


@needs_samples
def test_every_row_of_every_sample_of_jobs_and_telemetry_is_kept(tmp_path: Path) -> None:
    files = sorted(path for kind in ("jobs", "telemetry") for path in (SAMPLES / kind).iterdir())
    data = [path for path in files if path.suffix in (".csv", ".parquet")]
    report = import_files(str(tmp_path / "lake"), data)
    for done in report.files:
        if done.file.endswith(".csv"):
            with open(done.file, newline="") as file:
                assert done.read == len(list(csv.DictReader(file))), done.file
        assert (done.kept + done.already, done.quarantined) == (done.read, 0), done.file
    refused = {Path(row.file).relative_to(SAMPLES).as_posix(): row.what for row in report.refused}
    assert refused.keys() == REFUSED.keys()
    assert all(REFUSED[name] in words for name, words in refused.items())
    lake = Lake(str(tmp_path / "lake")).connect()
    told = rows(lake, "SELECT count(*) AS n, sum(gpus) AS gpus FROM nodes WHERE starts_with(node, 'openb')")
    assert told == [{"n": 1523, "gpus": 6212}]  # as the trace's own pages count them
