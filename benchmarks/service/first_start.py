"""Measure the time from a clean clone to the first processed image, and of a later start.

    ./.venv/bin/python -m benchmarks.service.first_start [--beside COMMIT] [--runs 5] [--later 3]

Each run clones this repository and starts ./start_app.sh on free ports. `cold` has empty caches,
`warm` the caches that the cold run has filled, `later` the environments of the warm run. With
--beside, each version's run is followed by that of the other. Linux only; nothing else should run.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from scripts.install.environment import size_mb
from testkit.network.http_requests import http_request
from testkit.processes.start_app import RunningApp, start_app
from testkit.root import ROOT
from testkit.timing.waiting import wait_until

#: prctl(2): orphans become children of this process, so that their CPU time is counted here.
PR_SET_CHILD_SUBREAPER = 36
WITHIN_S = 1200
ENVIRONMENTS = (".venv", ".venv-localstack")


@dataclass(frozen=True)
class Start:
    """One start: seconds until the first image was processed, CPU seconds used until then."""

    seconds: float
    cpu_s: float


def main() -> None:
    options = arguments()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    starts: dict[tuple[str, str], list[Start]] = defaultdict(list)
    sizes: dict[str, float] = {}
    commits = [resolved(commit) for commit in ("HEAD", options.beside) if commit]
    try:
        for number in range(options.runs):
            for commit in commits:
                later = options.later if number == 0 else 0
                for kind, start in starts_of(commit, later, sizes):
                    starts[commit, kind].append(start)
                    load = os.getloadavg()[0]
                    print(f"{commit} {kind}: {start}, load {load:.1f}", flush=True)
    finally:  # Ctrl-C ends a long measurement
        show(starts, sizes)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--beside", metavar="COMMIT", help="another version to measure in turn")
    parser.add_argument("--runs", type=int, default=5, help="cold and warm starts of each version")
    parser.add_argument("--later", type=int, default=3, help="starts of what is installed")
    return parser.parse_args()


def starts_of(commit: str, later: int, sizes: dict[str, float]) -> Iterator[tuple[str, Start]]:
    """A cold start, a warm start from another clone, and *later* starts of the latter."""
    with tempfile.TemporaryDirectory(prefix="first-start-") as folder:
        place = Path(folder)
        yield "cold", measure(clone(commit, place / "cold"), place / "cache")
        warm = clone(commit, place / "warm")
        yield "warm", measure(warm, place / "cache")
        sizes[commit] = sum(size_mb(warm / name) for name in ENVIRONMENTS)
        for _ in range(later):
            yield "later", measure(warm, place / "cache")


def clone(commit: str, tree: Path) -> Path:
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, tree], check=True)
    subprocess.run(["git", "-C", tree, "checkout", "--quiet", commit], check=True)
    return tree


def resolved(commit: str) -> str:
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", commit]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def measure(tree: Path, cache: Path) -> Start:
    names = ("XDG_CACHE_HOME", "PIP_CACHE_DIR", "UV_CACHE_DIR")
    caches = {name: str(cache / name.lower()) for name in names}
    cpu_before_s = cpu_s(0)
    with start_app(tree, **caches, VIRTUAL_ENV="", LOCALSTACK_DOCKER="0") as app:
        process_image(app)
        seconds = time.monotonic() - app.started_at
        return Start(seconds, cpu_s(app.process.pid) - cpu_before_s)


def process_image(app: RunningApp) -> None:
    """Upload image.png as soon as the application is ready, and wait for the result."""
    wait_until(lambda: app.is_ready, within_s=WITHIN_S)
    fields = {"image": ("image.png", (ROOT / "image.png").read_bytes(), "image/png")}
    image_id = http_request("POST", f"{app.url}/upload", fields=fields).json()["image_id"]
    address = f"{app.url}/images/{image_id}"
    wait_until(
        lambda: http_request("GET", address).json()["status"] == "processed", within_s=WITHIN_S
    )


def cpu_s(app_pid: int) -> float:
    """CPU seconds of all processes that have descended from this one, dead or alive."""
    reap(app_pid)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    alive = sum(map(cpu_of, psutil.Process().children(recursive=True)))
    return used.ru_utime + used.ru_stime + alive


def cpu_of(process: psutil.Process) -> float:
    """CPU seconds of *process* and of its dead children."""
    try:
        return sum(process.cpu_times()[:4])
    except psutil.NoSuchProcess:
        return 0.0


def reap(app_pid: int) -> None:
    """Wait for orphans that have ended, as init would; start_app.sh has a waiting owner."""
    for child in psutil.Process().children():
        try:
            if child.pid != app_pid and child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)
        except (psutil.NoSuchProcess, ChildProcessError):
            continue


def show(starts: dict[tuple[str, str], list[Start]], sizes: dict[str, float]) -> None:
    print("\n| version | start | runs | seconds | CPU seconds |\n|---|---|---:|---:|---:|")
    for (commit, kind), found in starts.items():
        seconds = [start.seconds for start in found]
        middle = f"{median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})"
        used_s = median(start.cpu_s for start in found)
        print(f"| {commit} | {kind} | {len(found)} | {middle} | {used_s:.1f} |")
    for commit, size in sizes.items():
        print(f"\n{commit}: {size:.0f} MB ({size / 1.048576:.0f} MiB) with compiled files")


if __name__ == "__main__":
    main()
