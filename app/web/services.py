"""What the views work with, and how they get at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Flask, current_app

from ..domain.methods import Method
from ..domain.ports import Queue
from ..health.health import Health
from ..health.monitor import Lookout
from ..images.store import ImageStore
from ..observability.metrics import HttpMetrics
from ..server.gate import Gate
from ..settings import Settings
from .long_poll import Waits
from .uploads import Reader

_EXTENSION: Final = "image_pipeline"


@dataclass(frozen=True)
class Services:
    """What the views work with; `wiring` puts it together."""

    settings: Settings
    store: ImageStore
    jobs: Queue
    gate: Gate
    waits: Waits
    reader: Reader
    methods: Mapping[str, Method]
    #: The OpenAPI document.
    contract: Mapping[str, Any]
    lookout: Lookout
    health: Health
    counted: HttpMetrics


def give(app: Flask, services: Services) -> None:
    """Have the views of *app* work with *services*."""
    app.extensions[_EXTENSION] = services


def services() -> Services:
    """Those of the application that answers the request in hand."""
    found: Services = current_app.extensions[_EXTENSION]
    return found
