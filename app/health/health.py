"""Answer /healthz, /readyz and /metrics in the same way on PORT and on METRICS_PORT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..errors import NotFoundError
from ..observability.metrics import CONTENT_TYPE
from ..settings import Settings

ALIVE: Final = "/healthz"
READY: Final = "/readyz"
METRICS: Final = "/metrics"
_JSON: Final = "application/json"


@dataclass(frozen=True)
class Answer:
    """The 200 response to a probe; it must not be cached."""

    mime: str
    body: bytes


class Health:
    """Liveness, readiness and metrics of the process. Thread-safe.

    *check_ready* raises a PipelineError while the process cannot work. *expose* returns all metrics
    of the process as text.
    """

    def __init__(
        self, settings: Settings, *, check_ready: Callable[[], None], expose: Callable[[], bytes]
    ) -> None:
        self._answers = {ALIVE: self._alive, READY: self._ready, METRICS: self._metrics}
        self._check_ready = check_ready
        self._expose = expose
        #: Whether PORT hides a path: readiness is served on one port only, and metrics are private
        #: unless the settings publish them on PORT.
        self._is_hidden = {
            READY: settings.metrics_port is not None,
            METRICS: not settings.has_metrics_on_api,
        }

    def answer(self, path: str) -> Answer:
        """The answer on METRICS_PORT.

        Raises:
            NotFoundError: *path* is not a probe.
            PipelineError: *path* is READY and the process is not ready.
        """
        if path not in self._answers:
            raise NotFoundError(f"There is nothing here but {ALIVE}, {READY} and {METRICS}.")
        return self._answers[path]()

    def answer_on_api(self, path: str) -> Answer:
        """The answer on PORT. Raises as `answer`, and NotFoundError for a path hidden on PORT."""
        if self._is_hidden.get(path):
            raise NotFoundError(f"There is nothing at {path}.")
        return self.answer(path)

    def _alive(self) -> Answer:
        # Independent of S3, SQS and the worker, so that their outage restarts no process.
        return Answer(_JSON, b'{"status": "alive"}')

    def _ready(self) -> Answer:
        self._check_ready()
        return Answer(_JSON, b'{"status": "ready"}')

    def _metrics(self) -> Answer:
        return Answer(CONTENT_TYPE, self._expose())
