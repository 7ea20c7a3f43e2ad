"""Published traces of clusters: pods and jobs to `jobs`, lists of machines to `nodes`.

Their times are seconds from a start that they keep to themselves, which is put at 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundplan.finops.ingest.head import Head
from groundplan.finops.ingest.importer import Importer
from groundplan.finops.ingest.staging import select_rows, stage_table
from groundplan.finops.lake.datasets import datasets
from groundplan.finops.lake.engine import literal, quoted

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Trace:
    """One form of trace: the columns by which it is known, and what they are in a dataset.

    `columns` are SQL over the cells; `numbers` are the columns whose cells must be numbers or empty; of `ordered`
    instants none may lie before the one to its left.
    """

    name: str
    marks: tuple[str, ...]
    dataset: str
    columns: Mapping[str, str]
    numbers: tuple[str, ...]
    ordered: tuple[str, ...] = ()

    def recognises(self, head: Head) -> bool:
        """Say whether a file is of this form."""
        return head.has(*self.marks)

    def selects(self, connection: Any, head: Head) -> dict[str, str]:
        """Return the SELECT of the dataset."""
        stage_table(connection, head)
        problems = [
            (
                f"{quoted(name)} IS NOT NULL AND {_number(name)} IS NULL",
                f"{literal(name + ' ')} || left(CAST({quoted(name)} AS VARCHAR), 40) || ' is no number'",
            )
            for name in self.numbers
        ]
        problems += [(f"{_number(name)} < 0", literal(f"{name} is negative")) for name in self.numbers]
        for before, after in zip(self.ordered, self.ordered[1:], strict=False):
            problems.append((f"{_number(after)} < {_number(before)}", literal(f"{after} lies before {before}")))
        return {self.dataset: select_rows(datasets()[self.dataset], self.columns, problems)}


def _number(name: str) -> str:
    return f"try_cast(CAST({quoted(name)} AS VARCHAR) AS DOUBLE)"


def _second(name: str) -> str:
    return f"make_timestamp(CAST(round({_number(name)} * 1e6) AS BIGINT))"


def _labels(**named: str) -> str:
    """Return the SQL of labels; those that are empty are left out."""
    pairs = ", ".join(f"{literal(label)}, {quoted(name)}" for label, name in named.items())
    return f"CAST(json_merge_patch('{{}}', json_object({pairs})) AS VARCHAR)"


PODS = Trace(
    "Alibaba GPU pods",
    ("name", "num_gpu", "gpu_milli", "pod_phase", "creation_time", "deletion_time", "scheduled_time"),
    "jobs",
    {
        "cluster": "'openb'",
        "job_id": "name",
        "name": "name",
        "state": "pod_phase",
        "submit_time": _second("creation_time"),
        "start_time": _second("scheduled_time"),
        "end_time": _second("deletion_time"),
        "gpus": f"{_number('num_gpu')} * {_number('gpu_milli')} / 1000",
        "gpu_type": "CASE WHEN NOT contains(gpu_spec, '|') THEN gpu_spec END",  # else those that would do
        "labels": _labels(qos="qos", gpu_spec="gpu_spec"),
    },
    ("num_gpu", "gpu_milli", "creation_time", "deletion_time", "scheduled_time"),
    ("creation_time", "scheduled_time", "deletion_time"),
)
NODES = Trace(
    "Alibaba GPU nodes",
    ("sn", "cpu_milli", "memory_mib", "gpu", "model"),
    "nodes",
    {
        "node": "sn",
        "gpu_type": "model",
        "gpus": _number("gpu"),
        "cpus": f"{_number('cpu_milli')} / 1000",
        "memory_bytes": f"{_number('memory_mib')} * {MIB}",
    },
    ("cpu_milli", "memory_mib", "gpu"),
)
SPOT_NODES = Trace(
    "Alibaba spot nodes",
    ("gpu_model", "gpu_capacity_num", "cpu_num", "node_name"),
    "nodes",
    {
        "node": "CAST(node_name AS VARCHAR)",
        "gpu_type": "gpu_model",
        "gpus": _number("gpu_capacity_num"),
        "cpus": _number("cpu_num"),
    },
    ("gpu_capacity_num", "cpu_num"),
)
GAVEL = Trace(
    "Gavel jobs",
    ("vc", "synthetic_job_type", "total_steps", "arrival_s", "num_gpus"),
    "jobs",
    {
        "cluster": "'philly'",
        # They have no id: one by one as they came, those that came together by what they are.
        "job_id": "vc || '-' || row_number() OVER (PARTITION BY vc ORDER BY arrival_s, raw)",
        "name": "synthetic_job_type",
        "account": "vc",
        "state": "'PENDING'",  # when they were run is not told
        "submit_time": _second("arrival_s"),
        "gpus": _number("num_gpus"),
        "labels": _labels(total_steps="total_steps"),
    },
    ("total_steps", "arrival_s", "num_gpus"),
)
TIRESIAS = Trace(
    "Tiresias jobs",
    ("job_id", "num_gpu", "submit_time", "iterations", "model_name", "duration"),
    "jobs",
    {
        "cluster": "'tiresias'",
        "job_id": "job_id",
        "name": "model_name",
        "state": "'PENDING'",
        "submit_time": _second("submit_time"),
        "gpus": _number("num_gpu"),
        "labels": _labels(model="model_name", iterations="iterations", duration_s="duration"),
    },
    ("num_gpu", "submit_time", "iterations", "duration"),
)
TRACES = tuple(
    Importer(trace.name, trace.recognises, trace.selects) for trace in (PODS, NODES, SPOT_NODES, GAVEL, TIRESIAS)
)
