"""A real Prometheus scrapes exporters that play DCGM and vLLM, and what it answers is imported."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from groundplan.finops.lake.engine import rows
from groundplan.finops.lake.lake import Lake
from groundplan.tasks.finops.lake import import_files

PROMETHEUS = shutil.which("prometheus")
pytestmark = pytest.mark.skipif(
    PROMETHEUS is None or "CI" in os.environ, reason="needs Debian's prometheus, and is not for CI"
)
LABELS = 'gpu="0",UUID="GPU-a",modelName="NVIDIA A100",Hostname="dcgm-exporter-1",namespace="vision",pod="train-0"'
SAMPLES = 5


def scraped(scrape: int) -> str:
    """Return what the exporter shows at its nth scrape: 10 requests more each time, from 0 again after the third."""
    requests = 10 * (scrape % 3)
    return (
        f"DCGM_FI_DEV_GPU_UTIL{{{LABELS}}} 50\n"
        f"DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{LABELS}}} NaN\n"
        f"DCGM_FI_DEV_FB_USED{{{LABELS}}} 1024\n"
        f'vllm:request_success_total{{model_name="llama",finished_reason="stop"}} {requests}\n'
        f'vllm:generation_tokens_total{{model_name="llama"}} {100 * requests}\n'
    )


@pytest.fixture
def exporter() -> Iterator[int]:
    """Serve the exporter on loopback; return its port."""
    scrapes = itertools.count()

    class Exporter(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(scraped(next(scrapes)).encode())

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def prometheus(tmp_path: Path, exporter: int) -> Iterator[str]:
    """Run Prometheus on loopback, scraping the exporter every second; return its address."""
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: gpus\n  static_configs:\n"
        f"  - targets: ['127.0.0.1:{exporter}']\n    labels: {{node: gpu-1, pod: dcgm-exporter-1, service: chat}}\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [str(PROMETHEUS), f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/tsdb",
               f"--web.listen-address={address}"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield f"http://{address}"
        process.terminate()


def asked(address: str, query: str) -> bytes:
    """Return the answer for the last minute, once it holds enough samples."""
    for _ in range(60):
        time.sleep(0.5)
        end = time.time()
        wanted = urlencode({"query": query, "start": end - 60, "end": end, "step": 1})
        try:
            with urlopen(f"{address}/api/v1/query_range?{wanted}", timeout=5) as answer:
                content: bytes = answer.read()
        except (URLError, OSError):
            continue
        if content.count(b"],[") >= SAMPLES * 2:
            return content
    raise AssertionError("Prometheus gave no samples in 30 s")


def test_what_prometheus_answers_is_imported(tmp_path: Path, prometheus: str) -> None:
    for name in ("DCGM_FI_.*", "vllm:.*"):
        path = tmp_path / f"{name[:4]}.json"
        path.write_bytes(asked(prometheus, f'{{__name__=~"{name}"}}'))
        import_files(str(tmp_path / "lake"), [path])
    lake = Lake(str(tmp_path / "lake"))
    connection = lake.connect()
    samples = rows(connection, "SELECT * FROM telemetry")
    assert len(samples) >= 2
    for row in samples:
        assert (row["node"], row["gpu"], row["job_id"], row["model"]) == ("gpu-1", "0", "vision/train-0", "NVIDIA A100")
        assert (row["gpu_util"], row["memory_used_bytes"], row["engine_active"]) == (0.5, 2**30, None)
    assert all("NaN" in row["problem"] for row in lake.quarantine()) and len(lake.quarantine()) >= 2
    counted = rows(connection, "SELECT * FROM counters ORDER BY time")
    assert {(row["service"], row["model"]) for row in counted} == {("chat", "llama")}
    for row in counted:  # never less than nothing, though the counter began again
        assert row["requests"] >= 0 and row["output_tokens"] == 100 * row["requests"]
    assert sum(row["requests"] for row in counted) > 0
