"""Build the worker from its parts, and run it inside a `with` block."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Final

from ..consumer.admission import Admission
from ..consumer.batching import BatchedQueue
from ..consumer.consumer import Consumer
from ..consumer.sandbox import Caps, Sandbox
from ..domain.ports import Process, Queue
from ..image_processor import binarize_png
from ..images.store import ImageStore
from ..numeric.memory import keep_freed_memory
from ..observability import tracing
from ..observability.metrics import Metrics
from ..observability.worker_metrics import WorkerMetrics
from ..settings import Settings, usable_cpus
from ..worker import Worker
from . import interrupts
from .processing import admitted, as_job_asks

#: Memory cap of the child process: the engine uses at most 6 bytes per pixel (docs/engine.md), up
#: to 4 copies of the file exist, and libraries load on the first image.
_BYTES_PER_PIXEL: Final = 8
_COPIES_OF_A_FILE: Final = 4
_LIBRARIES_BYTES: Final = 256 * 1024 * 1024
_AT_ONCE_S: Final = 2.0


class WorkerService:
    """Processes *jobs* and announces the results; it polls inside its `with` block."""

    def __init__(
        self,
        settings: Settings,
        *,
        store: ImageStore,
        jobs: Queue,
        announcements: Queue,
        metrics: Metrics,
    ) -> None:
        self._grace_period_s = settings.grace_period_s
        engine = partial(binarize_png, limits=settings.png_limits, step=tracing.step)
        process = partial(as_job_asks, engine)
        self._sandbox = Sandbox(process, _caps(settings))
        guarded = _admitting(settings, metrics.worker)
        batched = partial(
            BatchedQueue, linger_s=settings.batch_linger_ms / 1000, most=self._count_in_hand
        )
        worker = Worker(
            jobs=batched(jobs),
            store=store,
            announcements=batched(announcements),
            process=guarded(process),
            process_apart=guarded(self._sandbox.run),
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

    def _count_in_hand(self) -> int:
        return self._consumer.in_hand

    def check(self) -> None:
        """Raise QueueUnavailableError if the worker is stuck."""
        self._consumer.check()

    def __enter__(self) -> None:
        keep_freed_memory()
        self._consumer.start()

    def __exit__(self, *_: object) -> None:
        try:
            with interrupts.allowed():
                self._consumer.stop(grace_s=self._grace_period_s)
        except KeyboardInterrupt:  # a second signal skips the grace period
            self._give_back_at_once()
        finally:
            self._sandbox.close()

    def _give_back_at_once(self) -> None:
        # In a thread with a timeout, because an unreachable SQS would block the exit.
        thread = threading.Thread(target=self._consumer.abandon, daemon=True)
        thread.start()
        thread.join(_AT_ONCE_S)


def _admitting(settings: Settings, metrics: WorkerMetrics) -> Callable[[Process], Process]:
    """A decorator that limits the pixels in flight; all decorated processes share one limit."""
    admission = Admission(slots=usable_cpus(), max_pixels=settings.max_pixels_in_flight)
    metrics.pixels_in_flight_limit.set(settings.max_pixels_in_flight)
    return partial(admitted, admission=admission, max_pixels=settings.max_pixels, metrics=metrics)


def _caps(settings: Settings) -> Caps:
    pixels = settings.max_pixels * _BYTES_PER_PIXEL
    return Caps(pixels + settings.max_upload_bytes * _COPIES_OF_A_FILE + _LIBRARIES_BYTES)
