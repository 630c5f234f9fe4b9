"""Write a process's counts to its output each minute; Amazon CloudWatch makes metrics of them.

The lines have CloudWatch's embedded metric format, which needs neither an agent nor a further right
where a process's output goes to CloudWatch Logs. The alarms of deploy/cloudformation.yaml use these
metrics; every one is a row of docs/metrics.md.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Metric

NAMESPACE: Final = "ImagePipeline"
SERVICE: Final = "image-pipeline"
#: The shortest period of a CloudWatch metric of standard resolution.
_INTERVAL_S: Final = 60.0
#: As deploy/prometheus/goals.yml: valid uploads that failed on the server's side.
FAILED_UPLOADS: Final = frozenset(
    ("internal-error", "queue-full", "queue-unavailable", "storage-unavailable")
)
VALID_UPLOADS: Final = FAILED_UPLOADS | {"accepted", "replayed"}
ENDED: Final = frozenset(("processed", "failed", "announced-again", "given-up", "deleted"))
#: The bound of the goal for announcements, as prometheus-client writes it.
IN_TIME: Final = frozenset(("300.0",))
_ANNOUNCED: Final = "image_pipeline_worker_time_to_announcement_seconds"


@dataclass(frozen=True)
class _Term:
    """The part of a metric from one series: samples whose *label* is in *values*, each *times*."""

    metric: str
    series: str
    label: str = ""
    values: frozenset[str] = frozenset()
    times: int = 1
    is_counter: bool = True


_TERMS: Final = (
    _Term("ValidUploads", "image_pipeline_uploads_total", "result", VALID_UPLOADS),
    _Term("FailedUploads", "image_pipeline_uploads_total", "result", FAILED_UPLOADS),
    _Term("Announcements", f"{_ANNOUNCED}_count"),
    _Term("LateAnnouncements", f"{_ANNOUNCED}_count"),
    _Term("LateAnnouncements", f"{_ANNOUNCED}_bucket", "le", IN_TIME, -1),
    _Term("EndedDeliveries", "image_pipeline_worker_deliveries_total", "outcome", ENDED),
    _Term("OpenBreaker", "image_pipeline_worker_breaker_open", is_counter=False),
)
_COUNTERS: Final = frozenset(term.metric for term in _TERMS if term.is_counter)
Values = dict[str, float]


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 (stdout, since LOG_LEVEL and LOG_FORMAT are the log's)


class CloudWatchMetrics:
    """Writes the counts of *registry* each minute inside its `with` block, and once at its end.

    *cell* tells one of several pipelines from the others. A failed write loses a minute's counts,
    never the process.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        cell: str,
        *,
        interval_s: float = _INTERVAL_S,
        write: Callable[[str], None] = _print,
    ) -> None:
        self._registry = registry
        self._cell = cell
        self._interval_s = interval_s
        self._write = write
        self._before: Values = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cloudwatch", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._stopped.wait(self._interval_s)
            now = totals(self._registry.collect())
            with suppress(OSError, ValueError):  # the pipe is closed, or stdout is
                self._write(line(since(self._before, now), self._cell, time.time()))
            self._before = now


def totals(families: Iterable[Metric]) -> Values:
    """Each metric of this process's role since its start; 0 where nothing has happened yet."""
    found: Values = {}
    for family in families:
        for term in _TERMS:
            # The name of a counter's family lacks `_total`, a histogram's lacks `_count`.
            if term.series.startswith(family.name):
                found[term.metric] = found.get(term.metric, 0) + _sum(term, family)
    return found


def _sum(term: _Term, family: Metric) -> float:
    return term.times * sum(
        sample.value
        for sample in family.samples
        if sample.name == term.series
        and (not term.label or sample.labels[term.label] in term.values)
    )


def since(before: Values, now: Values) -> Values:
    """The increase of each counter since *before*, and the value of each gauge *now*."""
    return {
        name: value - before.get(name, 0) if name in _COUNTERS else value
        for name, value in now.items()
    }


def line(values: Values, cell: str, at_s: float) -> str:
    """One document of the embedded metric format; *at_s* is in seconds since 1970."""
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [["service", "cell"]],
        "Metrics": [{"Name": name, "Unit": "Count"} for name in values],
    }
    about = {"Timestamp": int(at_s * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": about, "service": SERVICE, "cell": cell, **values})
