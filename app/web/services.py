"""The objects that the views use, and how a view gets them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Flask, current_app

from ..access.backlogs import Backlogs
from ..domain.methods import Method
from ..domain.ports import Queue
from ..health.health import Health
from ..health.monitor import Monitor
from ..images.store import ImageStore
from ..observability.metrics import HttpMetrics
from ..server.gate import Gate
from ..settings import Settings
from .long_poll import Waits
from .uploads import Reader

_EXTENSION: Final = "image_pipeline"


@dataclass(frozen=True)
class Services:
    """The objects that the views use; `app.wiring` builds them."""

    settings: Settings
    store: ImageStore
    jobs: Queue
    gate: Gate
    backlogs: Backlogs
    waits: Waits
    reader: Reader
    methods: Mapping[str, Method]
    #: The OpenAPI document.
    contract: Mapping[str, Any]
    monitor: Monitor
    health: Health
    counted: HttpMetrics


def give(app: Flask, services: Services) -> None:
    """Make *services* available to the views of *app*."""
    app.extensions[_EXTENSION] = services


def services() -> Services:
    """The services of the application that handles the current request."""
    found: Services = current_app.extensions[_EXTENSION]
    return found
