"""The web application with storage and queue in memory."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.consumer.batching import BatchedQueue
from app.consumer.leases import Leases
from app.domain.ports import Message
from app.errors import QueueUnavailableError
from app.health.checks import Watched
from app.image_processor import binarize_png
from app.images.store import ImageStore
from app.observability.metrics import Metrics
from app.observability.worker_metrics import WorkerMetrics
from app.png.limits import PngLimits
from app.settings import Settings
from app.web.long_poll import Waits
from app.wiring.processing import as_job_asks
from app.worker import Worker
from testkit.in_memory.fakes import MemoryBucket, MemoryQueue
from testkit.in_memory.wired import wired
from testkit.png.scans import page_png


class Site:
    """The web side with its storage and queue in memory, and a worker to run by hand."""

    def __init__(
        self,
        settings: Settings,
        *,
        jobs: MemoryQueue | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.is_worker_stuck = False
        self.inputs, self.outputs = MemoryBucket("image-input"), MemoryBucket("image-processed")
        self.jobs, self.announced = jobs or MemoryQueue("jobs.fifo"), MemoryQueue("done.fifo")
        self.store = ImageStore(self.inputs, self.outputs)
        self.waits = Waits(2)
        self.wiring = wired(settings, self.store, self.jobs)
        self.wiring.waits = self.waits
        self.wiring.watched = Watched(self.store, self.jobs, self._check_worker)
        if metrics:
            self.wiring.metrics = metrics
        self.app = self.wiring.app
        self.client: FlaskClient = self.app.test_client()

    def upload(
        self,
        data: bytes | None = None,
        name: str = "scan.png",
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> TestResponse:
        content = page_png() if data is None else data
        form = {"image": (io.BytesIO(content), name), **fields}
        return self.client.post("/upload", data=form, headers=headers)

    def send(self, body: str, image_id: UUID) -> None:
        """Put a job into the queue, as another producer does."""
        unique = str(image_id)
        self.jobs.send(Message(body, group=unique, deduplication_id=unique))

    def work(self) -> None:
        process = partial(as_job_asks, partial(binarize_png, limits=PngLimits()))
        worker = Worker(
            jobs=BatchedQueue(self.jobs, linger_s=0),
            store=self.store,
            announcements=BatchedQueue(self.announced, linger_s=0),
            process=process,
            process_apart=process,
            max_receives=5,
            metrics=WorkerMetrics(),
        )
        leases = Leases(self.jobs, visibility_timeout_s=60, metrics=WorkerMetrics())
        while deliveries := self.jobs.receive(
            max_messages=1, wait_time_s=0, visibility_timeout_s=60
        ):
            (lease,) = leases.hold(deliveries, asked_at=leases.clock())
            worker.handle(lease)

    def _check_worker(self) -> None:
        if self.is_worker_stuck:
            raise QueueUnavailableError("The worker is stuck.")


def problem(answer: TestResponse) -> tuple[int, str]:
    """Status and code of a problem document, checked for the rest."""
    assert answer.mimetype == "application/problem+json"
    document = json.loads(answer.data)
    assert document["status"] == answer.status_code
    assert document["type"].endswith(document["code"])
    assert document["request_id"] == answer.headers["X-Request-ID"]
    return answer.status_code, document["code"]
