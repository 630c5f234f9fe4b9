"""The image pipeline: PNG scans in, black-and-white pages out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from .gate import Gate
    from .image_store import ImageStore
    from .lookout import Lookout
    from .metrics import Metrics
    from .ports import Queue
    from .settings import Settings
    from .waits import Waits


def create_app(
    settings: Settings,
    *,
    store: ImageStore | None = None,
    jobs: Queue | None = None,
    gate: Gate | None = None,
    waits: Waits | None = None,
    check_worker: Callable[[], None] | None = None,
    lookout: Lookout | None = None,
    metrics: Metrics | None = None,
) -> Flask:
    """Wire the web side; connects to nothing and starts nothing.

    *store* and *jobs* default to S3 and SQS by *settings*. A server that asks the *gate* before it
    reads a body, or ends the *waits* when it stops, brings its own. A *lookout* that brings no
    thread looks when it is asked; without one, *check_worker* is for that which is made here, and
    raises QueueUnavailableError when the worker in this process is stuck. *metrics* are those of
    the process.
    """
    # Imported here, so that `import app.worker` loads neither Flask nor boto3 nor OpenCV.
    from flask import Flask

    from . import routes, s3_service, sqs_service
    from .gate import Gate
    from .lookout import Lookout, Watched
    from .method_catalogue import DEFAULT_METHOD, METHODS
    from .metrics import Metrics
    from .openapi import contract
    from .uploads import Reader
    from .waits import Waits

    app = Flask(__name__, root_path=_project_root())
    metrics = metrics or Metrics(METHODS)
    store = store or s3_service.make_image_store(settings, metrics.aws)
    jobs = jobs or sqs_service.make_queue(settings, settings.input_queue, metrics.aws)
    lookout = lookout or Lookout(
        Watched(store, jobs, check_worker),
        max_waiting=settings.max_queue_depth,
        metrics=metrics.queues,
    )
    gate = gate or Gate(settings, lookout.check_room)
    app.config["MAX_CONTENT_LENGTH"] = gate.max_body_bytes
    secret = settings.idempotency_secret
    services = routes.Services(
        settings=settings,
        store=store,
        jobs=jobs,
        gate=gate,
        # The other half of the threads stays free for those who do not wait.
        waits=waits or Waits(max(1, settings.web_threads // 2)),
        reader=Reader(
            METHODS,
            DEFAULT_METHOD,
            settings.png_limits,
            secret.get_secret_value().encode() if secret else b"image-pipeline",
        ),
        methods=METHODS,
        contract=contract(METHODS, DEFAULT_METHOD, settings),
        lookout=lookout,
        counted=metrics.http,
        expose=metrics.expose if settings.has_metrics_on_api else None,
    )
    routes.register(app, services)
    return app


def _project_root() -> str:
    """`templates/` and `static/` lie beside the package, not in it."""
    from pathlib import Path

    return str(Path(__file__).resolve().parent.parent)
