"""Count what happens, for Prometheus: the metrics of a process, of its requests and of AWS.

Every metric is a row of docs/metrics.md; those of the worker are in `worker_metrics`.

Names end in their unit; labels have few values, known beforehand: routes, never paths, and no ids.
https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from .buckets import BYTES, OTHER, SECONDS
from .worker_metrics import WorkerMetrics

#: Of what `Metrics.expose` returns.
CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
_METHODS_OF_HTTP: Final = frozenset(("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"))
#: These series start at 0: `increase()` ignores a series' first sample, so the first failure would
#: be invisible. A series that only clients cause may start later.
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
            buckets=SECONDS,
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
            buckets=BYTES,
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


class AwsMetrics:
    """Every call to S3 and SQS, with its repetitions as one."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._durations = Histogram(
            "image_pipeline_aws_request_duration_seconds",
            "Time that a call to AWS took, with its repetitions.",
            ("service", "operation"),
            buckets=SECONDS,
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
