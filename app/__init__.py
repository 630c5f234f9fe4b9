"""The image pipeline: PNG scans in, black-and-white pages out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from .web.services import Services


def create_app(services: Services | None = None) -> Flask:
    """The Flask application that uses *services*; opens no connection and starts no thread.

    `wiring.Wiring(settings, "web").app` is the application with S3 and SQS.
    """
    if services is None:  # Flask's own command calls it so
        raise SystemExit("app: Flask's server is not enough here; type ./alvura start")
    # Imported here, so that `import app.worker` loads no Flask.
    from flask import Flask

    from . import routes

    app = Flask(__name__, root_path=_project_root())
    app.config["MAX_CONTENT_LENGTH"] = services.gate.max_body_bytes
    routes.register(app, services)
    return app


def _project_root() -> str:
    """The folder of `templates/` and `static/`, which are beside the package, not in it."""
    from pathlib import Path

    return str(Path(__file__).resolve().parent.parent)
