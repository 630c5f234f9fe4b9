"""The Prometheus metrics of one worker process; every metric is a row of docs/metrics.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from .histogram_bounds import LONG_SECONDS, OTHER, SECONDS

#: The error codes with which an accepted image can fail. These series start at 0: `increase()`
#: ignores a series' first sample, so the first failure would be invisible.
_FAILURES: Final = (
    "corrupt-png",
    "foreign-original",
    "image-id-taken",
    "internal-error",
    "invalid-message",
    "original-missing",
    "processing-crashed",
    "too-expensive",
    "unsupported-job",
)
STEPS: Final = ("fetch", "admit", "compute", "store", "announce", "delete")
RENEWALS: Final = ("renewed", "lost", "failed")


class WorkerMetrics:
    """The metrics of one worker process. Thread-safe."""

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
            "Duration of each step of an image, failed steps included.",
            ("step",),
            buckets=SECONDS,
            registry=registry,
        )
        self._steps = {step: durations.labels(step) for step in STEPS}
        self._images = Counter(
            "image_pipeline_worker_images",
            "Images that ended as processed or failed.",
            ("status", "method"),
            registry=registry,
        )
        self._failures = Counter(
            "image_pipeline_worker_failures",
            "Failed images by error code.",
            ("code",),
            registry=registry,
        )
        for code in _FAILURES:
            self._failures.labels(code)
        self.images_in_flight = Gauge(
            "image_pipeline_worker_images_in_flight",
            "Images that a thread processes.",
            registry=registry,
        )
        self._pixels_in_flight = Gauge(
            "image_pipeline_worker_pixels_in_flight",
            "Pixels being computed.",
            registry=registry,
        )
        self.pixels_in_flight_limit = Gauge(
            "image_pipeline_worker_pixels_in_flight_limit",
            "MAX_PIXELS_IN_FLIGHT.",
            registry=registry,
        )
        self._make_of_times(registry)

    def _make_of_times(self, registry: CollectorRegistry | None) -> None:
        self._queue_waits = Histogram(
            "image_pipeline_worker_queue_wait_seconds",
            "From upload to the start of work, on the first try.",
            buckets=LONG_SECONDS,
            registry=registry,
        )
        self._end_to_ends = Histogram(
            "image_pipeline_worker_end_to_end_seconds",
            "From upload to result or failure record.",
            buckets=LONG_SECONDS,
            registry=registry,
        )
        self._times_to_announcement = Histogram(
            "image_pipeline_worker_time_to_announcement_seconds",
            "From upload to the accepted announcement.",
            buckets=LONG_SECONDS,
            registry=registry,
        )

    def _make_of_messages(self, registry: CollectorRegistry | None) -> None:
        self._deliveries = Counter(
            "image_pipeline_worker_deliveries",
            "Messages handled, by outcome.",
            ("outcome",),
            registry=registry,
        )
        self.redeliveries = Counter(
            "image_pipeline_worker_redeliveries",
            "Messages that a worker had received before.",
            registry=registry,
        )
        self._messages_in_hand = Gauge(
            "image_pipeline_worker_messages_in_hand",
            "Messages received and not finished.",
            registry=registry,
        )
        self.polls = Counter(
            "image_pipeline_worker_polls", "Polls that SQS answered.", registry=registry
        )
        self.poll_failures = Counter(
            "image_pipeline_worker_poll_failures", "Polls without a response.", registry=registry
        )
        self.heartbeats = Counter(
            "image_pipeline_worker_heartbeats",
            "Iterations of the heartbeat, about one a second.",
            registry=registry,
        )
        renewals = Counter(
            "image_pipeline_worker_lease_renewals",
            "Lease renewals by result.",
            ("result",),
            registry=registry,
        )
        self.renewals = {result: renewals.labels(result) for result in RENEWALS}
        self.leases_lost = Counter(
            "image_pipeline_worker_leases_lost",
            "Leases that ended before their message was finished.",
            registry=registry,
        )

    def _make_of_outages(self, registry: CollectorRegistry | None) -> None:
        self._breaker_open = Gauge(
            "image_pipeline_worker_breaker_open",
            "1 while the worker receives nothing because S3 or SQS is down, else 0.",
            registry=registry,
        )
        self.breaker_openings = Counter(
            "image_pipeline_worker_breaker_openings",
            "Times that the breaker opened.",
            registry=registry,
        )

    def step(self, name: str) -> AbstractContextManager[object]:
        """A block that is timed as the step *name*, one of STEPS."""
        return self._steps[name].time()

    @contextmanager
    def computing(self, pixels: int) -> Iterator[None]:
        """A block that is timed as the step "compute" of an image of *pixels* pixels."""
        self._pixels_in_flight.inc(pixels)
        try:
            with self.step("compute"):
                yield
        finally:
            self._pixels_in_flight.dec(pixels)

    def started(self, waited_s: float | None) -> None:
        """Record the wait between upload and first attempt of an image, if known."""
        if waited_s is not None:
            self._queue_waits.observe(max(0.0, waited_s))

    def ended(self, outcome: str) -> None:
        """Count a delivery by its *outcome*."""
        self._deliveries.labels(outcome).inc()

    def finished(
        self, status: str, method: str | None, code: str | None, seconds: float | None
    ) -> None:
        """Count a finished image, *seconds* after its upload if known."""
        method = method if method in self._methods else OTHER
        self._images.labels(status, method).inc()
        if code is not None:
            self._failures.labels(code).inc()
        if seconds is not None:
            self._end_to_ends.observe(max(0.0, seconds))

    def announced(self, seconds: float | None) -> None:
        """Count an announcement, *seconds* after the upload if known."""
        if seconds is not None:
            self._times_to_announcement.observe(max(0.0, seconds))

    def watch(self, *, in_hand: Callable[[], int], is_open: Callable[[], bool]) -> None:
        """Read the gauges of leases and breaker from these two functions at each scrape."""
        self._messages_in_hand.set_function(in_hand)
        self._breaker_open.set_function(is_open)
