"""Measure what clients that do not read their responses cost the server and other clients.

    ./.venv/bin/python -m benchmarks.service.non_readers [--tree DIR] [--clients 1000]

Each client requests an original of 31 MB and reads nothing of it. The clients use eight addresses.
Meanwhile a client of a ninth address requests /healthz, uploads, and downloads the original.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import threading
import time
import zlib
from contextlib import ExitStack
from pathlib import Path

import psutil
import urllib3

from benchmarks.service.head_cost import ROOT, serving
from testkit.network.http_requests import http_request
from testkit.png.pngs import GRAY, IEND, SIGNATURE, idat, ihdr
from testkit.png.scans import page_png

WIDTH, HEIGHT = 7800, 4000
MOST_HARMFUL_S = 20.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tree", type=Path, default=ROOT)
    parser.add_argument("--clients", type=int, default=1000)
    options = parser.parse_args()
    with serving(options.tree) as (port, process), ExitStack() as stack:
        path = upload(port, large_png())
        watch = Watch(process)
        idle_mb = watch.look()
        others = Others(port, path)
        for number in range(options.clients):
            stack.enter_context(non_reader(port, path, f"127.0.1.{1 + number % 8}"))
        time.sleep(MOST_HARMFUL_S)
        watch.stop()
        others.stop()
    print(f"non-readers                  {options.clients}")
    print(f"memory when idle             {idle_mb:.0f} MB, most {watch.most_memory_mb:.0f} MB")
    print(f"temporary files, most        {watch.most_files_mb:.0f} MB")
    print(f"open descriptors, most       {watch.most_descriptors}")
    others.report()


def large_png() -> bytes:
    """A gray page of 31 MB, stored without compression."""
    rows = zlib.compress(bytes((1 + WIDTH) * HEIGHT), 0)
    return SIGNATURE + ihdr(WIDTH, HEIGHT, color_type=GRAY) + idat(rows) + IEND


def upload(port: int, data: bytes) -> str:
    answer = http_request(
        "POST", f"http://127.0.0.1:{port}/upload", fields={"image": ("a.png", data)}, retries=False
    )
    if answer.status != 202:
        raise SystemExit(f"upload refused: {answer.status} {answer.data!r}")
    return f"/images/{answer.json()['image_id']}/original"


def non_reader(port: int, path: str, address: str) -> socket.socket:
    client = socket.socket()
    client.bind((address, 0))
    client.settimeout(60)
    client.connect(("127.0.0.1", port))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return client


class Watch:
    """Samples a process's resources in a thread."""

    def __init__(self, process: psutil.Process) -> None:
        self.most_memory_mb = self.most_files_mb = 0.0
        self.most_descriptors = 0
        self._process = process
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def look(self) -> float:
        memory_mb = self._process.memory_info().rss / 1e6
        files = list(Path(f"/proc/{self._process.pid}/fd").iterdir())
        self.most_memory_mb = max(self.most_memory_mb, memory_mb)
        self.most_files_mb = max(self.most_files_mb, sum(map(deleted_bytes, files)) / 1e6)
        self.most_descriptors = max(self.most_descriptors, len(files))
        return memory_mb

    def _follow(self) -> None:
        while not self._stopping.wait(0.1):
            self.look()


def deleted_bytes(descriptor: Path) -> int:
    """The size of an unlinked temporary file."""
    try:
        return descriptor.stat().st_size if "(deleted)" in os.readlink(descriptor) else 0
    except OSError:
        return 0


class Others:
    """Well-behaved clients of another address, in threads."""

    def __init__(self, port: int, path: str) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._path = path
        self._stopping = threading.Event()
        self._waits_s: dict[str, list[float]] = {"healthz": [], "upload": [], "download": []}
        self._refused = dict.fromkeys(self._waits_s, 0)
        self._threads = [threading.Thread(target=self._repeat, args=(k,)) for k in self._waits_s]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def report(self) -> None:
        for kind, waits_s in self._waits_s.items():
            median_ms = 1000 * statistics.median(waits_s) if waits_s else float("nan")
            most_ms = 1000 * max(waits_s, default=float("nan"))
            print(
                f"{kind:28} {len(waits_s)} answered in {median_ms:.0f} ms (median) to "
                f"{most_ms:.0f} ms, {self._refused[kind]} refused"
            )

    def _repeat(self, kind: str) -> None:
        ask = getattr(self, f"_{kind}")
        while not self._stopping.wait(0.1):
            began_at = time.monotonic()
            try:
                status = ask()
            except urllib3.exceptions.HTTPError:
                status = 0
            if status in (200, 202):
                self._waits_s[kind].append(time.monotonic() - began_at)
            else:
                self._refused[kind] += 1

    def _healthz(self) -> int:
        return self._request("GET", "/healthz")

    def _download(self) -> int:
        return self._request("GET", self._path)

    def _upload(self) -> int:
        return self._request("POST", "/upload", fields={"image": ("a.png", page_png())})

    def _request(self, method: str, path: str, **more: object) -> int:
        return http_request(method, self._url + path, retries=False, timeout=30, **more).status


if __name__ == "__main__":
    main()
