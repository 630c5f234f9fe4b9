"""The Prometheus metrics of a process, its HTTP requests, its calls to AWS and its queues.

Every metric is a row of docs/metrics.md; those of the worker are in `worker_metrics`.

Names end in their unit. Labels have few, fixed values: routes but never paths, and no ids.
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

from .histogram_bounds import BYTES, OTHER, SECONDS
from .worker_metrics import WorkerMetrics

#: The media type of the text that `Metrics.expose` returns.
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

    Each group is created on first use, in the main thread, so that a role exposes only its own
    metrics. *methods* are the allowed values of the label for the binarization method.
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
        """Every metric in the Prometheus text format, whose media type is CONTENT_TYPE."""
        return generate_latest(self.registry)


class HttpMetrics:
    """The requests and uploads of the web server."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._requests = Counter(
            "image_pipeline_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._durations = Histogram(
            "image_pipeline_http_request_duration_seconds",
            "From the last byte of a request to the response, without the wait of Prefer: wait.",
            ("method", "route"),
            buckets=SECONDS,
            registry=registry,
        )
        self._uploads = Counter(
            "image_pipeline_uploads",
            "Uploads by result: accepted, replayed, or the code of the refusal.",
            ("result",),
            registry=registry,
        )
        for result in _UPLOAD_RESULTS:
            self._uploads.labels(result)
        self._sizes = Histogram(
            "image_pipeline_upload_size_bytes",
            "Sizes of the accepted PNGs.",
            buckets=BYTES,
            registry=registry,
        )
        self._forgotten = Counter(
            "image_pipeline_backlog_images_forgotten",
            "Images that no longer count against the limit of their group or token.",
            registry=registry,
        )

    def answered(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a request; *route* is the template of its path, None for an unknown path."""
        method = method if method in _METHODS_OF_HTTP else OTHER
        route = route or OTHER
        self._requests.labels(method, route, str(status)).inc()
        self._durations.labels(method, route).observe(seconds)

    def uploaded(self, size_bytes: int, *, is_replay: bool) -> None:
        self._uploads.labels("replayed" if is_replay else "accepted").inc()
        if not is_replay:
            self._sizes.observe(size_bytes)

    def refused(self, code: str) -> None:
        """Count an upload that is refused with the problem *code*."""
        self._uploads.labels(code).inc()

    def forgot(self, images: int) -> None:
        """Count *images* that no longer count against the limit of their group or token."""
        self._forgotten.inc(images)


class AwsMetrics:
    """The calls to S3 and SQS; a call with its retries counts once."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._durations = Histogram(
            "image_pipeline_aws_request_duration_seconds",
            "Duration of a call to AWS, with its retries.",
            ("service", "operation"),
            buckets=SECONDS,
            registry=registry,
        )
        self._errors = Counter(
            "image_pipeline_aws_request_errors",
            "Calls and batch entries that AWS refused or did not answer.",
            ("service", "operation", "code"),
            registry=registry,
        )

    def answered(self, service: str, operation: str, seconds: float) -> None:
        """Count a completed call, successful or not."""
        self._durations.labels(service, operation).observe(seconds)

    def failed(self, service: str, operation: str, code: str | None) -> None:
        """Count an error; *code* is the AWS error code, None without a response."""
        self._errors.labels(service, operation, code or "no-answer").inc()

    @contextmanager
    def timed(self, service: str, operation: str) -> Iterator[None]:
        """A block that is timed as one call."""
        began_at = time.perf_counter()
        try:
            yield
        finally:
            self.answered(service, operation, time.perf_counter() - began_at)


class QueueMetrics:
    """The depths of the queues; an unknown depth is absent, not zero."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._messages = Gauge(
            "image_pipeline_queue_messages",
            "Messages in a queue, as SQS counted them at most half a minute ago.",
            ("queue", "state"),
            registry=registry,
        )
        self._errors = Counter(
            "image_pipeline_queue_depth_errors",
            "Failed queries of a queue's depth.",
            ("queue",),
            registry=registry,
        )

    def counted(self, queue: str, *, waiting: int, held: int) -> None:
        self._messages.labels(queue, "waiting").set(waiting)
        self._messages.labels(queue, "held").set(held)

    def unknown(self, queue: str) -> None:
        """Remove the depth of *queue* until the next successful count."""
        self._errors.labels(queue).inc()
        self._messages.remove(queue, "waiting")
        self._messages.remove(queue, "held")
