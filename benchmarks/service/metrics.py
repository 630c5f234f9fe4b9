"""Measure the CPU time that metrics cost, without AWS and the engine.

    ./.venv/bin/python -m benchmarks.service.metrics

A worker processes images with in-memory buckets and queues and an engine that does nothing, once
with metrics and once with metrics that do nothing. The other rows repeat one operation many times.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable
from statistics import median
from typing import Any

from app.consumer.admission import Admission
from app.consumer.batching import BatchedQueue
from app.consumer.leases import Leases
from app.domain.messages import Job
from app.domain.methods import METHODS
from app.domain.ports import Binarized, Message
from app.domain.representation import now, rfc3339
from app.images.store import ImageStore
from app.observability.metrics import Metrics
from app.wiring.processing import admitted
from app.worker import Worker
from testkit.in_memory.fakes import MemoryBucket, MemoryQueue
from testkit.png.scans import page_png

IMAGES, ROUNDS = 400, 9
PNG = page_png()


class Nothing:
    """Metrics that do nothing."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *_: Any, **__: Any) -> Any:
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def main() -> None:
    logging.disable(logging.CRITICAL)
    images(Nothing())  # warm
    without = median(images(Nothing()) for _ in range(ROUNDS))
    counted = median(images(Metrics(METHODS).worker) for _ in range(ROUNDS))
    print(f"an image in the worker: {without:.0f} us without, {counted:.0f} us with metrics")
    metrics = Metrics(METHODS)
    print(f"a call of S3 through obstore: {each(lambda: call(metrics)):.1f} us")
    print(f"a request: {each(lambda: metrics.http.answered('GET', '/x', 200, 0.1)):.1f} us")
    print(f"a scrape of all: {each(metrics.expose, 200):.0f} us, {len(metrics.expose())} bytes")


def images(metrics: Any) -> float:
    """CPU microseconds per image."""
    originals = MemoryBucket("image-input")
    store, jobs = ImageStore(originals, MemoryBucket()), MemoryQueue()
    guarded = admitted(process, Admission(slots=2, max_pixels=10**8), 10**8, metrics)
    worker = Worker(
        jobs=BatchedQueue(jobs, linger_s=0),
        store=store,
        announcements=BatchedQueue(MemoryQueue(), linger_s=0),
        process=guarded,
        process_apart=guarded,
        max_receives=5,
        metrics=metrics,
    )
    leases = Leases(jobs, visibility_timeout_s=60, metrics=metrics)
    spent_s = 0.0
    for _ in range(IMAGES):
        send(originals, jobs)
        asked_at = leases.clock()
        found = jobs.receive(max_messages=1, wait_time_s=0, visibility_timeout_s=60)
        (lease,) = leases.hold(found, asked_at=asked_at)
        began_at = time.thread_time()
        worker.handle(lease)
        spent_s += time.thread_time() - began_at
        leases.drop([lease])
    return 1e6 * spent_s / IMAGES


def process(data: bytes, job: Job) -> Binarized:
    return Binarized(b"PAGE", 40, 30, 300, "otsu", {}, 99, 0.5, 1)


def send(originals: MemoryBucket, jobs: MemoryQueue) -> None:
    image_id = str(uuid.uuid4())
    key = f"{image_id}.png"
    originals.put(key, PNG, content_type="image/png", metadata={})
    job = {"image_id": image_id, "bucket": originals.name, "key": key}
    jobs.send(Message(json.dumps(job | {"uploaded_at": rfc3339(now())}), image_id, image_id))


def call(metrics: Metrics) -> None:
    with metrics.aws.timed("s3", "GetObject"):
        pass


def each(act: Callable[[], object], times: int = 50_000) -> float:
    """CPU microseconds per call of *act*."""
    act()
    began_at = time.thread_time()
    for _ in range(times):
        act()
    return 1e6 * (time.thread_time() - began_at) / times


if __name__ == "__main__":
    main()
