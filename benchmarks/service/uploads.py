"""Upload image.png repeatedly to a fresh ./start_app.sh and wait for each announcement.

    ./.venv/bin/python -m benchmarks.service.uploads [--images 200] [--clients 8]

Needs what ./run_tests.sh installs. Clients, LocalStack, web and worker share this machine, so
images per second depend on all of them. CPU seconds are those of our process alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import urllib3

from app.aws import clients as aws
from app.settings import Settings
from testkit.processes.start_app import RunningApp, start_app
from testkit.root import ROOT

QUIET_S = 3.0
DEADLINE_S = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    # LocalStack accepts any credentials, but boto3 requires some.
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with start_app(ROOT) as app:
        print(f"ready after {app.wait_until_ready(within_s=300):.1f} s")
        measure(app, options.images, options.clients)


def measure(app: RunningApp, images: int, clients: int) -> None:
    listener = Listener(app)
    process = app.application
    cpu_before, started_at = cpu_s(process), time.monotonic()
    sent = send_all(app, images, clients)
    uploaded_s = time.monotonic() - started_at
    listener.wait_for(images)
    listener.stop()
    finished_s = max(listener.first_seen.values()) - started_at
    cpu = cpu_s(process) - cpu_before
    memory_mb = process.memory_info().rss / 1e6
    report(sent, listener, uploaded_s=uploaded_s, finished_s=finished_s)
    print(f"CPU of our process        {cpu / images * 1000:.1f} ms an image")
    print(f"memory of our process     {memory_mb:.0f} MB")


def send_all(app: RunningApp, images: int, clients: int) -> dict[str, float]:
    """Upload from *clients* threads; return each upload's start time by image id."""
    http = urllib3.PoolManager(maxsize=clients)
    body = (ROOT / "image.png").read_bytes()

    def send(_: int) -> tuple[str, float]:
        began_at = time.monotonic()
        fields = {"image": ("image.png", body, "image/png")}
        answer = http.request("POST", f"{app.url}/upload", fields=fields)
        if answer.status != 202:
            raise SystemExit(f"upload refused: {answer.status} {answer.data!r}")
        return answer.json()["image_id"], began_at

    with ThreadPoolExecutor(clients) as pool:
        return dict(pool.map(send, range(images)))


class Listener:
    """A consumer of the processed queue in its own thread."""

    def __init__(self, app: RunningApp) -> None:
        self.first_seen: dict[str, float] = {}
        self.statuses: list[str] = []
        self._settings = Settings(aws_endpoint_url=app.endpoint)
        self._sqs = aws.sqs_client(self._settings)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def wait_for(self, images: int) -> None:
        """Wait until all are announced, and a little longer to detect duplicates."""
        deadline = time.monotonic() + DEADLINE_S
        while len(self.first_seen) < images and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(QUIET_S)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _listen(self) -> None:
        name = self._settings.processed_queue
        url = self._sqs.get_queue_url(QueueName=name)["QueueUrl"]
        while not self._stopping.is_set():
            answer = self._sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            messages: list[Any] = answer.get("Messages", [])
            for message in messages:
                body = json.loads(message["Body"])
                self.first_seen.setdefault(body["image_id"], time.monotonic())
                self.statuses.append(body["status"])
            if messages:
                entries = [
                    {"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]}
                    for n, m in enumerate(messages)
                ]
                self._sqs.delete_message_batch(QueueUrl=url, Entries=entries)  # type: ignore[arg-type]


def report(
    sent: dict[str, float], listener: Listener, *, uploaded_s: float, finished_s: float
) -> None:
    latencies_s = sorted(listener.first_seen[i] - began for i, began in sent.items())
    announced = len(listener.statuses)
    print(f"accepted                  {len(sent)}")
    print(f"processed                 {listener.statuses.count('processed')}")
    print(f"announced                 {announced} ({len(listener.first_seen)} different)")
    print(f"doubled                   {announced - len(listener.first_seen)}")
    print(f"lost                      {len(sent.keys() - listener.first_seen.keys())}")
    print(f"uploads per second        {len(sent) / uploaded_s:.1f}")
    print(f"images per second         {len(sent) / finished_s:.1f}")
    percentiles = statistics.quantiles(latencies_s, n=100)
    print(f"upload to announcement    p50 {percentiles[49]:.2f} s, p95 {percentiles[94]:.2f} s")


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
