"""How many requests a second a server of two workers answers, and how fast, with wrk on loopback.

    python benchmarks/web.py [SECONDS]

Needs wrk (Debian's package). `varied` asks 1,000 different memory questions in turn, `same` one again and again, as a
shared link does; `page` is the part of a page that is swapped while one types. Prints what wrk says of 50
connections, and the memory of the workers before and after.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PORT = 8719
ADDRESS = f"http://127.0.0.1:{PORT}"
VARIED = """
local number = 0
request = function()
  number = number + 1
  return wrk.format("GET", string.format("%s?model=llama-3.1-70b&tp=8&sequence=%d", wrk.path, 1024 + number % 1000))
end
"""
CASES = (
    ("same", "/api/v1/memory?model=llama-3.1-70b&accelerator=h100-sxm&tp=8", False),
    ("varied", "/api/v1/memory", True),
    ("page", "/memory/answer", True),
)


def main(seconds: int) -> None:
    """Start a server, ask it, stop it."""
    if shutil.which("wrk") is None:
        raise SystemExit("needs wrk: apt install wrk")
    command = [sys.executable, "-m", "groundplan", "server", "--port", str(PORT), "--workers", "2"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server, tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "varied.lua")
        script.write_text(VARIED)
        try:
            time.sleep(6)
            for name, path, varied in CASES:
                before = _memory(server.pid)
                wrk = ["wrk", "-t1", "-c50", f"-d{seconds}s", "--latency", *(["-s", str(script)] if varied else [])]
                said = subprocess.run([*wrk, ADDRESS + path], capture_output=True, text=True, check=True).stdout
                rate, half, most = (
                    re.search(pattern, said) for pattern in (r"Requests/sec:\s+(\S+)", r"50%\s+(\d\S+)", r"99%\s+(\d\S+)")
                )
                assert rate and half and most
                wrong = re.search(r"Non-2xx.*", said)
                print(
                    f"{name}: {rate[1]} requests/s, half within {half[1]}, 99 % within {most[1]}; "
                    f"{before:.0f} to {_memory(server.pid):.0f} MB; {wrong[0] if wrong else 'no error'}",
                    flush=True,
                )
        finally:
            server.terminate()


def _memory(parent: int) -> float:
    """Return the resident memory of a process and its children. [MB]"""
    listed = subprocess.run(["ps", "-eo", "pid,ppid,rss"], capture_output=True, text=True, check=True).stdout
    rows = [tuple(map(int, line.split())) for line in listed.splitlines()[1:]]
    return sum(rss for pid, above, rss in rows if parent in (pid, above)) / 1024


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
