"""Count what happens, for Prometheus: every metric is made here and is a row of docs/metrics.md.

Names end in their unit; labels have few values, known beforehand: routes, never paths, and no ids.
https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

#: Of what `Metrics.expose` returns.
CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
#: Every millisecond of an image is in one of these; the last is the longest wait for a CPU.
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
#: From upload to the end: a retry takes a minute, an outage longer.
_LONG_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
_BYTES: Final = tuple(4**n * 1024 for n in range(9))  # 1 KiB to 64 MiB
_METHODS_OF_HTTP: Final = frozenset(("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"))
#: Stands for all that is not known beforehand, so that no client makes series.
OTHER: Final = "other"
#: Begun at 0, since Prometheus takes the first value of a series for no increase: the first failure
#: would go unseen. What a client alone can cause may begin later.
_UPLOAD_RESULTS: Final = (
    "accepted",
    "replayed",
    "internal-error",
    "queue-full",
    "queue-unavailable",
    "rate-limited",
    "storage-unavailable",
    "unauthorized",
)
#: Begun at 0 for the same reason: how an image can fail although its upload was accepted.
_FAILURES: Final = (
    "corrupt-png",
    "foreign-original",
    "image-id-taken",
    "internal-error",
    "invalid-message",
    "original-missing",
    "processing-crashed",
    "too-expensive",
)
STEPS: Final = ("fetch", "admit", "compute", "store", "announce", "delete")
RENEWALS: Final = ("renewed", "lost", "failed")

# Series with the time at which another series began; nobody here asks for them.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """All metrics of one process, in a registry of their own.

    Each group is made when it is first asked for, in the main thread: what a role does not do is
    not in its answer. *methods* are the names that may stand for a method of the engine.
    """

    def __init__(self, methods: Iterable[str] = ()) -> None:
        self.registry = CollectorRegistry()
        self._methods = frozenset(methods)
        ProcessCollector(registry=self.registry)

    @cached_property
    def http(self) -> HttpMetrics:
        return HttpMetrics(self.registry)

    @cached_property
    def worker(self) -> WorkerMetrics:
        return WorkerMetrics(self.registry, self._methods)

    @cached_property
    def aws(self) -> AwsMetrics:
        return AwsMetrics(self.registry)

    @cached_property
    def queues(self) -> QueueMetrics:
        return QueueMetrics(self.registry)

    def expose(self) -> bytes:
        """Every metric in Prometheus's text format, which is CONTENT_TYPE."""
        return generate_latest(self.registry)


class HttpMetrics:
    """What the web side answers."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._requests = Counter(
            "image_pipeline_http_requests",
            "Requests that were answered.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._durations = Histogram(
            "image_pipeline_http_request_duration_seconds",
            "From the last byte of a request to its answer, without the wait a client prefers.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._uploads = Counter(
            "image_pipeline_uploads",
            "Uploads, by what became of them.",
            ("result",),
            registry=registry,
        )
        for result in _UPLOAD_RESULTS:
            self._uploads.labels(result)
        self._sizes = Histogram(
            "image_pipeline_upload_size_bytes",
            "Sizes of the images that were accepted.",
            buckets=_BYTES,
            registry=registry,
        )

    def answered(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a request; *route* is its template, None where none fits."""
        method = method if method in _METHODS_OF_HTTP else OTHER
        route = route or OTHER
        self._requests.labels(method, route, str(status)).inc()
        self._durations.labels(method, route).observe(seconds)

    def uploaded(self, size_bytes: int, *, is_replay: bool) -> None:
        self._uploads.labels("replayed" if is_replay else "accepted").inc()
        if not is_replay:
            self._sizes.observe(size_bytes)

    def refused(self, code: str) -> None:
        """Count an upload that ends as the problem *code*."""
        self._uploads.labels(code).inc()


