"""Measure the CPU of one hostile request, and how long other clients wait meanwhile.

    ./.venv/bin/python -m benchmarks.service.head_cost [--tree DIR] [--bytes 32000]

DIR is the checkout to measure, by default this one. Each row is a request that could be slow to
parse, sent to a fresh server at once and then byte by byte. The columns are the server's CPU time
and the longest wait of another client for /healthz.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from testkit.network.http_requests import http_request
from testkit.network.ports import free_port
from testkit.root import ROOT
from testkit.timing.waiting import is_alive, wait_until

START = b"GET / HTTP/1.1\r\nHost: x\r\n"
#: Seconds after which a server that is still busy is given up.
DEADLINE_S = 60.0
REPEATS = 3


def attacks(length: int) -> dict[str, bytes]:
    """Requests of *length* bytes, by the part that is oversized."""

    def field(name: bytes, unit: bytes, after: bytes = b"") -> bytes:
        return START + name + b":" + unit * (length // len(unit)) + after + b"\r\n\r\n"

    return {
        "plain": field(b"X", b"a"),
        "blanks in Transfer-Encoding": field(b"Transfer-Encoding", b" ", b"\n"),
        "blanks in a field": field(b"X", b" ", b"x"),
        "digits in the target": b"GET a://" + b"1" * length + b" x HTTP/1.1\r\nHost: x\r\n\r\n",
        "empty fields": START + b"a:\r\n" * (length // 4) + b"\r\n",
        "empty lines": b"\r\n" * (length // 2) + START + b"\r\n",
        "Accept with q-values": field(b"Accept", b"a/b;q=0.1,"),
        "Accept-Language": field(b"Accept-Language", b"en;q=0.1,"),
        "Cookie": field(b"Cookie", b"a=b;"),
        "query": b"GET /?" + b"%C3" * (length // 3) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tree", type=Path, default=ROOT)
    parser.add_argument("--bytes", type=int, default=32_000)
    options = parser.parse_args()
    print(f"{'':28} {'':>8} {'as a whole':>24} {'byte by byte':>24}")
    columns = f"{'CPU':>12} {'others wait':>11}"
    print(f"{'request':28} {'bytes':>8} {columns} {columns}")
    for name, request in attacks(options.bytes).items():
        cells = [cost(options.tree, request, piece_bytes) for piece_bytes in (len(request), 1)]
        print(f"{name:28} {len(request):8} {' '.join(cells)}", flush=True)


def cost(tree: Path, request: bytes, piece_bytes: int) -> str:
    with serving(tree) as (port, process):
        costs_s = []
        for _ in range(REPEATS):
            before_s = cpu_s(process)
            with sending(port, request, piece_bytes) as attacker:
                attacker.join(DEADLINE_S)
                if attacker.is_alive():
                    return f"{'over':>9} {DEADLINE_S:.0f} s            "
            costs_s.append(cpu_s(process) - before_s)
        with sending(port, request, piece_bytes) as attacker:
            wait_s = longest_wait_s(port, attacker)
    return f"{1000 * statistics.median(costs_s):9.1f} ms {1000 * wait_s:8.0f} ms"


def longest_wait_s(port: int, attacker: multiprocessing.Process) -> float:
    waits_s: list[float] = []
    while attacker.is_alive() or len(waits_s) < 10:
        began_at = time.monotonic()
        http_request("GET", f"http://127.0.0.1:{port}/healthz", timeout=DEADLINE_S)
        waits_s.append(time.monotonic() - began_at)
        time.sleep(0.01)
    return max(waits_s)


def cpu_s(process: psutil.Process) -> float:
    """CPU seconds of all threads, to the nanosecond (Linux); psutil resolves only 0.01 s."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


@contextmanager
def sending(port: int, request: bytes, piece_bytes: int) -> Iterator[multiprocessing.Process]:
    """Run a client in a separate process, so that it does not delay the measurement."""
    attacker = multiprocessing.Process(target=send, args=(port, request, piece_bytes))
    attacker.start()
    try:
        yield attacker
    finally:
        attacker.kill()
        attacker.join()


def send(port: int, request: bytes, piece_bytes: int) -> None:
    """Send *request* in pieces and read the first byte of the response."""
    attacker = socket.create_connection(("127.0.0.1", port))
    attacker.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with attacker, suppress(OSError):
        for at in range(0, len(request), piece_bytes):
            attacker.sendall(request[at : at + piece_bytes])
            if piece_bytes == 1:
                time.sleep(0.0001)
        attacker.recv(1)


@contextmanager
def serving(tree: Path) -> Iterator[tuple[int, psutil.Process]]:
    port = free_port()
    command = [sys.executable, "-m", "testkit.in_memory.memory_site", str(port), "33554432"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=tree, stdout=quiet, stderr=quiet) as process:
        wait_until(lambda: is_alive(f"http://127.0.0.1:{port}"))
        http_request("GET", f"http://127.0.0.1:{port}/")  # its templates are compiled once
        yield port, psutil.Process(process.pid)
        process.kill()


if __name__ == "__main__":
    main()
