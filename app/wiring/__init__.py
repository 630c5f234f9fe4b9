"""Wiring: build and connect the objects of a process, for every role and every operator's verb."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from ..settings import Settings

# Each object's module is imported on first use: with the engine, `web` would use 125 MB more.
if TYPE_CHECKING:
    from flask import Flask

    from ..access.backlogs import Backlogs
    from ..domain.ports import Queue
    from ..health.checks import Watched
    from ..health.health import Health
    from ..health.monitor import Monitor
    from ..health.probes import ProbeServer
    from ..images.store import ImageStore
    from ..observability.cloudwatch import CloudWatchMetrics
    from ..observability.metrics import Metrics
    from ..server.gate import Gate
    from ..server.server import HttpServer
    from ..web.long_poll import Waits
    from ..web.services import Services
    from .worker import WorkerService

_WITH_WEB: Final = ("web", "all")
_WITH_WORKER: Final = ("worker", "all")


class Wiring:
    """The objects of one process, which runs *command*: a role or a verb.

    Each object is built on first use and kept. To replace one, such as by `wiring.store = ...`, set
    it before an object that depends on it is built. Building an object opens no connection and
    starts no thread, except that `server` and `probes` begin to listen.
    """

    def __init__(self, settings: Settings, command: str) -> None:
        self.settings = settings
        self._has_web = command in _WITH_WEB
        self._has_worker = command in _WITH_WORKER

    @cached_property
    def metrics(self) -> Metrics:
        """The metrics of this process."""
        from ..domain.methods import METHODS
        from ..observability.metrics import Metrics

        return Metrics(METHODS)

    # --- storage and queues; unusable settings raise BotoCoreError or ValueError -----------------

    @cached_property
    def store(self) -> ImageStore:
        from ..s3_service import make_image_store

        return make_image_store(self.settings, self.metrics.aws)

    @cached_property
    def jobs(self) -> Queue:
        return self._queue(self.settings.input_queue)

    @cached_property
    def announcements(self) -> Queue:
        return self._queue(self.settings.processed_queue)

    @cached_property
    def dead_letters(self) -> Queue:
        """The queue of jobs that were received too often."""
        return self._queue(self.settings.input_dead_letter_queue)

    def _queue(self, name: str) -> Queue:
        from ..sqs_service import make_queue

        return make_queue(self.settings, name, self.metrics.aws)

    # --- every role ------------------------------------------------------------------------------

    @cached_property
    def worker(self) -> WorkerService | None:
        """The worker in this process, if the role has one."""
        if not self._has_worker:
            return None
        from .worker import WorkerService

        return WorkerService(
            self.settings,
            store=self.store,
            jobs=self.jobs,
            announcements=self.announcements,
            metrics=self.metrics,
        )

    @cached_property
    def watched(self) -> Watched:
        """The parts that the monitor checks."""
        from ..health.checks import Watched

        return Watched(
            self.store,
            self.jobs,
            check_worker=self.worker.check if self.worker else None,
            dead_letters=self.dead_letters if self._has_web else None,
        )

    @cached_property
    def monitor(self) -> Monitor:
        """The one monitor of the process."""
        from ..health.monitor import Monitor
        from ..observability.metrics import QueueMetrics

        if self._has_web:
            return Monitor(
                self.watched,
                max_waiting=self.settings.max_queue_depth,
                metrics=self.metrics.queues,
            )
        # Keep queue depths out of a worker's metrics: a sum over all workers would count each
        # message many times.
        return Monitor(self.watched, is_resting=True, metrics=QueueMetrics())

    @cached_property
    def health(self) -> Health:
        from ..health.health import Health

        return Health(
            self.settings, check_ready=self.monitor.check_ready, expose=self.metrics.expose
        )

    @cached_property
    def probes(self) -> ProbeServer | None:
        """The server on METRICS_PORT, if that is set. Raises OSError if the port is taken."""
        if self.settings.metrics_port is None:
            return None
        from ..health.probes import ProbeServer

        return ProbeServer(self.settings.metrics_host, self.settings.metrics_port, self.health)

    @cached_property
    def cloudwatch(self) -> CloudWatchMetrics | None:
        """The writer of CloudWatch's metrics, if CLOUDWATCH_CELL is set."""
        if self.settings.cloudwatch_cell is None:
            return None
        from ..observability.cloudwatch import CloudWatchMetrics

        return CloudWatchMetrics(self.metrics.registry, self.settings.cloudwatch_cell)

    # --- the web side ----------------------------------------------------------------------------

    @cached_property
    def gate(self) -> Gate:
        from ..server.gate import Gate

        return Gate(self.settings, self.monitor.check_queue_depth)

    @cached_property
    def waits(self) -> Waits:
        from ..web.long_poll import Waits

        # Long polls get half of the threads; the other half stays free for other requests.
        return Waits(max(1, self.settings.web_threads // 2))

    @cached_property
    def backlogs(self) -> Backlogs:
        from ..access.backlogs import Backlogs

        return Backlogs(
            max_of_group=self.settings.max_group_depth,
            max_of_owner=self.settings.max_owner_depth,
            is_finished=self.store.is_finished,
            forgot=self.metrics.http.forgot,
        )

    @cached_property
    def services(self) -> Services:
        """The objects that the views use."""
        from ..domain.methods import DEFAULT_METHOD, METHODS
        from ..openapi.document import contract
        from ..web.services import Services
        from ..web.uploads import Reader

        secret = self.settings.idempotency_secret
        return Services(
            settings=self.settings,
            store=self.store,
            jobs=self.jobs,
            gate=self.gate,
            backlogs=self.backlogs,
            waits=self.waits,
            reader=Reader(
                METHODS,
                DEFAULT_METHOD,
                self.settings.png_limits,
                secret.get_secret_value().encode() if secret else b"image-pipeline",
            ),
            methods=METHODS,
            contract=contract(METHODS, DEFAULT_METHOD, self.settings),
            monitor=self.monitor,
            health=self.health,
            counted=self.metrics.http,
        )

    @cached_property
    def app(self) -> Flask:
        from .. import create_app

        return create_app(self.services)

    @cached_property
    def server(self) -> HttpServer:
        """The server of `app`. Raises OSError or ValueError if it cannot listen."""
        from ..server.server import HttpServer

        return HttpServer(self.app, self.settings, self.gate, on_stop=self.waits.stop)
