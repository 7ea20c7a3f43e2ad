"""What Prometheus kept: of GPUs and hosts (dcgm-exporter, node-exporter), pods (kube-state-metrics) and vLLM.

A file may hold one metric or many; rows that several files hold a few columns of each are put together in the lake.
Metrics without a place in a dataset are left out, as stray columns of a table are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from groundplan.errors import InputError
from groundplan.finops.ingest.dcgm import FIELDS, sample_rows
from groundplan.finops.ingest.head import Head
from groundplan.finops.ingest.importer import Importer
from groundplan.finops.ingest.prometheus_series import QUERY, Series, read_series, stage_series
from groundplan.finops.ingest.staging import select_rows
from groundplan.finops.lake.datasets import datasets
from groundplan.finops.lake.engine import literal, query_text, quoted

NODES = ("node", "kubernetes_node", "Hostname", "nodename", "instance")
EXPORTERS = re.compile(r"(dcgm|gpu|node|nvidia)[a-z-]*-exporter")
SERVICES = ("service", "app", "deployment", "job", "pod", "instance")
BAD = [("problem IS NOT NULL", "problem")]


def _recognises(head: Head) -> bool:
    return head.form == "json" and ('"resultType"' in head.start or '"errorType"' in head.start)


def _selects(connection: Any, head: Head) -> dict[str, str]:
    found: dict[str, list[Series]] = {}
    others = set()
    for one in read_series(head):
        kind = next((prefix for prefix in KINDS if one.metric.startswith(prefix)), None)
        if kind:
            found.setdefault(kind, []).append(one)
        else:
            others.add(one.metric)
    selects: dict[str, str] = {}
    for number, (kind, series) in enumerate(found.items()):
        dataset, select = KINDS[kind](connection, series)
        # Each kind makes `raw` anew; its rows must outlast the next one's.
        connection.execute(f"CREATE OR REPLACE TEMP TABLE prom_rows_{number} AS {select}")
        if connection.execute(f"SELECT count(*) FROM prom_rows_{number}").fetchone()[0]:
            selects[dataset] = f"SELECT * FROM prom_rows_{number}"
    if not selects:
        names = ", ".join(sorted(others | {one.metric for series in found.values() for one in series})[:4])
        raise InputError(f"{head.path} makes no row of any dataset; it holds {names}", f"ask for more: {QUERY}")
    return selects


def _telemetry(connection: Any, series: list[Series]) -> tuple[str, str]:
    exported = any(one.label("exported_pod") for one in series)
    columns = {
        "Hostname": [_node(one) for one in series],
        "gpu": [one.label("gpu", "GPU", "device") for one in series],
        "UUID": [one.label("UUID", "uuid") for one in series],
        "modelName": [one.label("modelName") for one in series],
        "hpc_job": [one.label("hpc_job") or _pod(one, exported) for one in series],
        "GPU_I_PROFILE": [one.label("GPU_I_PROFILE") for one in series],
        "GPU_I_ID": [one.label("GPU_I_ID") for one in series],
    }
    stage_series(connection, series, columns)
    known = {field for fields, _ in FIELDS.values() for field in fields}
    present = sorted(known & {one.metric for one in series})
    if not present:
        return "telemetry", f"SELECT * FROM ({_nothing('telemetry')})"
    connection.execute(query_text("prom_telemetry").replace("{metrics}", ", ".join(map(literal, present))))
    sources = {"timestamp": "TIMESTAMP"} | dict.fromkeys(columns, "VARCHAR") | dict.fromkeys(present, "DOUBLE")
    return "telemetry", sample_rows(sources, BAD)


def _hosts(connection: Any, series: list[Series]) -> tuple[str, str]:
    columns = {"node": [_node(one) for one in series]}
    columns |= {name: [one.label(name) for one in series] for name in ("cpu", "mode", "device")}
    return "hosts", _counted(connection, series, columns, "hosts", "prom_hosts")


def _counters(connection: Any, series: list[Series]) -> tuple[str, str]:
    columns = {
        "service": [one.label(*SERVICES) for one in series],
        "node": [_node(one) for one in series],
        "model": [one.label("model_name", "model") for one in series],
    }
    return "counters", _counted(connection, series, columns, "counters", "prom_counters")


def _counted(connection: Any, series: list[Series], columns: dict[str, list[Any]], dataset: str, query: str) -> str:
    stage_series(connection, series, columns)
    connection.execute(query_text("prom_counted"))
    connection.execute(query_text(query))
    return _same_names(dataset)


def _jobs(connection: Any, series: list[Series]) -> tuple[str, str]:
    columns = {name: [one.label(name) for one in series] for name in ("container", "resource", "phase", "node")}
    for name in ("namespace", "pod"):
        columns[name] = [one.label(f"exported_{name}", name) for one in series]
    columns["labels"] = [_labels(one) for one in series]
    columns["owner"] = [one.label("owner_name") if one.metric == "kube_pod_owner" else None for one in series]
    stage_series(connection, series, columns)
    connection.execute(query_text("prom_pods"))
    cells = {
        "job_id": "job",
        "name": "coalesce(owner, pod)",
        "account": "namespace",
        "state": "phase",
        "submit_time": "submitted",
        "start_time": "started",
        "end_time": "ended",
        "nodes": "CASE WHEN node IS NULL THEN '[]' ELSE CAST(json_array(node) AS VARCHAR) END",
        "gpus": "gpus",
        "labels": "CAST(json_merge_patch(json_object('namespace', namespace), coalesce(labels, '{}')) AS VARCHAR)",
    }
    unknown = literal("when the pod was made is not in the file: ask for kube_pod_created too, in one query")
    problems = [*BAD, ("submitted IS NULL", unknown), ("ended < started", literal("the pod ends before it starts"))]
    return "jobs", select_rows(datasets()["jobs"], cells, problems)


def _same_names(dataset: str) -> str:
    columns = {name: quoted(name) for name in datasets()[dataset].columns}
    return select_rows(datasets()[dataset], columns, BAD)


def _nothing(dataset: str) -> str:
    columns = ", ".join(f"NULL AS {quoted(name)}" for name in datasets()[dataset].columns)
    return f"SELECT {columns} WHERE FALSE"


def _node(one: Series) -> str | None:
    """Return the machine; an exporter that runs in a pod takes its own name for it, unless told better."""
    for name in NODES:
        found = one.labels.get(name)
        if found and not EXPORTERS.search(found):
            return re.sub(r":\d+$", "", found) if name == "instance" else found
    return None


def _pod(one: Series, exported: bool) -> str | None:
    """Return the pod that holds an accelerator. Where Prometheus renames it, `pod` is the exporter's own."""
    pod = one.labels.get("exported_pod" if exported else "pod")
    namespace = one.label("exported_namespace", "namespace")
    return f"{namespace}/{pod}" if namespace and pod and not EXPORTERS.search(pod) else None


def _labels(one: Series) -> str | None:
    if one.metric != "kube_pod_labels":
        return None
    return json.dumps({name.removeprefix("label_"): text for name, text in one.labels.items() if name[:6] == "label_"})


KINDS: dict[str, Callable[[Any, list[Series]], tuple[str, str]]] = {
    "DCGM_FI_": _telemetry,
    "node_": _hosts,
    "kube_pod_": _jobs,
    "vllm:": _counters,
}
PROMETHEUS = Importer("Prometheus", _recognises, _selects, partial=True)
