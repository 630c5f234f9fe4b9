"""Compare uploads of a 500 kB page to the API and to a minimal Flask handler.

    ./.venv/bin/python -m benchmarks.service.api [--uploads 400]
    ./.venv/bin/python -m benchmarks.service.api --soak 300 [--rate 10]

Needs what ./run_tests.sh installs. Measures uploads per second and latency with 1, 8 and 32 clients
in a closed loop, and CPU per upload of the server process. Then measures the latency in an open
loop at half the rate that 8 clients reached; each latency counts from the time the upload was due.
Clients and LocalStack share the CPUs with the server, so the rates are those of the whole machine.

--soak holds a steady rate; each upload is followed by its status and its original. It fails when
memory, threads or file descriptors grow between the first minute and the last.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from functools import partial

import cv2
import numpy as np
import psutil
import urllib3

from app.aws import clients as aws
from app.settings import Settings, usable_cpus
from app.setup_aws_resources import ensure_resources
from testkit.network.ports import free_port
from testkit.processes.fleet import environment, own_localstack
from testkit.root import ROOT
from testkit.timing.waiting import is_alive, wait_until

PAGE_BYTES = 500_000
CLIENTS = (1, 8, 32)
WARM_UP = 20
READY_S = 60.0
#: Growth that is no leak: caches and pools fill up.
MAX_GROWTH = {"memory": 1.1, "threads": 1.0, "file descriptors": 1.2}


@dataclass(frozen=True)
class Server:
    name: str
    url: str
    process: psutil.Process


@dataclass(frozen=True)
class Score:
    uploads_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--uploads", type=int, default=400)
    parser.add_argument("--soak", type=int, metavar="SECONDS")
    parser.add_argument("--rate", type=float, default=10, help="of the soak, uploads per second")
    options = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    print(f"{usable_cpus()} CPUs, Python {platform.python_version()}, {len(page())} bytes a page")
    with own_localstack() as localstack:
        settings = Settings(aws_endpoint_url=localstack.endpoint, max_queue_depth=1_000_000)
        ensure_resources(settings, s3=aws.s3_client(settings), sqs=aws.sqs_client(settings))
        if options.soak:
            sys.exit(soak(settings, options.soak, options.rate))
        compare(settings, options.uploads)


def page() -> bytes:
    """A gray A4 page of about PAGE_BYTES; its noise does not compress."""
    pixels = np.full((1754, 1240), 230, np.uint8)
    random = np.random.default_rng(0)
    pixels.flat[:PAGE_BYTES] = random.integers(0, 255, PAGE_BYTES, np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def compare(settings: Settings, uploads: int) -> None:
    body, headers = form()
    rivals = [sys.executable, "-m", "benchmarks.rivals.smallest_api"]
    ours = [sys.executable, "-m", "app.main", "web"]
    with (
        serve("ours", settings, ours) as first,
        serve("smallest, boto3", settings, rivals) as second,
        serve("smallest, obstore and boto3", settings, [*rivals, "obstore"]) as third,
    ):
        servers = (first, second, third)
        for server in servers:
            closed_loop(server, body=body, headers=headers, uploads=WARM_UP, clients=4)
        print(f"\n{'server':28} clients  uploads/s     p50     p99  CPU of the server")
        reached = 0.0
        for clients in CLIENTS:
            load = partial(closed_loop, body=body, headers=headers, clients=clients)
            for server, score in in_turns(servers, load, uploads):
                report(server, f"{clients:7}", score)
                if server is first and clients == 8:
                    reached = score.uploads_per_s
        rate = reached / 2
        load = partial(open_loop, body=body, headers=headers, rate=rate)
        for server, score in in_turns(servers, load, uploads):
            report(server, f"{rate:5.1f}/s", score)
            print(f"{'':28} p99 is {score.p99_ms / score.p50_ms:.1f} times the p50 at half load")


def in_turns(
    servers: tuple[Server, ...], load: Callable[..., Score], uploads: int
) -> Iterator[tuple[Server, Score]]:
    """The medians of three rounds for each.

    Subjects take turns, so that a slow minute of the machine affects all of them.
    """
    rounds = [[load(server, uploads=uploads // 3) for server in servers] for _ in range(3)]
    for place, server in enumerate(servers):
        yield server, median([one[place] for one in rounds])


def median(scores: list[Score]) -> Score:
    """The median of each figure."""
    return Score(*map(statistics.median, zip(*map(astuple, scores), strict=True)))


def report(server: Server, load: str, score: Score) -> None:
    print(
        f"{server.name:28} {load}  {score.uploads_per_s:9.1f}  {score.p50_ms:4.0f} ms "
        f"{score.p99_ms:4.0f} ms  {score.cpu_ms:5.2f} ms"
    )


# --- load ----------------------------------------------------------------------------------------


def form() -> tuple[bytes, dict[str, str]]:
    body, content_type = urllib3.encode_multipart_formdata({"image": ("page.png", page())})
    return body, {"Content-Type": content_type}


def closed_loop(
    server: Server, *, body: bytes, headers: dict[str, str], uploads: int, clients: int
) -> Score:
    http = urllib3.PoolManager(maxsize=clients, retries=False)

    def send(_: int) -> float:
        began = time.monotonic()
        upload(http, server, body, headers)
        return time.monotonic() - began

    def load() -> list[float]:
        with ThreadPoolExecutor(clients) as pool:
            return list(pool.map(send, range(uploads)))

    return measure(server, load)


def open_loop(
    server: Server, *, body: bytes, headers: dict[str, str], uploads: int, rate: float
) -> Score:
    http = urllib3.PoolManager(maxsize=64, retries=False)
    started = time.monotonic() + 0.1

    def send(number: int) -> float:
        due = started + number / rate
        time.sleep(max(0, due - time.monotonic()))
        upload(http, server, body, headers)
        return time.monotonic() - due

    def load() -> list[float]:
        with ThreadPoolExecutor(64) as pool:
            return list(pool.map(send, range(uploads)))

    return measure(server, load)


def measure(server: Server, load: Callable[[], list[float]]) -> Score:
    before, started = cpu_s(server), time.monotonic()
    latencies_s = load()
    wall_s = time.monotonic() - started
    percentiles = statistics.quantiles(latencies_s, n=100)
    return Score(
        uploads_per_s=len(latencies_s) / wall_s,
        p50_ms=1000 * percentiles[49],
        p99_ms=1000 * percentiles[98],
        cpu_ms=1000 * (cpu_s(server) - before) / len(latencies_s),
    )


def upload(http: urllib3.PoolManager, server: Server, body: bytes, headers: dict[str, str]) -> str:
    answer = http.request("POST", f"{server.url}/upload", body=body, headers=headers)
    if answer.status != 202:
        raise SystemExit(f"{server.name}: {answer.status} {answer.data!r}")
    return str(answer.json()["image_id"])


def cpu_s(server: Server) -> float:
    times = server.process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def serve(name: str, settings: Settings, command: list[str]) -> Iterator[Server]:
    port = free_port()
    variables = environment(settings) | {"PORT": str(port), "LOG_LEVEL": "INFO"}
    url = f"http://127.0.0.1:{port}"
    log = subprocess.DEVNULL
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | variables, stdout=log, stderr=log
    ) as process:
        try:
            wait_until(lambda: is_alive(url), within_s=READY_S)
            yield Server(name, url, psutil.Process(process.pid))
        finally:
            process.terminate()


# --- soak ----------------------------------------------------------------------------------------


def soak(settings: Settings, seconds: int, rate: float) -> int:
    body, headers = form()
    figures: list[dict[str, float]] = []
    with serve("ours", settings, [sys.executable, "-m", "app.main", "web"]) as server:
        http = urllib3.PoolManager(maxsize=64, retries=False)
        started = time.monotonic()
        failed = threading.Event()

        def send(number: int) -> None:
            time.sleep(max(0, started + number / rate - time.monotonic()))
            try:
                place = f"{server.url}/images/{upload(http, server, body, headers)}"
                for path in (place, f"{place}/original", f"{server.url}/images/{uuid.uuid4()}"):
                    http.request("GET", path)
            except (SystemExit, urllib3.exceptions.HTTPError) as exc:
                print(exc)
                failed.set()

        with ThreadPoolExecutor(64) as pool:
            jobs = [pool.submit(send, number) for number in range(int(seconds * rate))]
            while not all(job.done() for job in jobs):
                figures.append(look(server))
                time.sleep(1)
    return verdict(figures, len(jobs), is_failed=failed.is_set())


def look(server: Server) -> dict[str, float]:
    process = server.process
    return {
        "memory": process.memory_info().rss / 1e6,
        "threads": process.num_threads(),
        "file descriptors": process.num_fds(),
    }


def verdict(figures: list[dict[str, float]], uploads: int, *, is_failed: bool) -> int:
    """Compare the medians of the second and the last fifth."""
    fifth = max(1, len(figures) // 5)
    print(f"{uploads} uploads in {len(figures)} s")
    grown = False
    for name, limit in MAX_GROWTH.items():
        early = statistics.median(one[name] for one in figures[fifth : 2 * fifth])
        late = statistics.median(one[name] for one in figures[-fifth:])
        grown |= late > early * limit
        print(f"{name:17} {early:6.0f} -> {late:6.0f}   (at most {limit:g} times)")
    return int(grown or is_failed)


if __name__ == "__main__":
    main()
