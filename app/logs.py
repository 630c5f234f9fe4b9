"""Configure logging, and know which request a line belongs to."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import Final

#: The X-Request-ID of the request that this thread answers.
request_id: ContextVar[str] = ContextVar("request_id", default="-")

_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s [%(request_id)s]: %(message)s"
_NOISY: Final = ("botocore", "boto3", "urllib3")


def configure(level: str) -> None:
    """Log to stderr from *level* on, each line with the id of its request."""
    handler = logging.StreamHandler()
    handler.addFilter(_add_request_id)
    logging.basicConfig(level=level, format=_FORMAT, handlers=[handler])
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It warns of each request that waits for a thread.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)


def _add_request_id(record: logging.LogRecord) -> bool:
    record.request_id = request_id.get()
    return True
