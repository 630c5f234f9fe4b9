"""Measure the resident memory of each role at rest.

    ./.venv/bin/python -m benchmarks.service.memory [--roles web worker all] [--times 3]

Each role runs in a separate process against an endpoint that refuses connections, so it has
processed no image. The memory is VmRSS of /proc/PID/status once the role answers its health check
and, where it has one, the upload page. The largest number of several starts is printed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from functools import partial
from pathlib import Path

from app.settings import Settings
from testkit.network.http_requests import http_request
from testkit.network.ports import free_port
from testkit.processes.fleet import role
from testkit.root import ROOT
from testkit.timing.waiting import is_alive, wait_until

_NOBODY = "http://127.0.0.1:9"
_WITHIN_S = 120


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--roles", nargs="+", default=["web", "worker", "all"])
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    # A worker that compiles the engine itself holds LLVM's memory, 160 MB, until it ends.
    subprocess.run([sys.executable, "-m", "scripts.local.compile_engine"], cwd=ROOT, check=True)
    for name in options.roles:
        found = [resident_mb(name) for _ in range(options.times)]
        print(f"{name}: {max(found):.0f} MB resident")


def resident_mb(name: str) -> float:
    """Resident megabytes (10^6 bytes) of the role once it answers."""
    settings = Settings(aws_endpoint_url=_NOBODY, port=free_port(), metrics_port=free_port())
    with role(name, settings) as running:
        wait_until(
            partial(is_alive, f"http://127.0.0.1:{settings.metrics_port}"), within_s=_WITHIN_S
        )
        if name != "worker":
            url = f"http://127.0.0.1:{settings.port}"
            wait_until(partial(is_alive, url), within_s=_WITHIN_S)
            http_request("GET", url)
        status = Path(f"/proc/{running.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    main()
