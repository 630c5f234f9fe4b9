"""The image pipeline: PNG scans in, black-and-white pages out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from .domain import Queue
    from .image_store import ImageStore
    from .settings import Settings

#: Room for the boundary, the headers of the parts and the other fields around the file.
_MULTIPART_OVERHEAD_BYTES = 64 * 1024


def create_app(
    settings: Settings,
    *,
    store: ImageStore | None = None,
    jobs: Queue | None = None,
    check_worker: Callable[[], None] | None = None,
) -> Flask:
    """Wire the web side; connects to nothing and starts nothing.

    *store* and *jobs* default to S3 and SQS by *settings*. *check_worker* raises
    QueueUnavailableError when the worker in this process is stuck; readiness depends on it.
    """
    # Imported here, so that `import app.worker` loads neither Flask nor boto3 nor OpenCV.
    from flask import Flask

    from . import routes, s3_service, sqs_service
    from .methods import DEFAULT_METHOD, METHODS

    app = Flask(__name__, root_path=_project_root())
    app.config["MAX_CONTENT_LENGTH"] = settings.max_upload_bytes + _MULTIPART_OVERHEAD_BYTES
    services = routes.Services(
        settings=settings,
        store=store or s3_service.make_image_store(settings),
        jobs=jobs or sqs_service.make_queue(settings, settings.input_queue),
        methods=METHODS,
        default_method=DEFAULT_METHOD,
        check_worker=check_worker,
    )
    routes.register(app, services)
    return app


def _project_root() -> str:
    """`templates/` and `static/` lie beside the package, not in it."""
    from pathlib import Path

    return str(Path(__file__).resolve().parent.parent)