class WorkerMetrics:
    """What one worker process does. Thread-safe."""

    def __init__(
        self, registry: CollectorRegistry | None = None, methods: Iterable[str] = ()
    ) -> None:
        self._methods = frozenset(methods)
        self._make_of_images(registry)
        self._make_of_messages(registry)
        self._make_of_outages(registry)

    def _make_of_images(self, registry: CollectorRegistry | None) -> None:
        durations = Histogram(
            "image_pipeline_worker_step_duration_seconds",
            "Time that each step of an image took, also when it failed.",
            ("step",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._steps = {step: durations.labels(step) for step in STEPS}
        self._images = Counter(
            "image_pipeline_worker_images",
            "Images that came to their end.",
            ("status", "method"),
            registry=registry,
        )
        self._failures = Counter(
            "image_pipeline_worker_failures",
            "Images that ended as failed, by the code of the error.",
            ("code",),
            registry=registry,
        )
        for code in _FAILURES:
            self._failures.labels(code)
        self.images_in_flight = Gauge(
            "image_pipeline_worker_images_in_flight",
            "Images that a thread works on.",
            registry=registry,
        )
        self._pixels_in_flight = Gauge(
            "image_pipeline_worker_pixels_in_flight",
            "Pixels of the images that are being computed.",
            registry=registry,
        )
        self.pixels_in_flight_limit = Gauge(
            "image_pipeline_worker_pixels_in_flight_limit",
            "Pixels that may be computed at the same time.",
            registry=registry,
        )
        self._make_of_times(registry)

    def _make_of_times(self, registry: CollectorRegistry | None) -> None:
        self._queue_waits = Histogram(
            "image_pipeline_worker_queue_wait_seconds",
            "From upload to the start of work, where it is the first try.",
            buckets=_LONG_SECONDS,
            registry=registry,
        )
        self._end_to_ends = Histogram(
            "image_pipeline_worker_end_to_end_seconds",
            "From upload to result or failure record.",
            buckets=_LONG_SECONDS,
            registry=registry,
        )
        self._times_to_announcement = Histogram(
            "image_pipeline_worker_time_to_announcement_seconds",
            "From upload to the moment at which SQS took the announcement.",
            buckets=_LONG_SECONDS,
            registry=registry,
        )

    def _make_of_messages(self, registry: CollectorRegistry | None) -> None:
        self._deliveries = Counter(
            "image_pipeline_worker_deliveries",
            "Messages that were handled, by how that ended.",
            ("outcome",),
            registry=registry,
        )
        self.redeliveries = Counter(
            "image_pipeline_worker_redeliveries",
            "Messages that had been received before.",
            registry=registry,
        )
        self._messages_in_hand = Gauge(
            "image_pipeline_worker_messages_in_hand",
            "Messages that were received and are not dealt with yet.",
            registry=registry,
        )
        self.polls = Counter(
            "image_pipeline_worker_polls", "Polls that got an answer.", registry=registry
        )
        self.poll_failures = Counter(
            "image_pipeline_worker_poll_failures", "Polls that got none.", registry=registry
        )
        self.heartbeats = Counter(
            "image_pipeline_worker_heartbeats",
            "Looks of the heartbeat at the leases; about one a second.",
            registry=registry,
        )
        renewals = Counter(
            "image_pipeline_worker_lease_renewals",
            "Leases that were to be renewed, by how that ended.",
            ("result",),
            registry=registry,
        )
        self.renewals = {result: renewals.labels(result) for result in RENEWALS}
        self.leases_lost = Counter(
            "image_pipeline_worker_leases_lost",
            "Leases that ended before their message was dealt with.",
            registry=registry,
        )

    def _make_of_outages(self, registry: CollectorRegistry | None) -> None:
        self._breaker_open = Gauge(
            "image_pipeline_worker_breaker_open",
            "1 while nothing is received because S3 or SQS is down, else 0.",
            registry=registry,
        )
        self.breaker_openings = Counter(
            "image_pipeline_worker_breaker_openings",
            "Outages of S3 or SQS that stopped the worker.",
            registry=registry,
        )

    def step(self, name: str) -> AbstractContextManager[object]:
        """Time a block as the step *name*, one of STEPS."""
        return self._steps[name].time()

    @contextmanager
    def computing(self, pixels: int) -> Iterator[None]:
        """Time a block as the step "compute", of an image of so many *pixels*."""
        self._pixels_in_flight.inc(pixels)
        try:
            with self.step("compute"):
                yield
        finally:
            self._pixels_in_flight.dec(pixels)

    def started(self, waited_s: float | None) -> None:
        """Count the start of an image that nobody has tried before."""
        if waited_s is not None:
            self._queue_waits.observe(max(0.0, waited_s))

    def ended(self, outcome: str) -> None:
        """Count a delivery."""
        self._deliveries.labels(outcome).inc()

    def finished(
        self, status: str, method: str | None, code: str | None, seconds: float | None
    ) -> None:
        """Count an image that is done with, *seconds* after its upload, if that is known."""
        method = method if method in self._methods else OTHER
        self._images.labels(status, method).inc()
        if code is not None:
            self._failures.labels(code).inc()
        if seconds is not None:
            self._end_to_ends.observe(max(0.0, seconds))

    def announced(self, seconds: float | None) -> None:
        """Count an announcement, *seconds* after the upload, if that is known."""
        if seconds is not None:
            self._times_to_announcement.observe(max(0.0, seconds))

    def watch(self, *, in_hand: Callable[[], int], is_open: Callable[[], bool]) -> None:
        """Ask these two at each scrape."""
        self._messages_in_hand.set_function(in_hand)
        self._breaker_open.set_function(is_open)


class AwsMetrics:
    """Every call to S3 and SQS, with its repetitions as one."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._durations = Histogram(
            "image_pipeline_aws_request_duration_seconds",
            "Time that a call to AWS took, with its repetitions.",
            ("service", "operation"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._errors = Counter(
            "image_pipeline_aws_request_errors",
            "Calls, or entries of a batch, that AWS refused or did not answer.",
            ("service", "operation", "code"),
            registry=registry,
        )

    def answered(self, service: str, operation: str, seconds: float) -> None:
        """Count a call that has come to an end, good or bad."""
        self._durations.labels(service, operation).observe(seconds)

    def failed(self, service: str, operation: str, code: str | None) -> None:
        """Count an error; *code* is AWS's, None when there was no answer."""
        self._errors.labels(service, operation, code or "no-answer").inc()

    @contextmanager
    def timed(self, service: str, operation: str) -> Iterator[None]:
        """Time a block as one call."""
        began_at = time.perf_counter()
        try:
            yield
        finally:
            self.answered(service, operation, time.perf_counter() - began_at)


class QueueMetrics:
    """How much lies in the queues; what is not known is absent, not zero."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._messages = Gauge(
            "image_pipeline_queue_messages",
            "Messages in a queue, as SQS counted them at most half a minute ago.",
            ("queue", "state"),
            registry=registry,
        )
        self._errors = Counter(
            "image_pipeline_queue_depth_errors",
            "Times that SQS did not say how much lies in a queue.",
            ("queue",),
            registry=registry,
        )

    def counted(self, queue: str, *, waiting: int, held: int) -> None:
        self._messages.labels(queue, "waiting").set(waiting)
        self._messages.labels(queue, "held").set(held)

    def unknown(self, queue: str) -> None:
        """Say nothing of *queue* until it is counted again."""
        self._errors.labels(queue).inc()
        self._messages.remove(queue, "waiting")
        self._messages.remove(queue, "held")
