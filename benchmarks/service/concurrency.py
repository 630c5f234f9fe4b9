"""Compare the throughput and the latency of one worker on one CPU with the model, by concurrency.

    ./.venv/bin/python -m benchmarks.service.concurrency [--rounds 3] [--method otsu] [--slower 4]

The worker, its threads and the engine are real. Buckets and queues are in memory, with the latency
of AWS: 40 ms per call of S3, 20 ms per call of SQS. LocalStack would take most of the CPU. The
model gets the measured CPU per image. The best of the rounds counts, because other processes of the
machine take CPU. `--slower 4` makes all delays without CPU time four times as long, so that a
quarter of a CPU is enough: on a busy machine, that shows the limit by concurrency alone.
"""

from __future__ import annotations

import argparse
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from app.domain.messages import Announcement
from app.domain.ports import Message, Results
from app.domain.representation import Image, ImageStatus, now
from app.images.store import ImageStore
from app.observability.metrics import Metrics
from app.settings import Settings
from app.wiring.worker import WorkerService
from benchmarks.engine.text_pages import page
from benchmarks.model.arrivals import constant, lognormal
from benchmarks.model.deployed import Sizes
from benchmarks.model.simulation import Simulation
from benchmarks.model.steady import design_on_aws
from benchmarks.model.usage import LINGER_S, SUBJECTS, held_s, usage_of
from benchmarks.report import tables
from benchmarks.service.worker import A4_200_DPI_MEGAPIXELS, S3_LATENCY_S, SQS_LATENCY_S
from testkit.in_memory.fakes import MemoryBucket, MemoryQueue

CONCURRENCIES = (5, 10, 20, 40)
WARM_S, MEASURED_S = 2.0, 8.0
#: Images that wait while the largest rate is measured; the fake queue is slow when it is long.
BACKLOG = 60
#: Images a second at which the latency is measured.
RATE = 15.0
CALLS = {"get", "head", "put", "put_once", "receive", "send_batch", "delete_batch"}


