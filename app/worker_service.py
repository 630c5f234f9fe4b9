"""Put the worker together from its parts, and run it for as long as a `with` block."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Final

from . import interrupts, tracing
from .admission import Admission
from .batching import BatchedQueue
from .consumer import Consumer
from .image_processor import binarize_job
from .image_store import ImageStore
from .messages import Job
from .metrics import Metrics, WorkerMetrics
from .png import claimed_pixels
from .ports import Binarized, Process
from .sandbox import Caps, Sandbox
from .settings import Settings, usable_cpus
from .sqs_service import make_queue
from .worker import Worker

#: The engine takes at most 6 bytes a pixel (docs/engine.md), a file is copied a few times, and
#: libraries load on the first image.
_BYTES_PER_PIXEL: Final = 8
_COPIES_OF_A_FILE: Final = 4
_LIBRARIES_BYTES: Final = 256 * 1024 * 1024
_AT_ONCE_S: Final = 2.0


class WorkerService:
    """The worker on the queues that *settings* name; it polls inside its `with` block."""

    def __init__(
        self,
        settings: Settings,
        store: ImageStore,
        metrics: Metrics,
    ) -> None:
        self._grace_period_s = settings.grace_period_s
        process = partial(binarize_job, limits=settings.png_limits)
        self._sandbox = Sandbox(process, _caps(settings))
        admission = Admission(slots=usable_cpus(), max_pixels=settings.max_pixels_in_flight)
        metrics.worker.pixels_in_flight_limit.set(settings.max_pixels_in_flight)
        jobs = make_queue(settings, settings.input_queue, metrics.aws)
        announcements = make_queue(settings, settings.processed_queue, metrics.aws)
        linger_s = settings.batch_linger_ms / 1000
        worker = Worker(
            jobs=BatchedQueue(jobs, linger_s=linger_s),
            store=store,
            announcements=BatchedQueue(announcements, linger_s=linger_s),
            process=_admitted(process, admission, settings.max_pixels, metrics.worker),
            process_apart=_admitted(
                self._sandbox.run, admission, settings.max_pixels, metrics.worker
            ),
            max_receives=settings.max_receives,
            metrics=metrics.worker,
        )

        def probe() -> None:
            store.check()
            announcements.check()

        self._consumer = Consumer(
            jobs=jobs,
            handle=worker.handle,
            probe=probe,
            threads=settings.worker_threads,
            visibility_timeout_s=settings.visibility_timeout_s,
            poll_wait_s=settings.poll_wait_s,
            metrics=metrics.worker,
        )

    def check(self) -> None:
        """Raise QueueUnavailableError when the worker is stuck."""
        self._consumer.check()

    def __enter__(self) -> None:
        self._consumer.start()

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with interrupts.allowed():
                self._consumer.stop(grace_s=self._grace_period_s)
        except KeyboardInterrupt:  # a second signal: at once, then
            self._give_back_at_once()
        finally:
            self._sandbox.close()

    def _give_back_at_once(self) -> None:
        # In a thread, since SQS may be what makes us wait.
        thread = threading.Thread(target=self._consumer.abandon, daemon=True)
        thread.start()
        thread.join(_AT_ONCE_S)


def _caps(settings: Settings) -> Caps:
    pixels = settings.max_pixels * _BYTES_PER_PIXEL
    return Caps(pixels + settings.max_upload_bytes * _COPIES_OF_A_FILE + _LIBRARIES_BYTES)


def _admitted(
    process: Process, admission: Admission, max_pixels: int, metrics: WorkerMetrics
) -> Process:
    """*process*, once there is room for the pixels that the image claims to have."""

    def wait_and_process(data: bytes, job: Job) -> Binarized:
        # What claims more than is allowed is refused at once, and needs no room.
        claimed = claimed_pixels(data)
        pixels = claimed if claimed <= max_pixels else 0
        with ExitStack() as room:
            with tracing.step("admit"), metrics.step("admit"):
                room.enter_context(admission.of(pixels))
            with tracing.step("compute"), metrics.computing(pixels):
                return process(data, job)

    return wait_and_process