class Late:
    """A bucket or queue whose calls take *delay_s* longer."""

    def __init__(self, port: Any, delay_s: float) -> None:
        self._port, self._delay_s = port, delay_s

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        return self._late(found) if name in CALLS else found

    def _late(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def late(*given: Any, **named: Any) -> Any:
            time.sleep(self._delay_s)
            return call(*given, **named)

        return late


class Announced(MemoryQueue):
    """A queue that only records the time of each announcement."""

    def __init__(self) -> None:
        super().__init__()
        self.at_s: dict[uuid.UUID, float] = {}

    def send_batch(self, messages: Sequence[Message]) -> Results:
        at_s = time.monotonic()
        for message in messages:
            self.at_s[Announcement.model_validate_json(message.body).image_id] = at_s
        return [None] * len(messages)


@dataclass(frozen=True)
class Score:
    per_s: float
    cpu_ms: float
    #: p50 and p95.
    latency_ms: tuple[float, float]


class Run:
    """A worker with *threads*, and the images that are sent to it."""

    def __init__(self, threads: int, png: bytes, method: str, slower: int) -> None:
        self._png, self._method, self._rate = png, method, RATE / slower
        originals, results = MemoryBucket("input"), MemoryBucket("output")
        self._near, self._jobs = ImageStore(originals, results), MemoryQueue()
        self._due_at: dict[uuid.UUID, float] = {}
        self.announced = Announced()
        self.service = WorkerService(
            Settings(
                worker_concurrency=threads, poll_wait_s=1, batch_linger_ms=1000 * slower * LINGER_S
            ),
            store=ImageStore(*(Late(one, slower * S3_LATENCY_S) for one in (originals, results))),
            jobs=Late(self._jobs, slower * SQS_LATENCY_S),
            announcements=Late(self.announced, slower * SQS_LATENCY_S),
            metrics=Metrics(),
        )

    def send(self) -> None:
        image = Image(
            image_id=uuid.uuid4(),
            status=ImageStatus.QUEUED,
            method=self._method,
            uploaded_at=now(),
        )
        self._near.put_original(image, self._png)
        self._due_at[image.image_id] = time.monotonic()
        self._jobs.send(self._near.job_message(image))

    def most(self) -> tuple[float, float]:
        """Images per second, and CPU milliseconds per image, while images always wait."""
        with self._fed():
            time.sleep(WARM_S)
            before, cpu_s, began_at = len(self.announced.at_s), time.process_time(), _now_s()
            time.sleep(MEASURED_S)
            images, seconds = len(self.announced.at_s) - before, _now_s() - began_at
            return images / seconds, 1000 * (time.process_time() - cpu_s) / images

    @contextmanager
    def _fed(self) -> Iterator[None]:
        is_over = threading.Event()

        def feed() -> None:
            while not is_over.wait(0.02):
                for _ in range(BACKLOG - self._jobs.depth().waiting):
                    self.send()

        thread = threading.Thread(target=feed)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def latencies_ms(self) -> tuple[float, float]:
        """p50 and p95 from the message to the announcement at a constant rate."""
        self._due_at.clear()
        began_at = _now_s()
        for due_s in constant(self._rate, MEASURED_S):
            time.sleep(max(0.0, began_at + due_s - _now_s()))
            self.send()
        time.sleep(WARM_S)
        seen = [self.announced.at_s[i] - at for i, at in self._due_at.items()]
        p50, p95 = np.percentile(seen, (50, 95)) * 1000
        return float(p50), float(p95)


def _now_s() -> float:
    return time.monotonic()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--method", choices=SUBJECTS, default="otsu")
    parser.add_argument("--slower", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    png = page(A4_200_DPI_MEGAPIXELS, is_noisy=False, is_rgb=False)
    rate = RATE / options.slower
    print(
        f"| at the same time | images/s | model | CPU ms | p50, p95 at {rate:.1f}/s, ms | model |"
    )
    print("|---|---:|---:|---:|---:|---:|", flush=True)
    for threads in CONCURRENCIES:
        seen = [
            measured(threads, png, options.method, options.slower) for _ in range(options.rounds)
        ]
        best = Score(
            max(one.per_s for one in seen),
            min(one.cpu_ms for one in seen),
            min(one.latency_ms for one in seen),
        )
        model = modelled(threads, best.cpu_ms / 1000, options.method, options.slower)
        print(
            f"| {threads} | {best.per_s:.1f} | {model.per_s:.1f} | {best.cpu_ms:.1f} "
            f"| {_both(best)} | {_both(model)} |",
            flush=True,
        )


def _both(score: Score) -> str:
    return ", ".join(f"{ms:.0f}" for ms in score.latency_ms)


def measured(threads: int, png: bytes, method: str, slower: int) -> Score:
    run = Run(threads, png, method, slower)
    with run.service:
        per_s, cpu_ms = run.most()
        time.sleep(BACKLOG / per_s + WARM_S)
        return Score(per_s, cpu_ms, run.latencies_ms())


def modelled(threads: int, cpu_s: float, method: str, slower: int) -> Score:
    usage = usage_of(tables.results()[0], SUBJECTS[method])
    usage = replace(usage, worker_cpu_s=cpu_s, held_s=held_s(cpu_s))
    sizes = Sizes(cpus=1, slots=threads, memory_gb=2, smallest=1, largest=1)
    design = design_on_aws(usage, 200.0, sizes)
    work, after = (
        [replace(stage, delay_s=slower * stage.delay_s) for stage in stages]
        for stages in (design.work, design.after)
    )
    design = replace(design, upload=(), work=work, after=after)
    full = Simulation(design, 1, draw=lognormal(0.3), seed=1).run(constant(200.0, 60.0), 60.0)
    calm = Simulation(design, 1, draw=lognormal(0.3), seed=1).run(
        constant(RATE / slower, 60.0), 62.0
    )
    p50, p95 = np.percentile(calm.latencies_s(5.0), (50, 95)) * 1000
    return Score(len(full.announced) / 60.0, 1000 * cpu_s, (float(p50), float(p95)))


if __name__ == "__main__":
    main()
